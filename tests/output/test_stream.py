"""Streams to servers: a real RTMP server where there is one, MPEG-TS over TCP everywhere."""

from __future__ import annotations

import contextlib
import io
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest

from live.capture import stream as stream_capture
from live.capture.contract import Wanted
from live.errors import OutputError, UsageError
from live.output import open_output
from live.output.contract import Format
from live.pixels.host import bgr_frame, convert
from live.values import Colour, Frame, PixelFormat, Sound

from ..conftest import missing

SIZE = (160, 96)
FPS = 25.0
BLUE, RED = (200, 60, 30), (30, 40, 210)
"""BGR."""


class Server:
    """Takes one MPEG-TS sender after the other on a port and keeps what each sent."""

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port = int(self._socket.getsockname()[1])
        self.sent: list[bytes] = []
        self.grown, self.left = threading.Condition(), threading.Event()
        self._client: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def wait_bytes(self, client: int, least: int, timeout_s: float = 20.0) -> bytes:
        with self.grown:
            assert self.grown.wait_for(
                lambda: len(self.sent) > client and len(self.sent[client]) >= least, timeout_s
            ), [len(each) for each in self.sent]
            return self.sent[client]

    def close(self) -> None:
        self._socket.close()
        if self._client is not None:
            self._client.close()

    def hang_up(self) -> None:
        """Leave the sender that is connected."""
        assert self._client is not None
        self._client.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                self._client, _ = self._socket.accept()
            except OSError:
                return
            with self.grown:
                self.sent.append(b"")
                number = len(self.sent) - 1
            while True:
                try:
                    given = self._client.recv(65536)
                except OSError:
                    given = b""
                if not given:
                    self.left.set()
                    break
                with self.grown:
                    self.sent[number] += given
                    self.grown.notify_all()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


def format_of(colour: Colour | None = None, sound: object = None) -> Format:
    return Format(*SIZE, FPS, PixelFormat.BGR, colour or Colour(), True, sound)


def plain(colour: tuple[int, int, int], number: int, media_s: float | None = None) -> Frame:
    picture = np.full((SIZE[1], SIZE[0], 3), colour, np.uint8)
    frame = bgr_frame(picture, time_s=time.monotonic(), number=number)
    return frame if media_s is None else Frame(*_with_media(frame, media_s))


def _with_media(frame: Frame, media_s: float) -> tuple[object, ...]:
    return (frame.planes, frame.format, *SIZE, frame.time_s, frame.number, media_s, frame.colour)


def show(output, colour, seconds, *, number=0, each=lambda _: None) -> int:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        output.send(plain(colour, number))
        each(number)
        number += 1
        time.sleep(1 / FPS)
    return number


def decoded(sent: bytes) -> list[np.ndarray]:
    """The pictures as viewers see them, BGR."""
    with av.open(io.BytesIO(sent), format="mpegts") as container:
        video = container.streams.video[0]
        assert (video.codec_context.width, video.codec_context.height) == SIZE
        assert int(video.codec_context.color_range) == 1
        assert int(video.codec_context.colorspace) == (6 if SIZE[1] < 720 else 1)
        try:
            return [picture.to_ndarray(format="bgr24") for picture in container.decode(video)]
        except av.FFmpegError:
            return []


def is_near(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(picture.reshape(-1, 3).mean(axis=0) - colour).max() < 6)


def test_pictures_arrive_in_their_colours_and_the_last_one_is_the_slate(server):
    output = open_output(server.url, format_of())
    assert output.live
    assert output.name == f"stream {server.url}"
    show(output, BLUE, 1.0)
    output.close()
    pictures = decoded(server.wait_bytes(0, 1000))
    assert sum(is_near(picture, BLUE) for picture in pictures) >= 15
    assert not is_near(pictures[-1], BLUE)


def test_the_last_picture_is_repeated_while_none_comes_and_the_slate_when_nobody_gives_any(server):
    output = open_output(server.url, format_of())
    show(output, RED, 0.4)
    time.sleep(1.5)
    pictures = decoded(server.wait_bytes(0, 1000))
    red = [is_near(picture, RED) for picture in pictures]
    assert sum(red) >= 15, "repeated for half a second, a parent's silence that is allowed"
    assert not red[-1], "then the slate"
    output.close()


def test_a_server_that_is_lost_is_called_again_and_nothing_is_raised_meanwhile(server, caplog):
    output = open_output(server.url, format_of())
    number = show(output, BLUE, 0.5)
    server.hang_up()
    show(output, RED, 3.0, number=number)
    pictures = decoded(server.wait_bytes(1, 1000))
    output.close()
    assert any(is_near(picture, RED) for picture in pictures)
    assert "is lost" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_program_leaves_the_slate_and_then_nothing(server):
    program = textwrap.dedent(
        f"""
        from live.output import open_output
        from tests.output.test_stream import RED, format_of, show
        output = open_output({server.url!r}, format_of())
        show(output, RED, 0.5)
        print("shown", flush=True)
        show(output, RED, 60)
        """
    )
    root = Path(__file__).parent.parent.parent
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=root)
    assert process.stdout is not None
    assert process.stdout.readline() == b"shown\n"
    process.kill()
    process.wait()
    process.stdout.close()
    assert server.left.wait(15)
    red = [is_near(picture, RED) for picture in decoded(server.sent[0])]
    assert any(red)
    assert not any(red[-10:]), "the slate covers the time after the program's death"


def test_sound_goes_beside_the_pictures(server, tmp_path):
    source = tmp_path / "sound.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="stereo")
        tone = (np.sin(np.arange(48000 * 3) * 2 * np.pi * 440 / 48000) * 0.3).astype(np.float32)
        for at in range(0, len(tone), 1024):
            piece = av.AudioFrame.from_ndarray(np.stack([tone[at : at + 1024]] * 2), format="fltp", layout="stereo")
            piece.sample_rate, piece.pts = 48000, at
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    with av.open(str(source)) as container:
        given = [packet for packet in container.demux(audio=0) if packet.size]
        packets = [Sound(packet, float(packet.pts * packet.time_base)) for packet in given]
        output = open_output(server.url, format_of(sound=container.streams.audio[0]))
        waiting = list(packets)
        began_s = time.monotonic()

        def feed() -> None:
            while waiting and waiting[0].media_s <= time.monotonic() - began_s:
                output.sound(waiting.pop(0))

        for number in range(int(2 * FPS)):
            output.send(plain(BLUE, number, number / FPS))
            feed()
            time.sleep(1 / FPS)
        output.close()
    with av.open(io.BytesIO(server.wait_bytes(0, 1000)), format="mpegts") as container:
        heard = [frame for frame in container.decode(audio=0)]
    assert len(heard) > 60
    middle = np.concatenate([frame.to_ndarray()[0] for frame in heard[20:50]])
    spectrum = np.abs(np.fft.rfft(middle))
    assert np.argmax(spectrum) * 48000 / len(middle) == pytest.approx(440, abs=5)
    steps = np.diff([frame.time for frame in heard])
    assert steps == pytest.approx(1024 / 48000, abs=0.002)


def test_a_server_that_does_not_answer_ends_opening_with_one_line_without_the_key():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(OutputError, match="nothing listens there") as error:
        open_output(f"rtmp://me:secret@127.0.0.1:{port}/live/streamkey", format_of())
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)
    assert "streamkey" not in str(error.value)
    assert "rtmp://***@127.0.0.1" in str(error.value)


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("rtmp://server/app/key#kbps=9", r"#kbps=9 is unknown; allowed: #kbps=100 to 100000"),
        ("rtmp://server/app/key#fast", r"rtmp://server/app/\*\*\*: #fast is unknown"),
        ("rtsp://", "names no server"),
        ("srt://server:9000", "run srt-live-transmit"),
        ("stream:no/such thing", "names no server"),
    ],
)
def test_a_wrong_address_says_what_is_allowed(address, what):
    with pytest.raises(UsageError, match=what) as error:
        open_output(address, format_of())
    assert "\n" not in str(error.value)


def test_the_bit_rate_follows_from_the_size_or_is_asked_for(monkeypatch):
    from live.output import stream

    made = []
    monkeypatch.setattr(stream, "Child", lambda *arguments: made.append(arguments[-1]))
    wide = Format(1280, 720, 30.0, PixelFormat.BGR, Colour(), True)
    open_output("rtmp://server/app/key", wide)
    open_output("rtmp://server/app/key#kbps=4500", wide)
    assert [settings["kbps"] for settings in made] == [2765, 4500]
    assert made[1]["url"] == "rtmp://server/app/key"


@pytest.fixture
def rtmp(tmp_path):
    """Address of an application of a real RTMP server."""
    module = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
    if shutil.which("nginx") is None or not module.exists():
        missing("stream", "needs nginx with its RTMP module")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (tmp_path / "nginx.conf").write_text(
        f"load_module {module}; daemon off; master_process off; pid nginx.pid; error_log error.log;\n"
        "events { worker_connections 64; }\n"
        f"rtmp {{ server {{ listen 127.0.0.1:{port}; application app {{ live on; wait_key on; }} }} }}\n"
    )
    process = subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", "nginx.conf", "-e", "error.log"])
    deadline_s = time.monotonic() + 10
    while socket.socket().connect_ex(("127.0.0.1", port)) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    yield f"rtmp://127.0.0.1:{port}/app"
    process.terminate()
    process.wait(10)


@pytest.mark.stream
def test_a_real_rtmp_server_passes_the_pictures_on(rtmp):
    output = open_output(f"{rtmp}/key", format_of())
    stop = threading.Event()

    def send() -> None:
        number = 0
        while not stop.wait(1 / FPS):
            output.send(plain(BLUE, number))
            number += 1

    sender = threading.Thread(target=send)
    sender.start()
    try:
        capture = stream_capture.open(f"{rtmp}/key", Wanted())
        frames = []
        while len(frames) < 30:
            item = capture.read()
            if isinstance(item, Frame):
                frames.append(item)
        capture.close()
    finally:
        stop.set()
        sender.join()
        output.close()
    assert (frames[-1].width_px, frames[-1].height_px) == SIZE
    assert is_near(convert(frames[-1], PixelFormat.BGR).planes[0], BLUE)


LISTENER = """
import sys, av
container = av.open(sys.argv[1], options={"rtsp_flags": "listen", "listen_timeout": "30"}, timeout=30)
for number, picture in enumerate(container.decode(video=0)):
    if number == 20:
        print(picture.width, picture.height, *picture.to_ndarray(format="bgr24").reshape(-1, 3).mean(axis=0))
        break
"""
"""An RTSP server of FFmpeg's, which takes one sender. A process of its own: FFmpeg holds the interpreter's lock."""


def test_an_rtsp_server_gets_the_pictures():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"rtsp://127.0.0.1:{probe.getsockname()[1]}/live"
    listener = subprocess.Popen([sys.executable, "-c", LISTENER, url], stdout=subprocess.PIPE, text=True)
    output = None
    deadline_s = time.monotonic() + 30
    while output is None and time.monotonic() < deadline_s:
        try:
            output = open_output(url, format_of())
        except OutputError:
            assert listener.poll() is None
    assert output is not None
    number = 0
    while listener.poll() is None and time.monotonic() < deadline_s:
        number = show(output, BLUE, 0.2, number=number)
    output.close()
    said, _ = listener.communicate(timeout=5)
    width_px, height_px, *mean = map(float, said.split())
    assert (width_px, height_px) == SIZE
    assert np.abs(np.array(mean) - BLUE).max() < 6


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no timer ends a hanging process")
def test_a_server_that_stops_reading_is_given_up_and_called_again(caplog):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        big = Format(1280, 720, FPS, PixelFormat.BGR, Colour(), True)
        output = open_output(f"tcp://127.0.0.1:{deaf.getsockname()[1]}#kbps=50000", big)
        first, _ = deaf.accept()
        deaf.settimeout(0.0)
        noise = np.random.default_rng(0)
        deadline_s, second = time.monotonic() + 40, None
        while second is None and time.monotonic() < deadline_s:
            picture = noise.integers(0, 256, (720, 1280, 3), np.uint8)
            began_s = time.monotonic()
            output.send(bgr_frame(picture, time_s=began_s, number=0))
            assert time.monotonic() - began_s < 3, "nobody waits for the server but the child"
            with contextlib.suppress(BlockingIOError):
                second, _ = deaf.accept()
        assert second is not None
        assert "trying to get it back" in caplog.text
        first.close()
        second.close()
        output.close()
