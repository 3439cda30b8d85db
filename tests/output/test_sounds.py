"""Sound between the orders of a pipe."""

import pytest

from live.output import sounds
from live.output.sounds import LEAVE, NEW_PICTURE, Orders, orders_of


@pytest.mark.parametrize("size", [1, sounds.PIECE_BYTES, sounds.PIECE_BYTES + 1, 5000])
@pytest.mark.parametrize("read", [1, 7, 100_000])
def test_packets_come_out_as_they_went_in_however_the_pipe_cuts_them(size, read):
    packets = [(0.5, bytes(range(256)) * 20), (1.25, b"nqs" * size)]
    given = b"".join(NEW_PICTURE + order for at_s, packet in packets for order in orders_of(at_s, packet[:size]))
    orders, found = Orders(), []
    for at in range(0, len(given), read):
        found += orders.read(given[at : at + read])
    assert found == [(at_s, packet[:size]) for at_s, packet in packets]
    assert not orders.dismissed
    assert orders.read(LEAVE) == []
    assert orders.dismissed


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_packet_that_lacks_a_piece_is_left_out_and_the_next_one_is_whole(lost):
    pieces = list(orders_of(1.0, bytes(3 * sounds.PIECE_BYTES)))
    del pieces[lost]
    orders = Orders()
    found = orders.read(b"".join(pieces) + b"".join(orders_of(2.0, b"next")))
    assert (2.0, b"next") in found
    assert all(len(packet) < 3 * sounds.PIECE_BYTES for _, packet in found)
    assert len(found) == 1


def test_every_order_fits_what_a_pipe_takes_whole():
    assert all(len(order) <= 512 for order in orders_of(1.0, bytes(10_000)))
