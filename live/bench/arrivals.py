"""What a reader got from a device, and what that says about the way there. Pure arithmetic.

Everything comes from the counters burnt into the pictures and the reader's own clock: nothing that the program counted
about itself is used.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from live.meter import percentiles_ms

Table = NDArray[np.float64]
"""(N, 5), a row per picture in the order of arrival: number (-1: no counter), capture time s, arrival s, the driver's
time stamp s (nan: none), bytes that differ from what was expected (-1: not compared). Times: monotonic."""
COLUMNS = 5
NO_COUNTER = NOT_COMPARED = -1.0
SAME_CLOCK_S = 10.0
"""Stamps that lie so near before the arrivals were taken from the same clock, the monotonic one."""


def packed(values: Any) -> str:
    """Rows, one after the other as float64, in text."""
    return base64.b64encode(bytes(memoryview(values).cast("B"))).decode("ascii")


def unpacked(text: str) -> Table:
    """The rows that `packed` was given. Raises: ValueError when it is none of its texts."""
    return np.frombuffer(base64.b64decode(text, validate=True), np.float64).reshape(-1, COLUMNS)


def statistics(arrivals: Table, begin_s: float, end_s: float) -> dict[str, Any]:
    """Numbers about the pictures that arrived in a window of time.

    A picture is new when its number is higher than all before, repeated when it is the highest again, reordered when
    it is lower; dropped are the numbers between the lowest and the highest that never came. Latency is from capture to
    arrival of each new picture, the interval lies between two of them; `driver_ms` is the last part of the latency,
    from the driver's time stamp on, empty where the driver has another clock.
    """
    rows = arrivals[(arrivals[:, 2] >= begin_s) & (arrivals[:, 2] < end_s)]
    counted = rows[rows[:, 0] != NO_COUNTER]
    numbers = counted[:, 0]
    highest = np.concatenate([[-np.inf], np.maximum.accumulate(numbers)[:-1]]) if len(numbers) else numbers
    new = counted[numbers > highest]
    unique = len(np.unique(numbers))
    sent = int(numbers.max() - numbers.min()) + 1 if unique else 0
    compared = rows[rows[:, 4] != NOT_COMPARED]
    stamps = rows[:, 3]
    waited_s = new[:, 2] - new[:, 3]
    same_clock = bool(len(new)) and 0 <= float(np.median(waited_s)) < SAME_CLOCK_S  # never with nan
    seconds = max(end_s - begin_s, 1e-6)
    return {
        "seconds": round(end_s - begin_s, 3),
        "pictures": len(rows),
        "unique": unique,
        "unique_fps": round(unique / seconds, 2),
        "dropped": sent - unique,
        "dropped_percent": round(100 * (sent - unique) / max(sent, 1), 3),
        "repeated": int((numbers == highest).sum()),
        "reordered": int((numbers < highest).sum()),
        "without_counter": len(rows) - len(counted),
        "compared": len(compared),
        "wrong": int((compared[:, 4] > 0).sum()) if len(compared) else None,
        "stamps_rising": bool((np.diff(stamps) > 0).all()) if len(rows) > 1 and not np.isnan(stamps).any() else None,
        "latency_ms": percentiles_ms(list(new[:, 2] - new[:, 1])),
        "driver_ms": percentiles_ms(list(waited_s)) if same_clock else {},
        "interval_ms": percentiles_ms(list(np.diff(new[:, 2]))),
    }
