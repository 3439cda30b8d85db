"""A contact sheet of the embedded people: the demo person as captured, the source face, the result.

`python -m live.bench.sheet FILE.jpg`. Composite people only, so that the picture may be shown anywhere.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from live.capture.contract import Wanted
from live.capture.demo import open as open_demo
from live.config import load_preset
from live.faces.gallery import Gallery
from live.meter import Meter
from live.pixels import host
from live.privacy import Rules, Watch
from live.studio import build_engine, build_masker, build_tracker
from live.swap.pipeline import Pipeline
from live.values import Frame, Pixels, Settings, SourceFace

PAIRS = (("jonas", "ada"), ("emeka", "goran"), ("hana", "freya"), ("ines", "dalia"))
WARM_UP = 40
SIDE_PX = 300


def draw_sheet(pairs: tuple[tuple[str, str], ...] = PAIRS) -> Pixels:
    """One column per (target, source) pair: captured, source face, result.  Returns: (H, W, 3) BGR."""
    return np.hstack([_column(target, Gallery(None).get(source)) for target, source in pairs])


def _column(target: str, source: SourceFace) -> Pixels:
    preset = load_preset("balanced", ["engine=mesh", "restorer=none"])
    engine = build_engine(preset)
    engine.prepare(source)
    pipeline = Pipeline(build_tracker(preset), engine, Watch(Rules()), Meter(), build_masker(preset))
    capture = open_demo(target, Wanted(width_px=1280, height_px=720, fps=30, live=False))
    settings = Settings(source=source, shape=preset.swap.shape)
    for number in range(WARM_UP):
        frame = capture.read()
        assert isinstance(frame, Frame)
        before = host.to_bgr(host.duplicate(frame))
        swapped = pipeline.process(frame, settings, number / 30)
    capture.close()
    x1, y1, x2, y2 = (int(v) for v in swapped.faces[0].box)
    reach = (y2 - y1) * 9 // 10
    middle_x, middle_y = (x1 + x2) // 2, (y1 + y2) // 2
    part = np.s_[max(middle_y - reach, 0) : middle_y + reach, max(middle_x - reach, 0) : middle_x + reach]
    pictures = [before[part], source.image, host.to_bgr(swapped.frame)[part]]
    return np.vstack([cv2.resize(picture, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) for picture in pictures])


if __name__ == "__main__":
    ok, encoded = cv2.imencode(".jpg", draw_sheet(), [cv2.IMWRITE_JPEG_QUALITY, 88])
    Path(sys.argv[1]).write_bytes(encoded.tobytes())
