import pytest

from live.errors import LiveError, UsageError
from live.output import open_output
from live.values import Sound

from .frames import format_of, noise


def test_it_counts_and_keeps_the_newest_picture():
    output = open_output("null", format_of(noise(0)))
    for number in range(3):
        output.send(noise(number))
    output.sound(Sound(b"", 0.0))
    output.close()
    assert (output.frames, output.sounds, output.last.number) == (3, 1, 2)


def test_a_closed_one_takes_nothing():
    output = open_output("null", format_of(noise(0)))
    output.close()
    with pytest.raises(LiveError):
        output.send(noise(0))


def test_options_are_refused():
    with pytest.raises(UsageError, match="loud"):
        open_output("null:loud", format_of(noise(0)))
