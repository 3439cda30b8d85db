from __future__ import annotations

import pytest

from live.capture.clock import MediaClock


def times(stamps: list[float | None], period_s: float = 0.04) -> list[float]:
    clock = MediaClock(period_s)
    return [clock.frame_s(stamp) for stamp in stamps]


def test_good_stamps_pass_through() -> None:
    assert times([1.4, 1.44, 1.5, 9.0]) == [1.4, 1.44, 1.5, 9.0]


def test_missing_stamps_follow_the_rate() -> None:
    assert times([None, None, None]) == pytest.approx([0.0, 0.04, 0.08])
    assert times([0.0, None, 0.08]) == pytest.approx([0.0, 0.04, 0.08])


def test_repeated_and_slightly_earlier_stamps_still_rise() -> None:
    assert times([1.0, 1.0, 0.9, 1.1]) == pytest.approx([1.0, 1.001, 1.002, 1.1])


@pytest.mark.parametrize("jump_s", [5000.0, -20.0])
def test_a_jump_of_the_clock_is_closed(jump_s: float) -> None:
    result = times([20.0, 20.04, 20.08 + jump_s, 20.12 + jump_s])
    assert result == pytest.approx([20.0, 20.04, 20.08, 20.12])


def test_a_second_pass_goes_on_where_the_first_ended() -> None:
    clock = MediaClock(0.04)
    first = [clock.frame_s(stamp) for stamp in (1.0, 1.04)]
    clock.restart()
    second = [clock.frame_s(stamp) for stamp in (1.0, 1.04)]
    assert first + second == pytest.approx([1.0, 1.04, 1.08, 1.12])
    assert clock.offset_s == pytest.approx(0.08)
