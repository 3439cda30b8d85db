"""The command line: reads it, configures logging, hands the parts to the session and tells the user what happens.

A user's mistake ends with one line and exit code 2, other failures with one line and 1; a traceback is a bug of ours.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

# Before OpenCV: both wheels carry a libxcb. With OpenCV's first, grabbing a screen through PyAV crashes the process;
# with PyAV's first, OpenCV's windows do not open, which is why they live in a process of their own.
import av as av

from live import __version__
from live.arguments import Lines, Parser, add_command, interrupt, seconds
from live.bench.command import add_bench
from live.config import load_preset, preset_names
from live.control.ctl import add_ctl
from live.errors import LiveError
from live.nets.command import add_models

log = logging.getLogger("live")

EPILOG = """Examples:
  live --preset fast                        first camera (else the demo person) to the virtual camera (else window, web)
  live --input talk.mp4 --output swapped.mp4 --face ada
  live --face me.jpg --consent self --output window
  live faces add me.jpg --name me --consent self
Keys while running: n next face, b previous, 1-9 face, p panic, space pause, h help, q quit. From other programs:
ctrl+alt+n, b, p, space; `live ctl` says commands to a running live; the control page's address is told at the start.
Swapped pictures carry a badge. Put on only faces whose owners agreed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program. Returns the exit code."""
    verbose = "--verbose" in (sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("live").setLevel(logging.DEBUG if verbose else logging.INFO)
    try:
        options = parser().parse_args(arguments)
        code: int = options.run(options)
        return code
    except LiveError as error:
        print(f"live: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1


def program() -> NoReturn:
    """The command `live`: runs the program and ends the process.

    A thread that still makes a network ready cannot be stopped inside a library. An interpreter that ends in order cuts
    it down there: torch then aborts the process (134), and one that waits for a hanging card would never end.
    """
    code = main()
    if any(thread.daemon for thread in threading.enumerate()):
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # nobody listens any more
                stream.flush()
        os._exit(code)
    sys.exit(code)


def parser() -> Parser:
    """The whole grammar."""
    top = Parser(prog="live", description="Real-time face swap.", epilog=EPILOG, formatter_class=Lines)
    top.add_argument("--version", action="version", version=f"live {__version__}")
    _add_run(top)
    top.set_defaults(run=_run)
    commands = top.add_subparsers(title="other commands", metavar="COMMAND", parser_class=Parser)
    add_command(commands, "devices", "list cameras and virtual cameras", _devices)
    add_command(commands, "presets", "list presets", _presets)
    add_command(commands, "doctor", "say what was found, what is missing, and the command that mends it", _doctor)
    licences = add_command(commands, "licences", "the licence of everything that live was installed with", _licences)
    licences.add_argument("--files", action="store_true", help="with the paths of the licences' texts")
    licences.add_argument("--json", type=Path, metavar="FILE", help="write them to a file, too")
    _add_faces(commands)
    add_models(commands)
    add_ctl(commands)
    add_bench(commands)
    return top


def _add_run(to: Parser) -> None:
    to.add_argument("--preset", default="default", metavar="NAME|FILE", help="`live presets` lists them")
    to.add_argument(
        "--input", metavar="ADDR", help="camera[:NAME], demo, pattern, FILE, screen, URL (default: camera, else demo)"
    )
    to.add_argument(
        "--output", action="append", default=[], metavar="ADDR",
        help="virtualcam, window, web[:PORT], FILE.mp4, FILE.mkv, URL, null; may be given several times",
    )  # fmt: skip
    to.add_argument(
        "--face", action="append", default=[], metavar="NAME|FILE",
        help="the source face: a name of the gallery, or a photo; given several times: for the 1st, 2nd ... person",
    )  # fmt: skip
    to.add_argument("--consent", metavar="TEXT", help='for a photo: "self", or who agreed, when and how')
    to.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of the preset")
    to.add_argument("--pace", choices=("real", "max"), help="files: like a camera, or every frame as fast as it goes")
    to.add_argument("--duration", type=seconds, metavar="S", help="end after so many seconds")
    to.add_argument(
        "--status", choices=("auto", "json"), default="auto",
        help="auto: lines that stay put on a terminal, a line now and then elsewhere; json: JSON lines on stdout",
    )  # fmt: skip
    to.add_argument("--verbose", action="store_true", help="say more")


def _add_faces(commands: Any) -> None:
    faces = commands.add_parser("faces", help="the gallery of source faces", formatter_class=Lines)
    verbs = faces.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=Parser)
    add_command(verbs, "list", "list the source faces", _faces_list)
    add = add_command(verbs, "add", "add a person to the gallery, from one photo or several", _faces_add)
    add.add_argument("photo", type=Path, help="from the front, in even light")
    add.add_argument("more", type=Path, nargs="*", help="up to 7 further photos of the same person, also from the side")
    add.add_argument("--name", help="default: the first file's name")
    add.add_argument("--consent", default="", help='"self", or who agreed, when and how')
    remove = add_command(verbs, "remove", "remove a face from the gallery", _faces_remove)
    remove.add_argument("name")
    check = add_command(verbs, "check", "say whether a photo can serve", _faces_check)
    check.add_argument("photo", type=Path)


def _run(options: argparse.Namespace) -> int:
    from live.ends import Ask
    from live.onair import run

    preset = load_preset(options.preset, options.set)
    ask = Ask(
        options.input, tuple(options.output), tuple(options.face), options.consent, options.pace, options.duration
    )
    signal.signal(signal.SIGTERM, interrupt)
    return run(preset, ask, options.preset, options.set, options.status)


def _devices(options: argparse.Namespace) -> int:
    from live.doctor import device_lines

    print("\n".join(device_lines()))
    return 0


def _presets(options: argparse.Namespace) -> int:
    found = {name: load_preset(name) for name in preset_names()}
    tests = [name for name, preset in found.items() if preset.privacy.unproven == "pass"]
    for name in sorted(found, key=lambda name: name in tests):
        if name in tests[:1]:
            print("\nnot for calls:")
        print(f"{name:10} {found[name].about}")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from live.doctor import findings

    found = findings()
    for finding in found:
        print(finding)
    return 0 if all(finding.fine or not finding.needed for finding in found) else 1


def _licences(options: argparse.Namespace) -> int:
    from live.bench.report import write_json
    from live.licences import as_json, lines, parts

    found = parts()
    print("\n".join(lines(found, files=options.files)))
    if options.json:
        write_json(as_json(found), options.json)
    return 0


def _faces_list(options: argparse.Namespace) -> int:
    from live.faces.gallery import Gallery

    for name, consent in Gallery(None).listing():
        print(f"{name:20} {consent}")
    return 0


def _faces_add(options: argparse.Namespace) -> int:
    from live.faces.gallery import Gallery
    from live.studio import look_at_photos

    name = options.name or options.photo.stem
    face = Gallery(None).add(options.photo, name, options.consent, look_at_photos(), options.more)
    made_of = f" from {1 + len(face.more)} photos" if face.more else ""
    print(f"added {face.name}{made_of}; put it on with --face {face.name}")
    return 0


def _faces_remove(options: argparse.Namespace) -> int:
    from live.faces import shelf
    from live.faces.gallery import Gallery

    Gallery(None).remove(options.name)
    shelf.clear()  # what was made of the face goes with it
    print(f"removed {options.name}")
    return 0


def _faces_check(options: argparse.Namespace) -> int:
    from live.faces.gallery import Gallery
    from live.studio import look_at_photos

    wrong = Gallery(None).check(options.photo, look_at_photos())
    print("\n".join(wrong) if wrong else f"{options.photo} can serve as a source face")
    return 2 if wrong else 0


if __name__ == "__main__":
    program()
