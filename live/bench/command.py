"""The grammar of `live bench` and what its commands do. What is measured stands in the modules named here."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from live.arguments import Lines, Parser, add_command, count, interrupt, seconds, size_px
from live.bench.precision_wish import add_arguments as add_precision_arguments
from live.bench.precision_wish import wish_of
from live.errors import UsageError
from live.preset import Preset
from live.values import SLOTS_PX, PixelFormat


def add_bench(commands: Any) -> None:
    """Add `bench` with all it can measure."""
    bench = commands.add_parser("bench", help="measure", formatter_class=Lines)
    kinds = bench.add_subparsers(title="what", metavar="WHAT", required=True, parser_class=Parser)
    speed = add_command(kinds, "speed", "frames per second, latency and time per stage, paced and saturated", _speed)
    speed.add_argument(
        "--input", default="demo", metavar="CLIP", help="a video file, decoded in the run, or demo, drawn ahead of time"
    )
    speed.add_argument("--size", metavar="WxH", help="of the demo person (default: the preset's)")
    speed.add_argument("--fps", type=float, help="the same")
    speed.add_argument("--format", choices=[str(format) for format in PixelFormat], help="the same (default i420)")
    speed.add_argument("--faces", type=count, default=1, metavar="N", help="so many demo people side by side")
    speed.add_argument("--preset", default="fast", metavar="NAME|FILE")
    speed.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    speed.add_argument("--seconds", type=seconds, default=20.0, help="measured per mode (default 20)")
    speed.add_argument("--trace", type=Path, metavar="FILE", help="a second of the paced run, for Perfetto")
    speed.add_argument("--soak", type=count, metavar="MINUTES", help="paced only, with the memory of every minute")
    speed.add_argument("--json", type=Path, metavar="FILE")
    camera = add_command(kinds, "camera", "latency, drops and pixels of the virtual camera, read back from it", _camera)
    camera.add_argument("--input", default="pattern", metavar="ADDR", help="default: pattern, a moving test card")
    camera.add_argument("--device", metavar="ADDR", help="virtualcam:LABEL or /dev/videoN (default: the first, live)")
    camera.add_argument("--size", default="1280x720", metavar="WxH")
    camera.add_argument("--fps", type=float, default=30.0)
    camera.add_argument("--format", choices=("auto", "nv12", "i420", "yuyv", "rgb", "bgr"), default="auto")
    camera.add_argument("--seconds", type=seconds, default=20.0, help="measured after a warm-up (default 20)")
    camera.add_argument("--preset", default="pass", metavar="NAME|FILE", help="default pass: nobody is swapped")
    camera.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    camera.add_argument("--json", type=Path, metavar="FILE")
    faces = add_command(kinds, "faces", "landmarks, detection, masks, steadiness, speed on labelled pictures", _faces)
    faces.add_argument("--data", type=Path, required=True, metavar="DIR", help="labelled pictures, see models/training")
    faces.add_argument("--clip-labels", type=Path, metavar="NPZ", help="labels of DIR/clips, see label_clips.py")
    faces.add_argument("--limit", type=count, metavar="N", help="at most N pictures of a set and frames of a clip")
    faces.add_argument("--all", action="store_true", help="pictures that were trained on too")
    faces.add_argument("--models", type=Path, metavar="DIR", help="other weights than the embedded ones")
    faces.add_argument("--preset", default="default", metavar="NAME|FILE")
    faces.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    faces.add_argument("--sheet", type=Path, metavar="PNG", help="draw the worst and some ordinary pictures")
    faces.add_argument("--json", type=Path, metavar="FILE")
    quality = add_command(kinds, "quality", "likeness, expression, flicker and seams of swapped clips", _quality)
    quality.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="with judges/recogniser.onnx, clips/, faces/portraits/"
    )
    quality.add_argument("--clip-labels", type=Path, metavar="NPZ", help="labels of DIR/clips (default: found by live)")
    quality.add_argument("--clips", nargs="+", default=[], metavar="NAME", help="of DIR/clips (default: ten, or all)")
    quality.add_argument("--sources", nargs="+", default=[], metavar="NAME", help="of the portraits (default: four)")
    quality.add_argument("--limit", type=count, default=75, metavar="N", help="frames of a clip (default 75)")
    quality.add_argument("--preset", default="balanced", metavar="NAME|FILE", help="its swap.shape is not used")
    quality.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    quality.add_argument(
        "--sheet", type=Path, metavar="PNG", help="draw captured, source face and results side by side"
    )
    quality.add_argument("--json", type=Path, metavar="FILE")
    compare = add_command(kinds, "compare", "our way of frames against the other programs', same networks", _compare)
    compare.add_argument("--preset", default="fast", metavar="NAME|FILE")
    compare.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="engine=NAME at least")
    compare.add_argument("--seconds", type=seconds, default=5.0, help="of each run (default 5)")
    compare.add_argument("--faces", type=count, default=1, metavar="N")
    compare.add_argument("--rounds", type=count, default=2, metavar="N", help="A B A B (default 2)")
    compare.add_argument("--json", type=Path, metavar="FILE")
    step = add_command(kinds, "step", "a card's time for the captured step, by slot and faces, beside its floor", _step)
    step.add_argument("--preset", default="fast", metavar="NAME|FILE")
    step.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="device=cuda, engine=NAME, ...")
    step.add_argument("--slots", type=int, nargs="+", default=[512, 768], choices=SLOTS_PX, metavar="PX")
    step.add_argument("--faces", type=count, nargs="+", default=[1, 4, 8], metavar="N")
    step.add_argument("--kernels", action="store_true", help="count them")
    step.add_argument("--json", type=Path, metavar="FILE")
    twins = add_command(
        kinds, "twins", "write networks of random weights in the shape of real ones, to measure", _twins
    )
    twins.add_argument("folder", type=Path, help="then: LIVE_MODELS=FOLDER live bench ...")
    twins.add_argument("names", nargs="+", metavar="NAME", help="of `live models list`")
    control = add_command(kinds, "control", "key to picture, panic to slate, frames lost while steering", _control)
    control.add_argument("--input", default="demo", metavar="CLIP", help="one person, paced (default: demo)")
    control.add_argument("--presses", type=count, default=100, metavar="N")
    control.add_argument("--switches", type=count, default=100, metavar="N")
    control.add_argument("--asking", type=seconds, default=60.0, metavar="S", help="asks for the state so long")
    control.add_argument("--preset", default="fast", metavar="NAME|FILE")
    control.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    control.add_argument("--json", type=Path, metavar="FILE")
    precision = add_command(kinds, "precision", "networks at FP16, BF16, TF32 and autocast beside FP32", _precision)
    add_precision_arguments(precision)


def _preset(options: argparse.Namespace, overrides: Sequence[str]) -> Preset:
    from live.auto import load_here

    return load_here(options.preset, overrides)


def _speed(options: argparse.Namespace) -> int:
    from live.bench.speed import Wish, measure, table

    drawn = {"size": options.size, "fps": options.fps, "format": options.format}
    asked = {name: value for name, value in drawn.items() if value is not None}
    if asked and options.input != "demo":
        raise UsageError(f"--{next(iter(asked))} is for --input demo; {options.input} has its own")
    if "size" in asked:
        asked["width_px"], asked["height_px"] = size_px(asked.pop("size"))
    overrides = [*options.set, *(f"capture.{name}={value}" for name, value in asked.items())]
    wish = Wish(options.input, options.seconds, options.faces, options.soak, options.trace)
    report = measure(_preset(options, overrides), wish)
    _give(report, table(report), options.json)
    return 0


def _camera(options: argparse.Namespace) -> int:
    from live.bench.camera import Wish, measure, table

    signal.signal(signal.SIGTERM, interrupt)
    wish = Wish(options.input, options.device, options.size, options.fps, options.format, options.seconds)
    report = measure(_preset(options, [*options.set, *wish.overrides()]), wish)
    _give(report, table(report), options.json)
    return 0 if report["reader"]["unique"] else 1


def _faces(options: argparse.Namespace) -> int:
    from live.bench.faces import Wish, measure, table

    wish = Wish(
        options.data, options.clip_labels, options.limit, options.all, options.sheet, options.json, options.models
    )
    report = measure(_preset(options, options.set), wish)
    _give(report, table(report), options.json)
    return 0


def _quality(options: argparse.Namespace) -> int:
    from live.bench.quality import Wish, measure, table

    wish = Wish(
        options.data,
        options.clip_labels,
        tuple(options.clips),
        tuple(options.sources),
        options.limit,
        sheet=options.sheet,
        json=options.json,
    )
    report = measure(_preset(options, options.set), wish)
    _give(report, table(report), options.json)
    return 0


def _step(options: argparse.Namespace) -> int:
    from live.bench.step import Wish, measure, table

    wish = Wish(tuple(options.slots), tuple(options.faces), options.kernels)
    report = measure(_preset(options, options.set), wish)
    _give(report, table(report), options.json)
    return 0


def _twins(options: argparse.Namespace) -> int:
    from live.bench.twins.stand_ins import write_stand_ins

    for path in write_stand_ins(options.folder, options.names):
        print(path)
    return 0


def _compare(options: argparse.Namespace) -> int:
    from live.bench.compare import Wish, measure, table

    wish = Wish(options.seconds, options.faces, options.rounds, options.json)
    report = measure(_preset(options, options.set), wish)
    _give(report, table(report), options.json)
    return 0


def _control(options: argparse.Namespace) -> int:
    from live.bench.control import Wish, measure, table

    wish = Wish(options.input, options.presses, options.switches, options.asking)
    report = measure(_preset(options, options.set), wish)
    _give(report, table(report), options.json)
    return 0


def _precision(options: argparse.Namespace) -> int:
    from live.bench.precision import measure, table

    print(table(measure(wish_of(options))))
    return 0


def _give(report: dict[str, Any], table: str, json: Path | None) -> None:
    from live.bench.report import write_json

    print(table)
    if json:
        write_json(report, json)
