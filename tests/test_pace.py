import pytest

from live.pace import Ahead, BackOff, EverySoOften


def test_a_repeating_fault_is_told_once_per_interval_with_its_count() -> None:
    often = EverySoOften(1.0)
    assert [often.ready(t) for t in (0.0, 0.1, 0.9, 1.0, 1.5)] == [True, False, False, True, False]
    assert often.held_back == 3


def test_tries_come_at_once_then_further_and_further_apart():
    back_off = BackOff(first_s=0.1, most_s=0.5)
    waits = []
    now_s = 10.0
    assert now_s >= back_off.due_s
    for _ in range(5):
        back_off.failed(now_s)
        waits.append(round(back_off.due_s - now_s, 3))
    assert waits == [0.1, 0.2, 0.4, 0.5, 0.5]
    back_off.worked()
    assert now_s >= back_off.due_s
    back_off.failed(now_s)
    assert round(back_off.due_s - now_s, 3) == 0.1


def test_work_on_the_next_picture_begins_late_and_in_time():
    ahead = Ahead(0.03)
    assert ahead.begin_s == float("-inf")
    ahead.given(10.0, 0.001)
    assert ahead.begin_s == pytest.approx(10.02)  # a third of the time between pictures before it is due
    ahead.given(10.03, 0.010)
    assert ahead.begin_s == pytest.approx(10.06 - 0.022)
    for number in range(200):
        ahead.given(10.06 + 0.03 * number, 0.001)
    assert ahead.begin_s == pytest.approx(10.06 + 0.03 * 199 + 0.02)  # one that took long is forgotten


def test_pictures_that_come_closer_together_than_promised_are_begun_in_time():
    ahead = Ahead(0.04)
    for due_s in (1.0, 1.04, 1.05, 1.09):
        ahead.given(due_s, 0.0)
    assert ahead.begin_s <= 1.10 - 0.01 / 3
    ahead.given(1.09, 0.0)  # two at once: the next may be due already
    assert ahead.begin_s <= 1.09


def test_work_that_takes_longer_than_there_is_time_begins_at_once():
    ahead = Ahead(0.02)
    ahead.given(5.0, 0.03)
    assert ahead.begin_s < 5.0
