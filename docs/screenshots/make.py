"""Make the pictures of other programs for the documentation, from the programs themselves: see README.md here."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from picture import PictureError

DOCS = Path(__file__).resolve().parents[1]
MACHINE = DOCS.parent / "tests" / "vm" / "virtualcam_vm.sh"


def main() -> int:
    """Make one picture. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", choices=("chromium", "obs"))
    parser.add_argument("--target", type=Path, help="default: docs/PROGRAM.png")
    parser.add_argument("--machine", type=Path, default=MACHINE, help="script that boots the virtual machine")
    options = parser.parse_args()
    target = options.target or DOCS / f"{options.program}.png"
    began_s = time.monotonic()
    try:
        if options.program == "chromium":
            import chromium

            chromium.make(options.machine, target)
        else:
            import obs

            obs.make(target)
    except PictureError as error:
        raise SystemExit(f"{error}; nothing was saved") from None
    except FileNotFoundError as error:
        raise SystemExit(f"{error.filename} is missing; README.md here says what to install") from None
    print(f"took {time.monotonic() - began_s:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
