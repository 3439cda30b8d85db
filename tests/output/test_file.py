import itertools
import os
import signal
import subprocess
import sys
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from live import __version__
from live.errors import OutputError, UsageError
from live.output import open_output
from live.output.picture import LOSSLESS
from live.pixels.host import to_bgr
from live.values import Colour, PixelFormat, Sound

from .frames import format_of, noise

UNEVEN_S = [0.0, 0.04, 0.08, 0.2, 0.21, 0.5, 1.1, 1.14, 2.3, 3.3]


def record(path, frames, **more):
    output = open_output(str(path), format_of(frames[0], **more))
    for frame in frames:
        output.send(frame)
    output.close()


def decode(path):
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def samples(picture):
    """Planes of an `av.VideoFrame` without their padding."""
    widths = [plane.width * (4 if picture.format.name == "bgr0" else 1) for plane in picture.planes]
    return [
        np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, :width]
        for plane, width in zip(picture.planes, widths)
    ]


def planar(frame):
    if frame.format is PixelFormat.NV12:
        return [frame.planes[0], frame.planes[1][..., 0], frame.planes[1][..., 1]]
    if frame.format is PixelFormat.YUYV:
        packed = frame.planes[0]
        return [packed[:, : frame.width_px, 0], packed[:, 0::2, 1], packed[:, 1::2, 1]]
    return list(frame.planes)


@pytest.mark.parametrize("size", [(64, 48), (65, 47)], ids=["even", "odd"])
@pytest.mark.parametrize("format", list(PixelFormat))
def test_mkv_gives_every_sample_back(tmp_path, format, size):
    frames = [noise(n, format, *size, media_s=n / 25) for n in range(3)]
    record(tmp_path / "out.mkv", frames)
    pictures = decode(tmp_path / "out.mkv")
    assert len(pictures) == len(frames)
    for frame, picture in zip(frames, pictures):
        assert picture.format.name == LOSSLESS[format]
        got = samples(picture)
        if format is PixelFormat.BGR:
            got = [got[0].reshape(size[1], size[0], 4)[..., :3]]
        for one, other in zip(planar(frame), got):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("ending", "grain_s"), [("mp4", 1e-4), ("mov", 1e-4), ("mkv", 1e-3)])
def test_variable_times_are_kept(tmp_path, ending, grain_s):
    path = tmp_path / f"out.{ending}"
    record(path, [noise(n, media_s=time_s) for n, time_s in enumerate(UNEVEN_S)])
    assert [float(picture.time) for picture in decode(path)] == pytest.approx(UNEVEN_S, abs=grain_s / 2)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_equal_times_still_give_every_picture(tmp_path, ending):
    path = tmp_path / f"out.{ending}"
    record(path, [noise(n, media_s=0.5) for n in range(4)])
    times = [picture.time for picture in decode(path)]
    assert len(times) == 4
    assert sorted(set(times)) == times


def test_a_live_recording_starts_at_zero_and_keeps_arrival_times(tmp_path):
    frames = [noise(n, media_s=77.0) for n in (100, 101, 105)]
    record(tmp_path / "out.mp4", frames, live=True)
    times = [float(picture.time) for picture in decode(tmp_path / "out.mp4")]
    assert times == pytest.approx([0.0, 0.04, 0.2], abs=1e-3)


@pytest.mark.parametrize("format", [PixelFormat.I420, PixelFormat.NV12, PixelFormat.BGR, PixelFormat.YUYV])
def test_mp4_looks_like_what_was_sent(tmp_path, format):
    flat = noise(0, format, 64, 48, media_s=0.0)
    for plane, value in zip(flat.planes, (90, 140, 110)):
        plane[...] = value
    record(tmp_path / "out.mp4", [flat])
    bgr = decode(tmp_path / "out.mp4")[0].to_ndarray(format="bgr24").astype(int)
    assert np.abs(bgr - to_bgr(flat)).max() <= 4


def test_an_odd_size_is_padded_to_even_in_mp4(tmp_path):
    record(tmp_path / "out.mp4", [noise(0, PixelFormat.I420, 65, 47, media_s=0.0)])
    picture = decode(tmp_path / "out.mp4")[0]
    assert (picture.width, picture.height) == (66, 48)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("full_range", [False, True])
def test_colour_is_tagged(tmp_path, ending, matrix, full_range):
    path = tmp_path / f"out.{ending}"
    record(path, [noise(0, media_s=0.0, colour=Colour(matrix, full_range))])
    picture = decode(path)[0]
    assert picture.colorspace == {"bt601": 6, "bt709": 1}[matrix]
    assert picture.color_range == (2 if full_range else 1)


def test_another_size_format_and_colour_is_fitted_to_the_first(tmp_path):
    path = tmp_path / "out.mkv"
    grey = noise(1, PixelFormat.BGR, 48, 48, media_s=0.04)
    grey.planes[0][...] = 128
    bright = noise(2, PixelFormat.I420, 64, 48, media_s=0.08, colour=Colour("bt709", full_range=True))
    bright.planes[0][...], bright.planes[1][...], bright.planes[2][...] = 255, 128, 128
    record(path, [noise(0, media_s=0.0), grey, bright])
    pictures = decode(path)
    assert {(picture.width, picture.height, picture.format.name) for picture in pictures} == {(64, 48, "yuv420p")}
    luma = samples(pictures[1])[0]
    assert abs(int(luma[24, 32]) - 126) <= 1  # 16 + 128 * 219 / 255
    assert luma[24, 2] == 16
    assert abs(int(samples(pictures[2])[0][24, 32]) - 235) <= 1


def test_a_finished_mp4_is_an_ordinary_file(tmp_path):
    path = tmp_path / "out.mp4"
    record(path, [noise(n, media_s=n / 25) for n in range(100)])
    assert b"moof" not in outer_boxes(path)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 100
        assert container.duration == 4_000_000


def outer_boxes(path):
    kinds, data = [], path.read_bytes()
    at = 0
    while at < len(data):
        kinds.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4]) or len(data)
    return kinds


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_the_comment_says_what_made_it_and_the_title_is_kept(tmp_path, ending):
    path = tmp_path / f"out.{ending}"
    record(path, [noise(0, media_s=0.0)], media={"title": "a walk", "comment": "by me", "major_brand": "qt"})
    with av.open(str(path)) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
    assert tags["comment"] == f"face swapped with live {__version__}; by me"
    assert tags["title"] == "a walk"


KILLED = """
import os, signal, sys
sys.path[:0] = [{tests!r}]
from output.frames import format_of, noise
from live.output import open_output
output = open_output(sys.argv[1], format_of(noise(0)))
for number in range(100):
    output.send(noise(number, media_s=number / 25))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_a_killed_run_leaves_a_file_that_plays(tmp_path, ending):
    path = tmp_path / f"out.{ending}"
    tests = os.path.dirname(os.path.dirname(__file__))
    run = subprocess.run([sys.executable, "-c", KILLED.format(tests=tests), str(path)], timeout=60)
    assert run.returncode == -signal.SIGKILL
    times = [float(picture.time) for picture in decode(path)]
    assert len(times) >= 50  # of 100: at most one fragment and what the encoder held
    assert times == pytest.approx([n / 25 for n in range(len(times))], abs=6e-4)


def send_many(output, count):
    for number in range(count):
        output.send(noise(number, media_s=number / 25))


@pytest.fixture
def small_disk():
    """A file-size limit: writing fails in the middle, as on a disk that fills up."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_full_disk_is_one_line_and_what_was_written_plays(tmp_path, ending, small_disk):
    path = tmp_path / f"out.{ending}"
    output = open_output(str(path), format_of(noise(0)))
    small_disk(600_000)
    with pytest.raises(OutputError, match=r"stopped after \d+ pictures: File too large") as error:
        send_many(output, 1000)
    small_disk(-1)
    assert "\n" not in str(error.value)
    output.close()
    with pytest.raises(OutputError):
        output.send(noise(0))
    assert len(decode(path)) >= 25


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_disk_that_fills_up_at_the_end_spoils_nothing(tmp_path, ending, small_disk):
    path = tmp_path / f"out.{ending}"
    output = open_output(str(path), format_of(noise(0)))
    send_many(output, 100)
    small_disk(path.stat().st_size + 1000)
    with pytest.raises(OutputError):
        output.close()
    small_disk(-1)
    output.close()
    assert len(decode(path)) >= 50


def test_an_old_recording_is_left_alone_until_the_first_picture(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")
    open_output(str(path), format_of(noise(0))).close()
    assert path.read_bytes() == b"precious"
    record(path, [noise(0, media_s=0.0)])
    assert len(decode(path)) == 1


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("file:{}/out.avi", ".mkv"),
        ("{}/missing/out.mp4", "missing"),
        ("{}/folder.mp4", "folder"),
        ("file:/dev/null", ".mp4"),
    ],
)
def test_places_that_cannot_be_recorded_into_are_named(tmp_path, address, word):
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(UsageError, match=word):
        open_output(address.format(tmp_path), format_of(noise(0)))


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UsageError, match=str(tmp_path)):
        open_output(str(tmp_path / "out.mp4"), format_of(noise(0)))


def test_pictures_no_encoder_takes_are_refused(tmp_path):
    with pytest.raises(UsageError, match="16384"):
        open_output(str(tmp_path / "out.mp4"), format_of(noise(0, PixelFormat.GRAY, 16385, 2)))


def test_an_encoder_that_does_not_open_is_one_line_and_leaves_no_file(tmp_path):
    path = tmp_path / "out.mp4"
    codec = SimpleNamespace(canonical_name="no such codec", name="no such codec")
    broken = SimpleNamespace(codec_context=SimpleNamespace(codec=codec))
    output = open_output(str(path), format_of(noise(0), sound=broken))
    with pytest.raises(OutputError, match="cannot record into"):
        output.send(noise(0, media_s=0.0))
    assert not path.exists()
    output.close()


def test_a_slate_before_the_first_frame_does_not_change_the_format(tmp_path):
    slate = noise(0, PixelFormat.BGR, 32, 32, media_s=0.0)
    frame = noise(1, PixelFormat.NV12, media_s=0.04)
    output = open_output(str(tmp_path / "out.mkv"), format_of(frame))
    output.send(slate)
    output.send(frame)
    output.close()
    picture = decode(tmp_path / "out.mkv")[1]
    for one, other in zip(planar(frame), samples(picture)):
        np.testing.assert_array_equal(one, other)


def tone(path, codec, seconds=2.0, rate_hz=48000):
    """A sound file, and its opened container and packets."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout="stereo")
        wave = (8000 * np.sin(np.arange(int(seconds * rate_hz)) * 0.05)).astype(np.int16)
        resampler = av.AudioResampler(format=stream.format.name, layout="stereo", rate=rate_hz, frame_size=1024)
        for at in range(0, len(wave), 1024):
            piece = av.AudioFrame.from_ndarray(wave[None, at : at + 1024], format="s16", layout="mono")
            piece.sample_rate, piece.pts, piece.time_base = rate_hz, at, Fraction(1, rate_hz)
            for chunk in resampler.resample(piece):
                container.mux(stream.encode(chunk))
        container.mux(stream.encode(None))
    container = av.open(str(path))
    return container, [packet for packet in container.demux(audio=0) if packet.dts is not None]


def sound_packets(path):
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.dts is not None]
        return container.streams.audio[0].codec_context.codec.canonical_name, packets


@pytest.mark.parametrize(("codec", "ending"), [("aac", "mp4"), ("aac", "mov"), ("flac", "mkv"), ("libopus", "mkv")])
def test_sound_is_copied_bit_for_bit(tmp_path, codec, ending):
    source, packets = tone(tmp_path / "tone.mkv", codec)
    given = [(bytes(packet), packet.pts * packet.time_base) for packet in packets if packet.pts >= 0]
    output = open_output(str(tmp_path / f"out.{ending}"), format_of(noise(0), sound=source.streams.audio[0]))
    for packet in packets:  # all before the first picture: they wait for it
        output.sound(Sound(packet, float(packet.pts * packet.time_base)))
    for number in range(50):
        output.send(noise(number, media_s=number / 25))
    output.close()
    source.close()
    name, got = sound_packets(tmp_path / f"out.{ending}")
    assert name == codec.removeprefix("lib")
    assert [bytes(packet) for packet in got] == [data for data, _ in given]
    for packet, (_, time) in zip(got, given):
        assert float(packet.pts * packet.time_base) == pytest.approx(float(time), abs=1.1e-3)
    assert len(decode(tmp_path / f"out.{ending}")) == 50


def test_sound_the_container_does_not_take_becomes_aac_in_time(tmp_path):
    source, packets = tone(tmp_path / "tone.wav", "pcm_s16le")
    output = open_output(str(tmp_path / "out.mp4"), format_of(noise(0), sound=source.streams.audio[0]))
    output.send(noise(0, media_s=0.0))
    for packet in packets:
        output.sound(Sound(packet, 0.5 + float(packet.pts * packet.time_base)))
    output.send(noise(1, media_s=2.5))
    output.close()
    source.close()
    with av.open(str(tmp_path / "out.mp4")) as container:
        pieces = list(container.decode(audio=0))
    assert pieces[0].format.name == "fltp"
    assert float(pieces[0].time) == pytest.approx(0.5, abs=0.03)
    assert sum(piece.samples for piece in pieces) / 48000 == pytest.approx(2.0, abs=0.05)


def test_a_hole_in_turned_sound_stays_a_hole(tmp_path):
    source, packets = tone(tmp_path / "tone.wav", "pcm_s16le")
    output = open_output(str(tmp_path / "out.mp4"), format_of(noise(0), sound=source.streams.audio[0]))
    output.send(noise(0, media_s=0.0))
    for packet in packets:
        media_s = float(packet.pts * packet.time_base)
        output.sound(Sound(packet, media_s if media_s < 1 else media_s + 1))
    output.close()
    source.close()
    with av.open(str(tmp_path / "out.mp4")) as container:
        times = [float(piece.time) for piece in container.decode(audio=0)]
    assert max(later - sooner for sooner, later in itertools.pairwise(times)) == pytest.approx(1.0, abs=0.05)


def test_two_recordings_of_one_input_do_not_disturb_each_other(tmp_path):
    source, packets = tone(tmp_path / "tone.mkv", "aac")
    outputs = [
        open_output(str(tmp_path / name), format_of(noise(0), sound=source.streams.audio[0]))
        for name in ("a.mp4", "b.mkv")
    ]
    before = [(packet.pts, packet.time_base, packet.stream.index) for packet in packets]
    for output in outputs:
        output.send(noise(0, media_s=0.0))
        for packet in packets:
            output.sound(Sound(packet, float(packet.pts * packet.time_base)))
        output.close()
    assert before == [(packet.pts, packet.time_base, packet.stream.index) for packet in packets]
    assert [sound_packets(tmp_path / name)[0] for name in ("a.mp4", "b.mkv")] == ["aac", "aac"]
