import socket

import pytest

from live.errors import OutputError, UsageError
from live.output import open_output
from live.output.web import PORT, free_port

from .frames import format_of, noise


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_the_slot_keeps_the_newest_picture():
    output = open_output(f"web:{free_port(20_000, 1000)}", format_of(noise(0), live=True))
    assert output.slot.newest()[2] is None
    for number in range(3):
        output.send(noise(number))
    count, put_s, frame = output.slot.newest()
    assert (count, frame.number) == (3, 2)
    assert put_s > 0
    output.close()
    assert output.slot.newest()[2] is None
    with pytest.raises(OutputError):
        output.send(noise(0))


def test_the_default_port_gives_way_to_a_taken_one(taken):
    assert free_port(taken, 5) != taken
    assert PORT <= open_output("web", format_of(noise(0))).port < PORT + 20


def test_a_port_asked_for_and_taken_is_one_line(taken):
    with pytest.raises(OutputError, match=f"port {taken} is taken"):
        open_output(f"web:{taken}", format_of(noise(0)))


@pytest.mark.parametrize("rest", ["http", "0", "65536", "-1", "8910/x", "٣"])
def test_what_is_no_port_is_refused(rest):
    with pytest.raises(UsageError, match="1 to 65535"):
        open_output(f"web:{rest}", format_of(noise(0)))
