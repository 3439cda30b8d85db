"""The virtual camera in Chromium, as a meeting shows it: with the real driver, in a virtual machine.

Here the clip is made and the machine is started; in_the_machine.py runs inside. What comes back is checked: the
camera's name, that the page's video moves, and that it is the clip, in its colours.
"""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import av
from in_the_machine import LABEL
from picture import PictureError, check_moves, check_shown, difference, pictures_of, save, thumbnail
from PIL.Image import Image
from programs import last_words

MEMORY_MIB = 4096
"""With less Chromium does not start in the machine."""
TIMEOUT_S = 480
CLIP_S, CLIP_FPS = 4.0, 15


def make(machine: Path, target: Path) -> None:
    """Make the picture.

    Args: machine the script that boots one.
    Raises: PictureError; SystemExit when the machine fails; FileNotFoundError without the script.
    """
    if not machine.is_file():
        raise FileNotFoundError(errno.ENOENT, "no such script", str(machine))
    with tempfile.TemporaryDirectory(prefix="live-chromium-") as name:
        folder = Path(name, "out")
        folder.mkdir()
        clip = _clip(Path(name))
        _run_machine(machine, folder, clip)
        report = json.loads((folder / "report.json").read_text())
        screens = [next(pictures_of(file)) for file in sorted(folder.glob("screen*.xwd"))]
        screen, lines = _best(report, screens, clip)
        # The window ends one pixel before the display does.
        lines.append(save(screen.crop((0, 0, screen.width - 2, screen.height - 2)), target))
    print("\n".join(lines))


def _clip(folder: Path) -> Path:
    """The demo person with another face, recorded in the default size, then unpacked: decoding is slow in there."""
    recorded, clip = folder / "recorded.mp4", folder / "clip.mkv"
    swap = ["--preset", "balanced", "--input", "demo", "--face", "ada", "--set", f"capture.fps={CLIP_FPS}"]
    record = ["--pace", "max", "--duration", f"{CLIP_S:g}", "--output", str(recorded)]
    live = [sys.executable, "-m", "live.cli", *swap, *record]
    subprocess.run(live, check=True, stdout=subprocess.DEVNULL)
    with av.open(str(recorded)) as source, av.open(str(clip), "w") as target:
        packed = source.streams.video[0]
        raw = target.add_stream("rawvideo", rate=CLIP_FPS)
        raw.width, raw.height, raw.pix_fmt = packed.width, packed.height, "yuv420p"
        raw.codec_context.colorspace = packed.codec_context.colorspace
        raw.codec_context.color_range = packed.codec_context.color_range
        for frame in source.decode(packed):
            target.mux(raw.encode(frame))
        target.mux(raw.encode(None))
    return clip


def _run_machine(machine: Path, folder: Path, clip: Path) -> None:
    inside = Path(__file__).with_name("in_the_machine.py")
    options = ["--mem", str(MEMORY_MIB), "--camera", LABEL, "--mount", f"{folder}:rw", "--timeout", str(TIMEOUT_S)]
    command = [str(machine), *options, "--", sys.executable, str(inside), str(folder), str(clip)]
    code = subprocess.run(command).returncode
    if code:
        raise SystemExit(f"{last_words(folder)}the machine ended with {code}")


def _best(report: dict[str, Any], screens: list[Image], clip: Path) -> tuple[Image, list[str]]:
    """The best of several pictures of the screen, and what the page saw, for people. Raises: PictureError."""
    if LABEL not in report["label"]:
        raise PictureError(f"the page's camera is called {report['label']!r}, not {LABEL!r}")
    size = next(pictures_of(clip)).size
    if (report["width"], report["height"]) != size:
        raise PictureError(f"the page sees {report['width']}x{report['height']}, the camera was fed {size}")
    left, top, width, height = report["box"]
    seen = [thumbnail(screen.crop((left, top, left + width, top + height))) for screen in screens]
    given = [thumbnail(picture) for picture in pictures_of(clip)]
    # In the clip's first picture the eyes are open and the mouth is closed.
    best = min(range(len(seen)), key=lambda index: difference(seen[index], given[0]))
    return screens[best], [
        f"{report['browser']}: camera {report['label']!r}, {report['width']}x{report['height']}, "
        f"{report['fps']:.1f} frames per second seen by the page",
        check_shown(seen[best], given, "the page"),
        check_moves(seen[best], seen[best - 1], "the page"),
    ]
