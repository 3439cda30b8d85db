"""The wheel, outside the checkout: presets, weights, people and the page are inside and are found."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import av
import pytest

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
