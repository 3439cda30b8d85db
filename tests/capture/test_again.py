"""A capture that is lost and comes back."""

import threading

from live.capture.again import Again
from live.errors import CaptureError, UsageError
from live.values import Frame

from ..parts import PaintedCapture


class Shop:
    """Gives one capture after the other; a LiveError in the list is a try that fails."""

    def __init__(self, *goods):
        self._goods = list(goods)
        self.tries = 0
        self.tried = threading.Event()

    def open(self):
        self.tries += 1
        self.tried.set()
        goods = self._goods.pop(0) if len(self._goods) > 1 else self._goods[0]
        if isinstance(goods, Exception):
            raise goods
        return goods


def failing(frames, at):
    capture = PaintedCapture(frames)
    capture.fault, capture.fault_at = CaptureError("the camera is unplugged"), at
    return capture


def test_frames_go_on_with_the_next_number_after_a_loss(caplog):
    shop = Shop(CaptureError("not there"), UsageError("no such camera"), PaintedCapture(3))
    capture = Again(failing(10, at=2), shop.open, endless=False)
    frames = []
    while (item := capture.read()) is not None:
        frames.append(item)
    assert all(isinstance(frame, Frame) for frame in frames)
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]
    assert shop.tries == 3
    assert [line.partition(";")[0] for line in caplog.messages if "unplugged" in line] == ["the camera is unplugged"]


def test_the_end_of_a_stream_is_waited_out_when_somebody_watches():
    capture = Again(PaintedCapture(2), Shop(PaintedCapture(5)).open, endless=True)
    assert [capture.read().number for _ in range(4)] == [0, 1, 2, 3]
    capture.close()
    assert capture.read() is None


def test_the_end_of_a_stream_ends_a_recording():
    capture = Again(PaintedCapture(1), Shop(PaintedCapture(5)).open, endless=False)
    assert capture.read() is not None
    assert capture.read() is None


def test_closing_ends_the_waiting_at_once():
    shop = Shop(CaptureError("not there"))
    capture = Again(failing(10, at=0), shop.open, endless=True)
    ended = threading.Thread(target=capture.read)
    ended.start()
    assert shop.tried.wait(5.0)
    capture.close()
    ended.join(2.0)
    assert not ended.is_alive()


def test_closing_does_not_wait_for_a_device_that_hangs_while_it_is_opened():
    opening, hangs, late = threading.Event(), threading.Event(), PaintedCapture(1)

    def hang():
        opening.set()
        hangs.wait(30.0)
        return late

    capture = Again(failing(10, at=0), hang, endless=True)
    ended = threading.Thread(target=capture.read)
    ended.start()
    assert opening.wait(5.0)
    capture.close()
    ended.join(2.0)
    assert not ended.is_alive()
    hangs.set()
    assert late._closed.wait(5.0), "what was opened too late has to be closed"


def test_a_device_that_stays_away_is_told_once_at_first(caplog):
    shop = Shop(*[CaptureError("not there")] * 5, PaintedCapture(1))
    capture = Again(failing(10, at=0), shop.open, endless=False)
    assert capture.read() is not None
    assert len([line for line in caplog.messages if "waiting for it" in line]) == 1
