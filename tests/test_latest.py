from __future__ import annotations

import threading

from live.latest import Mailbox


def test_the_newest_item_replaces_the_one_not_taken() -> None:
    box = Mailbox[int]()
    assert box.put(1)
    assert not box.put(2)
    assert box.take(0) == 2
    assert box.dropped == 1


def test_a_live_queue_with_room_keeps_what_is_queued_and_drops_the_newest() -> None:
    box = Mailbox[int](2)
    assert [box.put(i) for i in range(4)] == [True, True, False, False]
    assert [box.take(0), box.take(0), box.take(0)] == [0, 1, None]
    assert box.dropped == 2


def test_a_lossless_queue_waits_for_room_and_keeps_order() -> None:
    box = Mailbox[int](2, lossless=True)
    writer = threading.Thread(target=lambda: [box.put(i) for i in range(100)])
    writer.start()
    assert [box.take(5) for _ in range(100)] == list(range(100))
    writer.join(5)
    assert box.dropped == 0


def test_closing_frees_a_waiting_writer() -> None:
    box = Mailbox[int](1, lossless=True)
    box.put(0)
    results: list[bool] = []
    writer = threading.Thread(target=lambda: results.append(box.put(1)))
    writer.start()
    box.close()
    writer.join(5)
    assert results == [False]


def test_closing_frees_a_waiting_reader_and_queued_items_stay() -> None:
    box = Mailbox[int](2)
    box.put(7)
    box.close()
    assert not box.finished
    assert box.take() == 7
    assert box.finished
    assert box.take() is None


def test_waking_returns_a_waiting_reader_without_an_item() -> None:
    box = Mailbox[int]()
    box.wake()
    assert box.take(5) is None
    box.put(1)
    assert box.take(0) == 1
