"""A release as a stranger gets it: built from a clean copy, looked into, then installed and run outside of this folder.

`make release-check ARGS="--python PATH --keep DIR"`. Takes the files that git knows or would add. Every Python gets an
environment of its own in TMPDIR; where torch comes with CUDA it takes about 6 GB while it lasts, and minutes to fill.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from packaging.metadata import Metadata
from packaging.specifiers import SpecifierSet
from trove_classifiers import classifiers

ROOT = Path(__file__).resolve().parent.parent
FILE_MOST_MB, WHEEL_MOST_MB, SDIST_MOST_MB = 3, 6, 12
WEIGHTS = ("models/detector.onnx", "models/landmarker.onnx", "models/masker.onnx")
DATA = ("configs/", "models/catalogue.yaml", "models/people/", *WEIGHTS)
"""What the wheel carries besides the package, inside of it."""
NOT_IN_SDIST = (".ci/",)
NEEDED = (
    "live/cli.py", "live/py.typed", "live/control/page/page.html", "live/control/page/page.css",
    "live/control/page/page.js", "configs/default.yaml", "configs/fast.yaml", "models/catalogue.yaml",
    "models/people/people.npz", "models/people/ada.webp", *WEIGHTS, "tests/conftest.py", "Makefile", "LICENSE",
)  # fmt: skip
MINORS = range(30, 10, -1)
SECONDS = "2"
FRAMES_LEAST = 10  # of 60: a slow machine may drop some
INSTALL_S, COMMAND_S = 3600, 300
WHO = "import platform, ensurepip, venv; print(platform.python_version())"
WHERE = "import live; print(live.__file__)"
DECODE = "import av, sys; print(sum(1 for _ in av.open(sys.argv[1]).decode(video=0)))"


class CheckError(Exception):
    """What is wrong with the release."""


def main() -> int:
    """Check everything. Returns the exit code."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "--python", type=Path, action="append", default=[], metavar="PATH",
        help="a Python to check with, or a folder to look for the newest in (default: this one and the newest on PATH)",
    )  # fmt: skip
    options.add_argument("--keep", type=Path, metavar="DIR", help="put sdist and wheel there when all is well")
    wish, passed = options.parse_args(), True
    try:
        with tempfile.TemporaryDirectory(prefix="live-release-") as name:
            folder = Path(name)
            sdist, wheel = build(ROOT, folder)
            packages = [wheel, sdist]  # the sdist with the first Python only
            for version, python in pythons(wish.python, metadata(wheel).requires_python or SpecifierSet()).items():
                passed = passes(version, python, packages, folder) and passed
                packages = [wheel]
            if passed and wish.keep:
                shutil.copytree(sdist.parent, wish.keep, dirs_exist_ok=True)
    except CheckError as error:
        print(f"FAILED: {error}")
        return 1
    print("all is well" if passed else "FAILED")
    return 0 if passed else 1


def build(root: Path, folder: Path) -> tuple[Path, Path]:
    """Build both packages from a clean copy and look into them. Returns: sdist, wheel. Raises: CheckError."""
    begun_s = time.monotonic()
    names = files_of(root)
    for name in names:
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, folder / "source" / name)
    tool = [sys.executable, "-m", "build", "--no-isolation", "--outdir"]
    said([*tool, str(folder / "dist"), str(folder / "source")], folder)  # the sdist, and the wheel from the sdist
    said([*tool, str(folder / "direct"), "--wheel", str(folder / "source")], folder)
    (sdist,), (wheel,), (direct,) = (folder.glob(like) for like in ("dist/*.tar.gz", "dist/*.whl", "direct/*.whl"))
    faults = [*sdist_faults(sdist, names), *wheel_faults(wheel, names), *metadata_faults(metadata(wheel))]
    if contents(wheel) != contents(direct):
        faults.append("the sdist builds another wheel than the folder does")
    if faults:
        raise CheckError("\n  ".join(["the packages are not right:", *faults]))
    sizes = " and ".join(f"{package.name} ({package.stat().st_size / 1e6:.1f} MB)" for package in (sdist, wheel))
    print(f"built in {time.monotonic() - begun_s:.0f} s: {sizes}, from {len(names)} files", flush=True)
    return sdist, wheel


def files_of(root: Path) -> list[str]:
    """The files of a release, relative: what git knows and, said aloud, what it would add. Raises: CheckError."""
    ask = ["git", "-c", f"safe.directory={root}", "-C", str(root), "ls-files", "-z", "--exclude-standard"]
    try:
        known, new = (said([*ask, kind], root).split("\0") for kind in ("--cached", "--others"))
    except CheckError:
        raise CheckError(f"{root} is no git checkout; releases are checked in one") from None
    if any(new):
        print(f"not in git yet, taken all the same: {', '.join(filter(None, new))}", flush=True)
    return sorted(name for name in {*known, *new} if name and (root / name).is_file())


def wheel_faults(wheel: Path, names: Iterable[str]) -> Iterator[str]:
    """What is wrong inside: too much, too little, too large. Args: names of the files it was built from."""
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    about = {name for name in sizes if name.split("/")[0].endswith(".dist-info")}
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in about):
        yield f"{wheel.name} lacks the licence"
    places = {name: f"live/data/{name}" if name.startswith(DATA) else name for name in (*names, *NEEDED)}
    wanted = {place for place in places.values() if place.startswith("live/")}
    yield from _faults(wheel, WHEEL_MOST_MB, {name: sizes[name] for name in sizes.keys() - about}, wanted)


def sdist_faults(sdist: Path, names: Iterable[str]) -> Iterator[str]:
    """The same for the sdist, which has what one needs to build and test again."""
    with tarfile.open(sdist) as archive:
        sizes = {info.name.partition("/")[2]: info.size for info in archive.getmembers() if info.isfile()}
    wanted = {name for name in names if not name.startswith(NOT_IN_SDIST)}
    yield from _faults(sdist, SDIST_MOST_MB, sizes, wanted | {"PKG-INFO", *NEEDED})


def _faults(package: Path, most_mb: int, sizes: dict[str, int], wanted: set[str]) -> Iterator[str]:
    for text, found in (("lacks", wanted - sizes.keys()), ("must not have", sizes.keys() - wanted)):
        yield from (f"{package.name} {text} {name}" for name in sorted(found))
    for name, size, most in (("all", package.stat().st_size, most_mb), *((n, sizes[n], FILE_MOST_MB) for n in sizes)):
        if size > most * 1e6:
            yield f"{package.name}: {name} has {size / 1e6:.1f} MB, more than {most}"


def contents(wheel: Path) -> dict[str, str]:
    """The hash of every file inside."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def metadata(wheel: Path) -> Metadata:
    """What the wheel says of itself. Raises: CheckError for what the standard does not allow."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        text = archive.read(name)
    try:
        return Metadata.from_email(text)
    except ExceptionGroup as error:
        raise CheckError("; ".join([str(error), *map(str, error.exceptions)])) from None


def metadata_faults(about: Metadata) -> Iterator[str]:
    """What the standard allows, but a reader of the package's page would miss."""
    allowed = about.requires_python or SpecifierSet()
    if not about.description or about.description_content_type != "text/markdown":
        yield "the description is not the README, in Markdown"
    if not (about.summary and about.license_expression and about.license_files and allowed):
        yield "the summary, the licence, its file or the Python it needs is not told"
    yield from (f"no classifier of that name: {text}" for text in about.classifiers or () if text not in classifiers)
    named = {text.rpartition(" :: ")[2] for text in about.classifiers or () if "Python :: 3." in text}
    if named != (meant := {f"3.{minor}" for minor in MINORS if allowed.contains(f"3.{minor}")}):
        yield f"the classifiers name Python {sorted(named)}, requires-python allows {sorted(meant)}"


def pythons(places: Sequence[Path], allowed: SpecifierSet) -> dict[str, Path]:
    """The Pythons to check with, by version: the given ones; without any, this one and the newest.

    Args: places: Pythons, and folders to look for the newest in, before PATH.
    Raises: CheckError for a given one that does not start.
    """
    given, folders = ([place.absolute() for place in places if kind(place)] for kind in (Path.is_file, Path.is_dir))
    if lost := [str(place) for place in places if not place.exists()]:
        raise CheckError(f"no Python and no folder: {', '.join(lost)}")
    found = {said([str(python), "-c", WHO], ROOT).strip(): python for python in given or [Path(sys.executable)]}
    path = os.pathsep.join([*(str(one / within) for one in folders for within in ("", "bin")), os.environ["PATH"]])
    for minor in () if given else (minor for minor in MINORS if allowed.contains(f"3.{minor}")):
        if newest := shutil.which(f"python3.{minor}", path=path):
            with suppress(CheckError):  # a shim of a version that is not there, or a Python without venv
                found.setdefault(said([newest, "-c", WHO], ROOT).strip(), Path(newest))
                break
    return found


def passes(version: str, python: Path, packages: list[Path], folder: Path) -> bool:
    """Whether each package works with this Python, installed one after the other; says how long what took."""
    place = folder / f"python-{version}"
    try:
        said([str(python), "-m", "venv", str(place)], folder)
        for package in packages:
            kind = "wheel" if package.suffix == ".whl" else "sdist"
            print(f"Python {version}, {kind}: {', '.join(try_out(place, package))}", flush=True)
    except CheckError as error:
        print(f"Python {version}: FAILED: {error}", flush=True)
        return False
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return True


def try_out(place: Path, package: Path) -> Iterator[str]:
    """Install a package into an environment and use it from an empty folder. Raises: CheckError."""
    commands = place / ("Scripts" if os.name == "nt" else "bin")
    empty = Path(tempfile.mkdtemp(dir=place))
    pip = [str(commands / "python"), "-m", "pip", "--disable-pip-version-check", "-q"]

    def timed(title: str, command: list[str], *words: str, limit_s: int = COMMAND_S) -> str:
        begun_s = time.monotonic()
        text = said(command, empty, limit_s)
        for word in words:
            if word not in text:
                raise CheckError(f"{title} did not say {word}:\n{text}")
        return f"{title} {time.monotonic() - begun_s:.1f} s"

    said([*pip, "uninstall", "-y", "live-faceswap"], empty)
    yield timed("installed in", [*pip, "install", str(package)], limit_s=INSTALL_S)
    timed("import", [str(commands / "python"), "-c", WHERE], str(place))
    live = str(commands / "live")
    for arguments, word in (("--version", "live "), ("presets", "fast"), ("doctor", "masker"), ("licences", "GPL")):
        yield timed(arguments, [live, arguments], word)
    demo = ["--preset", "fast", "--input", "demo", "--output", "out.mp4", "--duration", SECONDS]
    yield timed("demo to file", [live, *demo])
    yield timed("file to file", [live, "--input", "out.mp4", "--output", "again.mkv", "--face", "bruno"])
    frames = [int(said([str(commands / "python"), "-c", DECODE, name], empty)) for name in ("out.mp4", "again.mkv")]
    if frames[0] < FRAMES_LEAST or frames[1] != frames[0]:
        raise CheckError(f"decoded {frames[0]} frames of the demo in {SECONDS} s, and {frames[1]} of that file swapped")
    yield f"{frames[0]} frames decoded, twice"


def said(command: list[str], folder: Path, limit_s: int = COMMAND_S) -> str:
    """What a command prints, run in a folder. Raises: CheckError with its last lines, or when it takes too long."""
    own = ("LIVE_", "PYTHON", "VIRTUAL_ENV")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(own)}
    environment |= {"PYTHONNOUSERSITE": "1", "LIVE_HOME": str(folder / "home")}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=limit_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CheckError(str(error)) from None
    out, err = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
    if done.returncode:
        last = (out + err).strip().splitlines()[-15:]
        raise CheckError("\n  ".join([f"{' '.join(command)} ended with {done.returncode}:", *last]))
    return out


if __name__ == "__main__":
    sys.exit(main())
