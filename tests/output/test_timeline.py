import dataclasses

import pytest

from live.output.timeline import Timeline

from .frames import noise


def at(timeline: Timeline, media_s: float | None, time_s: float = 0.0) -> float:
    return timeline.frame_s(dataclasses.replace(noise(0), media_s=media_s, time_s=time_s))


def test_a_file_keeps_its_own_uneven_times():
    timeline = Timeline(live=False, fps=25)
    times = [0.08, 0.12, 0.2, 1.7, 1.701]
    assert [at(timeline, time) for time in times] == times


def test_a_broadcast_clock_is_moved_to_zero_and_its_sound_with_it():
    timeline = Timeline(live=False, fps=25)
    assert at(timeline, 5000.0) == 0.0
    assert timeline.sound_s(5000.5) == pytest.approx(0.5)
    assert timeline.sound_s(4999.9) is None


def test_a_clip_that_starts_over_goes_on_where_it_was():
    timeline = Timeline(live=False, fps=25)
    given = [0.0, 1.0, 2.0, 0.0, 1.0]
    assert [at(timeline, time) for time in given] == pytest.approx([0.0, 1.0, 2.0, 2.04, 3.04])
    assert timeline.sound_s(1.0) == pytest.approx(3.04)


def test_something_live_is_timed_by_arrival():
    timeline = Timeline(live=True, fps=30)
    assert [at(timeline, None, time) for time in (70.0, 70.03, 70.5)] == pytest.approx([0.0, 0.03, 0.5])
    assert timeline.sound_s(1.0) is None


def test_live_sound_ignores_jitter_and_follows_a_jump():
    timeline = Timeline(live=True, fps=25)
    at(timeline, 10.0, 100.0)
    at(timeline, 10.04, 100.1)
    assert timeline.sound_s(11.0) == pytest.approx(1.0)
    at(timeline, 3.0, 101.0)
    assert timeline.sound_s(3.0) == pytest.approx(1.0)


def test_sound_has_no_place_before_the_first_picture():
    assert Timeline(live=False, fps=25).sound_s(0.0) is None
