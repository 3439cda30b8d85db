"""The wheel, outside the checkout: presets, weights, people and the page are inside and found; and what judges that."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import av
import pytest
from packaging.metadata import Metadata
from packaging.specifiers import SpecifierSet

from tools.release_check import (
    DATA,
    NEEDED,
    CheckError,
    build,
    metadata,
    metadata_faults,
    pythons,
    sdist_faults,
    wheel_faults,
)

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel of this checkout was unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def live(installed: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.path.insert(0, {str(installed)!r}); from live.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=cwd, check=False)


@pytest.mark.slow
def test_an_installed_wheel_swaps_the_demo_person(installed: Path, tmp_path: Path) -> None:
    done = live(installed, "--input", "demo", "--output", "out.mp4", "--duration", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) >= 1


@pytest.mark.slow
def test_an_installed_wheel_finds_presets_people_page_and_weights(installed: Path, tmp_path: Path) -> None:
    assert "fast" in live(installed, "presets", cwd=tmp_path).stdout
    assert "composite" in live(installed, "faces", "list", cwd=tmp_path).stdout
    assert "inswapper_128" in live(installed, "models", "list", cwd=tmp_path).stdout
    for name in ("page.html", "page.css", "page.js"):
        assert (installed / "live/control/page" / name).is_file()
    doctor = live(installed, "doctor", cwd=tmp_path)
    assert doctor.returncode == 0, doctor.stdout
    assert "live/data" not in doctor.stderr


@pytest.mark.slow
def test_both_packages_hold_what_git_knows_and_nothing_else(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout, so nothing says which files belong to a release")
    sdist, wheel = build(ROOT, tmp_path)
    assert sdist.name.startswith("live_faceswap-")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert str(metadata(wheel).license_expression) == "MIT AND Apache-2.0"


INFO = "live_faceswap-1.dist-info"
WHOLE = {f"live/data/{name}" if name.startswith(DATA) else name for name in NEEDED}
WHOLE = {name for name in WHOLE if name.startswith("live/")} | {f"{INFO}/METADATA", f"{INFO}/licenses/LICENSE"}


def wheel_of(folder: Path, names: Iterable[str], large: str = "") -> Path:
    path = folder / "live_faceswap-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, bytes(4_000_000 if name == large else 10))
    return path


def test_a_whole_wheel_has_no_faults(tmp_path: Path) -> None:
    assert list(wheel_faults(wheel_of(tmp_path, WHOLE), NEEDED)) == []


@pytest.mark.parametrize(
    "stray",
    ["tests/conftest.py", "live/__pycache__/cli.cpython-311.pyc", "live/data/models/people/me.webp", "notes.txt"],
)
def test_what_does_not_belong_into_a_wheel_is_named(tmp_path: Path, stray: str) -> None:
    (fault,) = wheel_faults(wheel_of(tmp_path, {*WHOLE, stray}), NEEDED)
    assert fault.endswith(f"must not have {stray}")


@pytest.mark.parametrize("lost", sorted(WHOLE - {f"{INFO}/METADATA"}))
def test_what_a_wheel_lacks_is_named(tmp_path: Path, lost: str) -> None:
    (fault,) = wheel_faults(wheel_of(tmp_path, WHOLE - {lost}), [])
    assert fault.endswith("lacks the licence" if lost.startswith(INFO) else f"lacks {lost}")


def test_a_file_that_is_too_large_is_named(tmp_path: Path) -> None:
    (fault,) = wheel_faults(wheel_of(tmp_path, WHOLE, large="live/cli.py"), NEEDED)
    assert "live/cli.py has 4.0 MB, more than 3" in fault


def test_an_sdist_has_the_tests_and_no_file_that_only_lay_around(tmp_path: Path) -> None:
    path = tmp_path / "live_faceswap-1.tar.gz"
    (tmp_path / "file").write_bytes(b"")
    with tarfile.open(path, "w:gz") as archive:
        for name in {*NEEDED, "PKG-INFO", "scratch.txt"} - {"tests/conftest.py"}:
            archive.add(tmp_path / "file", f"live_faceswap-1/{name}")
    assert {fault.partition(".tar.gz ")[2] for fault in sdist_faults(path, [*NEEDED, ".ci/run"])} == {
        "lacks tests/conftest.py",
        "must not have scratch.txt",
    }


def test_metadata_that_contradicts_itself_is_named() -> None:
    fields = ["Name: live-faceswap", "Version: 1", "Requires-Python: >=3.11,<3.13", "Summary: x"]
    fields += ["License-Expression: MIT", "License-File: LICENSE", "Description-Content-Type: text/markdown"]
    fields += ["Classifier: Programming Language :: Python :: 3.11", "Classifier: Topic :: Swapping"]
    found = list(metadata_faults(Metadata.from_email("\n".join(["Metadata-Version: 2.4", *fields, "", "# live"]))))
    assert found == [
        "no classifier of that name: Topic :: Swapping",
        "the classifiers name Python ['3.11'], requires-python allows ['3.11', '3.12']",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="stand-ins for Python are shell scripts")
def test_the_newest_python_that_works_is_found(tmp_path: Path) -> None:
    for name, script in (("python3.14", "exit 1"), ("python3.13", "echo 3.13.99"), ("python3.12", "echo 3.12.99")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    found = pythons([tmp_path], SpecifierSet(">=3.11,<3.15"))
    assert list(found.values()) == [Path(sys.executable), tmp_path / "python3.13"]
    assert list(pythons([tmp_path / "python3.12"], SpecifierSet(">=3.11"))) == ["3.12.99"]
    with pytest.raises(CheckError, match="nowhere"):
        pythons([tmp_path / "nowhere"], SpecifierSet())
