from __future__ import annotations

from array import array

import numpy as np
import pytest

from live.bench.arrivals import NO_COUNTER, NOT_COMPARED, packed, statistics, unpacked

PERIOD_S = 1 / 30


def arrivals(*numbers: float, late_s: float = 0.02, wrong: float = 0.0, begin_s: float = 100.0) -> np.ndarray:
    """A picture each period; `number` was captured `late_s` before its first place in time."""
    return np.array(
        [
            (number, begin_s + place * PERIOD_S - late_s, begin_s + place * PERIOD_S, place * PERIOD_S, wrong)
            for place, number in enumerate(numbers)
        ]
    )


def told(rows: np.ndarray, *names: str, begin_s: float = 0.0, end_s: float = 1e6) -> list[object]:
    report = statistics(rows, begin_s, end_s)
    return [report[name] for name in names]


EVENTS = ("pictures", "unique", "dropped", "repeated", "reordered", "without_counter")


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((5, 6, 7, 8), (4, 4, 0, 0, 0, 0)),
        ((5, 6, 8, 11), (4, 4, 3, 0, 0, 0)),
        ((5, 5, 6, 6, 6, 7), (6, 3, 0, 3, 0, 0)),
        ((5, 7, 6, 8), (4, 4, 0, 0, 1, 0)),
        ((5, 7, 6, 7, 8), (5, 4, 0, 1, 1, 0)),
        ((5, 9, 6, 6, 10), (5, 4, 2, 0, 2, 0)),
        ((NO_COUNTER, 5, NO_COUNTER, 6), (4, 2, 0, 0, 0, 2)),
        ((NO_COUNTER, NO_COUNTER), (2, 0, 0, 0, 0, 2)),
        ((), (0, 0, 0, 0, 0, 0)),
        ((0,), (1, 1, 0, 0, 0, 0)),
        ((2**32 - 2, 2**32 - 1), (2, 2, 0, 0, 0, 0)),
    ],
)
def test_events_are_told_from_the_numbers_alone(numbers: tuple[float, ...], expected: tuple[int, ...]) -> None:
    rows = arrivals(*numbers) if numbers else np.empty((0, 5))
    assert told(rows, *EVENTS) == list(expected)


def test_only_the_window_counts() -> None:
    rows = arrivals(*range(0, 300, 2))
    report = statistics(rows, 101.0, 103.0)
    assert report["pictures"] == report["unique"] == 60
    assert report["unique_fps"] == 30.0
    assert report["dropped"] == 59
    assert report["dropped_percent"] == pytest.approx(100 * 59 / 119, abs=0.001)


def test_latency_is_that_of_the_first_arrival_of_each_picture() -> None:
    rows = arrivals(1, 1, 2, 3, late_s=0.025)
    rows[1, 1] -= PERIOD_S  # the repeated picture was captured when the first was
    report = statistics(rows, 0, 1000)
    assert report["latency_ms"] == {"p50": 25.0, "p95": 25.0, "p99": 25.0, "max": 25.0, "mean": 25.0}
    assert report["interval_ms"]["max"] == pytest.approx(2000 * PERIOD_S, abs=0.01)
    assert told(arrivals(NO_COUNTER), "latency_ms", "interval_ms") == [{}, {}]


def test_latency_percentiles() -> None:
    rows = arrivals(*range(1000))
    rows[:, 1] = rows[:, 2] - np.random.default_rng(0).permutation(1000) / 1000
    latency = statistics(rows, 0, 1000)["latency_ms"]
    assert (latency["p50"], latency["p95"], latency["p99"], latency["max"]) == pytest.approx(
        (499.5, 949.05, 989.01, 999), abs=0.01
    )


def test_wrong_pixels_count_among_the_compared_pictures() -> None:
    rows = arrivals(1, 2, 3, 4)
    rows[:, 4] = (0, NOT_COMPARED, 3, 17)
    assert told(rows, "compared", "wrong") == [3, 2]
    assert told(arrivals(1, 2, wrong=NOT_COMPARED), "compared", "wrong") == [0, None]


def test_time_stamps_have_to_rise() -> None:
    rows = arrivals(1, 2, 3)
    assert told(rows, "stamps_rising") == [True]
    rows[2, 3] = rows[1, 3]
    assert told(rows, "stamps_rising") == [False]
    rows[2, 3] = np.nan
    assert told(rows, "stamps_rising") == [None]
    assert told(rows[:1], "stamps_rising") == [None]


def test_the_time_in_the_driver_is_told_where_its_clock_is_ours() -> None:
    rows = arrivals(1, 2, 3)
    assert told(rows, "driver_ms") == [{}]
    rows[:, 3] = rows[:, 2] - 0.004
    assert told(rows, "driver_ms") == [{"p50": 4.0, "p95": 4.0, "p99": 4.0, "max": 4.0, "mean": 4.0}]
    rows[:, 3] = rows[:, 2] + 0.5
    assert told(rows, "driver_ms") == [{}]
    rows[:, 3] = np.nan
    assert told(rows, "driver_ms") == [{}]


def test_rows_travel_exactly() -> None:
    rows = array("d", [2**32 - 1, 12345.678901, 12345.7, float("nan"), -1.0] * 3)
    assert np.array_equal(unpacked(packed(rows)), np.array(rows).reshape(3, 5), equal_nan=True)
    assert unpacked(packed(array("d"))).shape == (0, 5)
    with pytest.raises(ValueError, match=r"."):
        unpacked("not base64!")
