"""Numbered pictures, who sends them, and what of them arrived."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from live.output.contract import Format, Output
from live.pixels.host import bgr_frame, convert, plane_shapes
from live.pixels.slate import draw_slate
from live.values import Frame, PixelFormat

from .v4l2 import OUTPUT, S_PARM, STREAMON, opened, set_format

FOURCC = {
    PixelFormat.NV12: "NV12",
    PixelFormat.I420: "YU12",
    PixelFormat.YUYV: "YUYV",
    PixelFormat.BGR: "BGR3",
}


def packed(frame: Frame) -> bytes:
    """A picture as a device holds it: plane after plane."""
    return b"".join(plane.tobytes() for plane in frame.planes)


def without_odd_ends(frame: Frame) -> Frame:
    """I420 of an odd size as devices take it: without the last column and row. Other frames as they are."""
    if frame.format is not PixelFormat.I420:
        return frame
    width_px, height_px = frame.width_px // 2 * 2, frame.height_px // 2 * 2
    luma, *chroma = frame.planes
    planes = (luma[:height_px, :width_px], *(plane[: height_px // 2, : width_px // 2] for plane in chroma))
    return replace(frame, planes=planes, width_px=width_px, height_px=height_px)


def slate_of(format: PixelFormat, width_px: int, height_px: int) -> bytes:
    """The slate as a device holds it."""
    return packed(convert(bgr_frame(draw_slate(width_px, height_px), time_s=0, number=0), format))


def swapped_colours(picture: bytes) -> bytes:
    """BGR as RGB."""
    return np.frombuffer(picture, np.uint8).reshape(-1, 3)[:, ::-1].tobytes()


class Pictures:
    """A few different pictures of noise that repeat for ever; each can be told from its bytes."""

    def __init__(self, format: PixelFormat, width_px: int, height_px: int, count: int = 32, fourcc: str = "") -> None:
        """`fourcc`: how a device shall hold them, where that is not their own format."""
        self.format, self.width_px, self.height_px, self.count = format, width_px, height_px, count
        self.fourcc = fourcc or FOURCC[format]
        self.frames = [self._frame(number) for number in range(count)]
        self.packed = [packed(without_odd_ends(frame)) for frame in self.frames]
        self.slate = slate_of(format, width_px - width_px % 2, height_px - height_px % 2)
        if self.fourcc == "RGB3":
            *self.packed, self.slate = (swapped_colours(picture) for picture in (*self.packed, self.slate))
        self._numbers = {picture: number for number, picture in enumerate(self.packed)}

    def _frame(self, number: int) -> Frame:
        noise = np.random.default_rng(number)
        shapes = plane_shapes(self.format, self.width_px, self.height_px)
        planes = tuple(noise.integers(0, 256, shape, np.uint8) for shape in shapes)
        return Frame(planes, self.format, self.width_px, self.height_px, 0.0, number)

    def format_at(self, fps: float) -> Format:
        """What an output is told that will get them."""
        return Format(self.width_px, self.height_px, fps, self.format, self.frames[0].colour, live=True)

    def numbers_of(self, pictures: Sequence[bytes]) -> list[int]:
        """Which pictures these are; they must be ours, to the bit.

        An emulated processor on a busy host stalls for half a second at times. Then the slate has to be shown, and the
        driver, which has two buffers, lets a reader that stalls find one half overwritten by the next but one. Few of
        either are left out.
        """
        ours = [picture for picture in pictures if picture != self.slate]
        whole = [picture for picture in ours if picture in self._numbers or not self._is_torn(picture)]
        numbers = [self._numbers.get(picture, -1) for picture in whole]
        assert -1 not in numbers, f"pictures {numbers} (-1: none that was sent)"
        assert len(pictures) <= 2 * len(whole), f"{len(pictures)} pictures, {len(ours)} not slate, {len(whole)} whole"
        return numbers

    def _is_torn(self, picture: bytes) -> bool:
        """Whether it begins as one of ours and goes on as another to its end."""
        seen = np.frombuffer(picture, np.uint8)
        if len(picture) != len(self.packed[0]):
            return False
        same = np.stack([seen == np.frombuffer(whole, np.uint8) for whole in self.packed])
        beginning = np.logical_and.accumulate(same, axis=1).sum(axis=1).max()
        end = np.logical_and.accumulate(same[:, ::-1], axis=1).sum(axis=1).max()
        return bool(beginning + end >= len(picture))

    def check_order(self, numbers: Sequence[int]) -> None:
        """No picture came after a later one. (A camera may repeat one and leave one out.)"""
        steps = [(after - before) % self.count for before, after in pairwise(numbers)]
        assert all(step < self.count // 2 for step in steps), f"out of order: {numbers}"


class Show:
    """Gives something a picture at a fixed rate on a thread of its own, until it is stopped."""

    def __init__(self, send: Callable[[int], None], fps: float) -> None:
        self.sent = 0
        self.error: BaseException | None = None
        self._send, self._period_s = send, 1.0 / fps
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="show", daemon=True)
        self._thread.start()

    def has_sent(self, count: int) -> bool:
        return self.sent >= count

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + self._period_s, time.monotonic())
            try:
                self._send(self.sent)
            except BaseException as error:
                self.error = error
                return
            self.sent += 1

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5.0)
        assert not self._thread.is_alive(), "sending does not return"
        if self.error is not None:
            raise self.error

    def __enter__(self) -> Show:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextlib.contextmanager
def showing(output: Output, pictures: Pictures, fps: float) -> Iterator[Show]:
    """An output that is given the pictures all the time."""

    def send(number: int) -> None:
        frame = pictures.frames[number % pictures.count]
        output.send(replace(frame, number=number, time_s=time.monotonic()))

    with Show(send, fps) as show:
        yield show


class Writer:
    """Feeds a virtual camera as other programs do, or plays a webcam by it."""

    def __init__(
        self, device: str, width_px: int, height_px: int, fourcc: str, fps: float = 30.0, *, streamon: bool = True
    ) -> None:
        self.descriptor = opened(device, os.O_RDWR)
        set_format(self.descriptor, OUTPUT, width_px, height_px, fourcc)
        interval = struct.pack("=IIIII", OUTPUT, 0, 0, 1000, round(fps * 1000))
        fcntl.ioctl(self.descriptor, S_PARM, interval.ljust(204, b"\0"))
        if streamon:
            with contextlib.suppress(OSError):  # 0.15 does not want it
                fcntl.ioctl(self.descriptor, STREAMON, struct.pack("=i", OUTPUT))

    def send(self, picture: bytes) -> None:
        os.write(self.descriptor, picture)

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


@contextlib.contextmanager
def webcam(device: str, fourcc: str, size: tuple[int, int], pictures: Sequence[bytes], fps: float) -> Iterator[Show]:
    """A camera that sends these pictures in turn."""
    writer = Writer(device, *size, fourcc, fps)
    try:
        with Show(lambda number: writer.send(pictures[number % len(pictures)]), fps) as show:
            yield show
    finally:
        writer.close()
