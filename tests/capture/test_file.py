from __future__ import annotations

import io
import logging
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from live.capture import file
from live.capture.contract import Wanted
from live.errors import CaptureError, UsageError
from live.values import Colour, Frame, PixelFormat

from .media import pattern, read_all, write_h264, write_tone, write_video

FAST = Wanted(live=False)


def test_every_frame_comes_in_order_with_its_own_time(tmp_path: Path) -> None:
    times_s = [0.0, 0.02, 0.1, 0.5, 0.51, 2.0]
    pictures = [pattern(PixelFormat.I420, 64, 48, seed) for seed in range(6)]
    path = write_video(tmp_path / "vfr.mkv", pictures, times_s=times_s)
    frames, _ = read_all(file.open(str(path), FAST))
    assert [frame.number for frame in frames] == list(range(6))
    assert [frame.media_s for frame in frames] == pytest.approx(times_s, abs=0.0011)
    for frame, planes in zip(frames, pictures, strict=True):
        assert all(np.array_equal(got, given) for got, given in zip(frame.planes, planes, strict=True))


def test_frames_with_b_frames_come_in_showing_order(tmp_path: Path) -> None:
    frames, _ = read_all(file.open(str(write_h264(tmp_path / "b.mp4", 30)), FAST))
    levels = [float(frame.planes[0].mean()) for frame in frames]
    assert len(frames) == 30
    assert levels == sorted(levels)
    assert np.diff([frame.media_s for frame in frames]) == pytest.approx(0.04, abs=0.0011)


@pytest.mark.parametrize("format", [PixelFormat.I420, PixelFormat.I422, PixelFormat.I444, PixelFormat.GRAY])
def test_native_formats_are_lossless_through_a_lossless_file(tmp_path: Path, format: PixelFormat) -> None:
    given = pattern(format, 61, 47)
    capture = file.open(str(write_video(tmp_path / "a.mkv", [given], format, size=(61, 47))), FAST)
    assert capture.info.format is format
    frame = capture.read()
    assert isinstance(frame, Frame)
    assert all(np.array_equal(got, plane) for got, plane in zip(frame.planes, given, strict=True))


@pytest.mark.parametrize("name", ["a.avi", "a.nut"])
def test_bgr_is_bit_exact_whichever_way_its_lines_run(tmp_path: Path, name: str) -> None:
    given = pattern(PixelFormat.BGR, 61, 47)
    path = write_video(tmp_path / name, [given], PixelFormat.BGR, size=(61, 47), codec="rawvideo")
    frame = file.open(str(path), FAST).read()
    assert isinstance(frame, Frame)
    assert frame.format is PixelFormat.BGR
    assert np.array_equal(frame.planes[0], given[0])


@pytest.mark.parametrize(("rotation", "quarters"), [(90, 1), (-90, -1), (180, 2)])
def test_a_phone_video_is_given_upright(tmp_path: Path, rotation: int, quarters: int) -> None:
    given = pattern(PixelFormat.I420, 64, 48)
    path = write_video(tmp_path / "phone.mp4", [given], codec="libx264", options={"qp": "0"}, rotation=rotation)
    capture = file.open(str(path), FAST)
    frame = capture.read()
    assert isinstance(frame, Frame)
    expected = (48, 64) if quarters % 2 else (64, 48)
    assert (capture.info.width_px, capture.info.height_px) == (frame.width_px, frame.height_px) == expected
    for got, plane in zip(frame.planes, given, strict=True):
        assert np.array_equal(got, np.rot90(plane, quarters))


def test_colour_tags_arrive(tmp_path: Path) -> None:
    tags = {"colorspace": 1, "color_range": 2}
    path = write_video(tmp_path / "a.mkv", [pattern(PixelFormat.I420, 64, 48)], codec="libx264", tags=tags)
    assert file.open(str(path), FAST).info.colour == Colour("bt709", full_range=True)


def test_wanted_format_is_given_with_a_note(tmp_path: Path) -> None:
    capture = file.open(str(write_h264(tmp_path / "a.mp4")), Wanted(live=False, format=PixelFormat.NV12))
    assert capture.info.format is PixelFormat.NV12
    assert "given as nv12" in capture.info.notes[0]


def test_sound_comes_in_the_containers_order(tmp_path: Path) -> None:
    capture = file.open(str(write_h264(tmp_path / "a.mp4", 50, sound=True)), FAST)
    frames, sounds = read_all(capture)
    assert len(frames) == 50
    assert capture.info.sound.codec_context.name == "aac"
    assert capture.info.sound.codec_context.sample_rate == 16000
    assert 28 <= len(sounds) <= 36  # 2 s of 1024 samples each, plus priming
    times_s = [sound.media_s for sound in sounds]
    assert times_s == sorted(times_s)
    assert times_s[-1] == pytest.approx(2.0, abs=0.15)


def test_looping_keeps_times_and_numbers_rising(tmp_path: Path) -> None:
    capture = file.open(str(write_h264(tmp_path / "a.mp4", 25, sound=True)), Wanted(live=False, loop=True))
    frames, sounds = read_all(capture, most=70)
    capture.close()
    assert [frame.number for frame in frames] == list(range(70))
    assert np.diff([frame.media_s for frame in frames]) == pytest.approx(0.04, abs=0.0011)
    assert capture.info.frames is None
    assert max(sound.media_s for sound in sounds) > 1.5
    assert all(sound.packet.pts * sound.packet.time_base == pytest.approx(sound.media_s) for sound in sounds)


def test_a_looping_file_that_is_gone_ends_with_one_line(tmp_path: Path) -> None:
    path = write_h264(tmp_path / "a.mp4", 3)
    capture = file.open(str(path), Wanted(live=False, loop=True))
    path.unlink()
    with pytest.raises(CaptureError, match=r"a\.mp4 cannot be read: No such file"):
        read_all(capture)
    again = file.open(str(write_h264(tmp_path / "b.mp4", 3)), Wanted(live=False, loop=True))
    (tmp_path / "b.mp4").write_text("no video any more " * 40)
    with pytest.raises(CaptureError, match=r"b\.mp4"):
        read_all(again)
    for one in (capture, again):
        one.close()


def test_paced_frames_carry_their_scheduled_time(tmp_path: Path) -> None:
    capture = file.open(str(write_h264(tmp_path / "a.mp4", 10, fps=100)), Wanted())
    began_s = time.monotonic()
    frames, _ = read_all(capture)
    took_s = time.monotonic() - began_s
    due = [frame.time_s - (frame.media_s or 0) for frame in frames]
    assert max(due) - min(due) < 1e-6
    assert took_s >= 0.085
    assert capture.info.live


def test_a_late_reader_still_gets_every_frame_with_its_scheduled_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = file.open(str(write_h264(tmp_path / "a.mp4", 10, fps=100)), Wanted())
    first = capture.read()
    assert isinstance(first, Frame)
    monkeypatch.setattr(file, "time", SimpleNamespace(monotonic=lambda: first.time_s + 0.4))
    frames, _ = read_all(capture)
    assert [frame.number for frame in frames] == list(range(1, 10))
    assert [frame.time_s - first.time_s for frame in frames] == pytest.approx(np.arange(1, 10) / 100, abs=0.002)


def test_decoding_that_cannot_keep_up_moves_the_schedule_and_not_the_delay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = file.open(str(write_h264(tmp_path / "a.mp4", 10, fps=100)), Wanted())
    first = capture.read()
    assert isinstance(first, Frame)
    now_s = [first.time_s]
    monkeypatch.setattr(file, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    for _ in range(9):
        now_s[0] += 1.0
        frame = capture.read()
        assert isinstance(frame, Frame)
        assert now_s[0] - frame.time_s <= file.LATE_S


def test_close_from_another_thread_ends_a_waiting_read(tmp_path: Path) -> None:
    pictures = [pattern(PixelFormat.I420, 64, 48)] * 2
    capture = file.open(str(write_video(tmp_path / "a.mkv", pictures, times_s=[0.0, 50.0])), Wanted())
    capture.read()
    ended: list[object] = []
    reader = threading.Thread(target=lambda: ended.append(capture.read()))
    reader.start()
    capture.close()
    reader.join(2.0)
    assert ended == [None]


def test_a_file_cut_off_ends_at_its_last_whole_frame(tmp_path: Path) -> None:
    whole = write_h264(tmp_path / "a.ts", 60)
    cut = tmp_path / "cut.ts"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    frames, _ = read_all(file.open(str(cut), FAST))
    assert 20 < len(frames) < 60


def test_broken_pictures_are_skipped_counted_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pictures = [pattern(PixelFormat.BGR, 64, 48, seed) for seed in range(20)]
    path = write_video(tmp_path / "a.avi", pictures, PixelFormat.BGR, codec="png", av_format="rgb24")
    content = bytearray(path.read_bytes())
    starts = [at for at in range(len(content)) if content[at : at + 4] == b"\x89PNG"]
    for at in starts[5:9]:
        content[at : at + 4] = b"XXXX"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        capture = file.open(str(path), FAST)
        frames, _ = read_all(capture)
    assert len(starts) == 20
    assert len(frames) in (15, 16)  # frame threads may take one neighbour along
    assert 1 <= capture._clip.skipped <= 4  # type: ignore[attr-defined]
    assert len(caplog.records) == 1
    assert np.array_equal(frames[-1].planes[0][..., ::-1], pictures[-1][0])


def test_animated_pictures_are_videos(tmp_path: Path) -> None:
    from PIL import Image

    pictures = [Image.new("RGB", (32, 24), (20 * number, 0, 200)) for number in range(5)]
    for suffix in ("gif", "webp", "apng"):
        path = tmp_path / f"a.{suffix}"
        more = {"format": "PNG"} if suffix == "apng" else {"lossless": True} if suffix == "webp" else {}
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=80, loop=0, **more)
        capture = file.open(str(path), FAST)
        frames, _ = read_all(capture)
        assert [frame.format for frame in frames] == [PixelFormat.BGR] * 5, suffix
        assert [frame.media_s for frame in frames] == pytest.approx([0, 0.08, 0.16, 0.24, 0.32]), suffix
        assert np.abs(frames[4].planes[0].reshape(-1, 3).mean(0) - [200, 0, 80]).max() < 3, suffix
        capture.close()
        assert capture.read() is None


def test_container_metadata_is_kept(tmp_path: Path) -> None:
    path = write_h264(tmp_path / "a.mp4", metadata={"title": "Anna", "comment": "x" * 5000})
    media = file.open(str(path), FAST).info.media
    assert media["title"] == "Anna"
    assert len(media["comment"]) <= 1000
    assert "major_brand" not in media


def test_metadata_that_is_no_text_is_made_some(tmp_path: Path) -> None:
    path = write_h264(tmp_path / "a.mp4", metadata={"title": "Anna and Bruno"})
    path.write_bytes(path.read_bytes().replace(b"Anna and", b"\xff\xfe and"))
    media = file.open(str(path), FAST).info.media
    assert media["title"].endswith(" and Bruno")
    assert media["title"].encode("utf-8")


def test_missing_file_names_similar_ones(tmp_path: Path) -> None:
    write_h264(tmp_path / "holiday.mp4", 2)
    with pytest.raises(UsageError, match=r"there is no file .*holyday\.mp4; in that folder is holiday\.mp4"):
        file.open(str(tmp_path / "holyday.mp4"), FAST)


def sound_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        write_tone(container, container.add_stream("aac", rate=16000, layout="mono"), 1.0)
    return path


def sound_with_cover(path: Path) -> Path:
    """An MP3 with an ID3 cover picture, as music players show it."""
    from PIL import Image

    picture, tone = io.BytesIO(), path.with_suffix(".tone.mp3")
    Image.new("RGB", (32, 32), (200, 0, 0)).save(picture, "PNG")
    with av.open(str(tone), "w") as container:
        write_tone(container, container.add_stream("libmp3lame", rate=16000, layout="mono"), 1.0)
    body = b"\0image/png\0\x03\0" + picture.getvalue()
    frame = b"APIC" + len(body).to_bytes(4, "big") + b"\0\0" + body
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x03\0\0" + size + frame + tone.read_bytes())
    return path


@pytest.mark.parametrize(
    ("name", "make", "line"),
    [
        ("folder", lambda path: path.mkdir(), "is a folder"),
        ("empty.mp4", lambda path: path.touch(), r"is empty \(0 bytes\)"),
        ("voice.m4a", sound_only, "sound but no pictures"),
        ("music.mp3", sound_with_cover, "sound but no pictures"),
        ("text.mp4", lambda path: path.write_text("Once upon a time. " * 50), "not a video that can be read"),
        ("text.txt", lambda path: path.write_text("Once upon a time. " * 50), "text"),
        ("text.jpg", lambda path: path.write_text("Once upon a time. " * 50), "neither a video nor a picture"),
        ("pipe", os.mkfifo, "is not a file"),
        ("list.m3u8", lambda path: path.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n"), "list.m3u8"),
        ("\0.mp4", lambda path: None, "(cannot be looked up|there is no file)"),
        ("x" * 300 + ".mp4", lambda path: None, "(cannot be looked up|there is no file)"),
    ],
)  # fmt: skip
def test_what_is_no_video_is_one_line(tmp_path: Path, name: str, make: object, line: str) -> None:
    path = tmp_path / name
    make(path)  # type: ignore[operator]
    with pytest.raises((UsageError, CaptureError), match=line) as caught:
        file.open(str(path), FAST)
    assert "\n" not in str(caught.value)


def test_unreadable_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_h264(tmp_path / "a.mp4", 2)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the superuser may read everything
    with pytest.raises(UsageError, match="may not be read by this user"):
        file.open(str(path), FAST)


def test_pictures_out_of_bounds_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", [pattern(PixelFormat.GRAY, 16386, 2)], PixelFormat.GRAY, size=(16386, 2))
    with pytest.raises(UsageError, match="16386x2 are out of bounds"):
        file.open(str(path), FAST)
