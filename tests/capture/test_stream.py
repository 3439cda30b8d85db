"""Streams over loopback: real sockets and FFmpeg's own RTMP server."""

from __future__ import annotations

import http.server
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from live.capture import stream
from live.capture.contract import Wanted
from live.errors import CaptureError, UsageError
from live.values import Frame, PixelFormat

from .media import read_all, write_h264


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Sender:
    """A TCP server that sends bytes to its first client and then waits until it is told to hang up."""

    def __init__(self, content: bytes) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(10.0)
        self.url = f"tcp://127.0.0.1:{self._socket.getsockname()[1]}"
        self.hang_up = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(content,))
        self._thread.start()

    def _serve(self, content: bytes) -> None:
        try:
            client, _ = self._socket.accept()
            with client:
                client.sendall(content)
                self.hang_up.wait(10.0)
        except OSError:
            pass  # the client left first

    def close(self) -> None:
        self.hang_up.set()
        self._socket.close()
        self._thread.join(5.0)


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Callable[[bytes], Sender]]:
    made: list[Sender] = []

    def make(content: bytes) -> Sender:
        made.append(Sender(content))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def transport_stream(tmp_path: Path) -> bytes:
    return write_h264(tmp_path / "a.ts", 50, sound=True, options={"tune": "zerolatency"}).read_bytes()


def test_a_tcp_stream_gives_frames_and_sound_and_ends_with_its_sender(
    sender: Callable[[bytes], Sender], transport_stream: bytes
) -> None:
    server = sender(transport_stream)
    server.hang_up.set()
    capture = stream.open(server.url, Wanted())
    frames, sounds = read_all(capture)
    assert [frame.number for frame in frames] == list(range(50))
    assert all(frame.time_s <= time.monotonic() for frame in frames)
    assert np.diff([frame.media_s for frame in frames]) == pytest.approx(0.04, abs=0.002)
    assert capture.info.live
    assert len(sounds) > 20
    assert capture.info.sound.codec_context.name == "aac"
    capture.close()
    capture.close()
    assert capture.read() is None


def test_silence_ends_with_one_line(
    sender: Callable[[bytes], Sender], transport_stream: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SILENCE_S", 0.4)
    capture = stream.open(sender(transport_stream).url, Wanted())
    began_s = time.monotonic()
    with pytest.raises(CaptureError, match="has sent nothing for"):
        read_all(capture)
    assert time.monotonic() - began_s < 1.5
    capture.close()


def test_a_server_that_never_sends_ends_opening_with_one_line(
    sender: Callable[[bytes], Sender], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "OPENING_S", 0.4)
    with pytest.raises(CaptureError, match="sent no video within"):
        stream.open(sender(b"").url, Wanted())


def test_close_from_another_thread_ends_a_waiting_read(
    sender: Callable[[bytes], Sender], transport_stream: bytes
) -> None:
    capture = stream.open(sender(transport_stream).url, Wanted())
    ended: list[object] = []

    def read_until_end() -> None:
        while (item := capture.read()) is not None:
            ended.append(item)
        ended.append(None)

    reader = threading.Thread(target=read_until_end)
    reader.start()
    began_s = time.monotonic()
    capture.close()
    reader.join(3.0)
    assert ended[-1] is None
    assert time.monotonic() - began_s < 2.3


def test_udp(transport_stream: bytes) -> None:
    port, stop = free_port(), threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while not stop.is_set():
                for at in range(0, len(transport_stream), 1316):
                    out.sendto(transport_stream[at : at + 1316], ("127.0.0.1", port))
                    if stop.wait(0.001):
                        return

    thread = threading.Thread(target=send)
    thread.start()
    try:
        capture = stream.open(f"udp://127.0.0.1:{port}", Wanted(format=PixelFormat.NV12))
        frames, _ = read_all(capture, most=30)
        capture.close()
    finally:
        stop.set()
        thread.join(5.0)
    assert len(frames) == 30
    assert frames[0].format is PixelFormat.NV12


def test_a_sender_comes_to_our_rtmp_address() -> None:
    url = f"rtmp://127.0.0.1:{free_port()}/live/key"
    publisher = subprocess.Popen([sys.executable, str(Path(__file__).with_name("publish.py")), url, "10"])
    try:
        capture = stream.open(f"{url}?listen", Wanted())
        frames, _ = read_all(capture, most=20)
        capture.close()
    finally:
        publisher.kill()
        publisher.wait(10.0)
    assert [frame.number for frame in frames] == list(range(20))
    assert (capture.info.width_px, capture.info.height_px) == (64, 48)


NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log;
load_module {modules}/ngx_rtmp_module.so;
events {{ worker_connections 64; }}
rtmp {{ access_log off; server {{ listen 127.0.0.1:{port}; application live {{ live on; wait_key on; }} }} }}
"""


@pytest.fixture
def rtmp_server(tmp_path: Path) -> Iterator[str]:
    """nginx with its RTMP module."""
    [modules] = [
        folder for folder in (Path("/usr/lib/nginx/modules"), Path("/usr/lib64/nginx/modules")) if folder.is_dir()
    ]
    port = free_port()
    (tmp_path / "nginx.conf").write_text(NGINX.format(folder=tmp_path, modules=modules, port=port))
    server = subprocess.Popen(
        ["nginx", "-p", str(tmp_path), "-e", str(tmp_path / "log"), "-c", str(tmp_path / "nginx.conf")]
    )
    yield f"rtmp://127.0.0.1:{port}/live/key"
    server.terminate()
    server.wait(10.0)


@pytest.mark.stream
def test_rtmp_from_a_server(rtmp_server: str) -> None:
    publisher = subprocess.Popen([sys.executable, str(Path(__file__).with_name("publish.py")), rtmp_server, "20"])
    try:
        capture = until_it_sends(lambda: stream.open(rtmp_server, Wanted()))
        frames, _ = read_all(capture, most=60)
        publisher.kill()
        ended = read_until_silence(capture)
        capture.close()
    finally:
        publisher.kill()
        publisher.wait(10.0)
    assert len(frames) == 60
    spread_s = [frame.time_s - (frame.media_s or 0) for frame in frames[30:]]
    assert max(spread_s) - min(spread_s) < 1.0  # it does not fall behind
    assert ended is None or "sent nothing" in ended or "broke off" in ended


def until_it_sends(open_it: Callable[[], stream.StreamCapture]) -> stream.StreamCapture:
    end_s = time.monotonic() + 15.0
    while True:
        try:
            return open_it()
        except CaptureError:
            if time.monotonic() > end_s:
                raise


def read_until_silence(capture: stream.StreamCapture) -> str | None:
    """None when the sender's end was told, else the error's line."""
    try:
        read_all(capture)
    except CaptureError as error:
        return str(error)
    return None


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    handler = partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(5.0)


def test_a_video_over_http_is_paced_by_its_own_times(web: str, tmp_path: Path) -> None:
    write_h264(tmp_path / "a.mkv", 25, fps=50)
    capture = stream.open(f"{web}/a.mkv", Wanted())
    began_s = time.monotonic()
    frames, _ = read_all(capture)
    capture.close()
    assert len(frames) == 25
    assert time.monotonic() - began_s >= 0.45
    assert frames[-1].time_s - frames[0].time_s == pytest.approx(0.48, abs=0.01)


def test_hls_is_paced_too(web: str, tmp_path: Path) -> None:
    write_h264(tmp_path / "a.ts", 25, fps=50)
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", "#EXTINF:0.5,", "a.ts", "#EXT-X-ENDLIST", ""]
    (tmp_path / "a.m3u8").write_text("\n".join(lines))
    capture = stream.open(f"{web}/a.m3u8", Wanted())
    began_s = time.monotonic()
    frames, _ = read_all(capture)
    capture.close()
    assert len(frames) == 25
    assert time.monotonic() - began_s >= 0.45


def test_a_playlist_from_the_network_reads_no_local_files(web: str, tmp_path: Path) -> None:
    local = write_h264(tmp_path / "secret.ts", 25)
    (tmp_path / "a.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{local}\n#EXT-X-ENDLIST\n")
    with pytest.raises(CaptureError):
        stream.open(f"{web}/a.m3u8", Wanted())


@pytest.mark.parametrize(
    ("make_url", "line"),
    [
        (lambda web: f"http://u:geheim@127.0.0.1:{free_port()}/a?token=geheim", "connection refused"),
        (lambda web: f"{web.replace('//', '//u:geheim@')}/none.mp4", r"does not exist on that server \(404\)"),
        (lambda web: f"{web.replace('//', '//u:geheim@')}/page.html", "does not send video that can be read"),
        (lambda web: "rtsp://u:geheim@host.invalid/a?password=geheim", "cannot be opened"),
        (lambda web: "srt://u:geheim@127.0.0.1:9000?passphrase=geheim", "srt-live-transmit"),
    ],
)
def test_failures_are_one_line_and_leak_no_password(
    web: str, tmp_path: Path, make_url: Callable[[str], str], line: str
) -> None:
    (tmp_path / "page.html").write_text("<html>geheim</html>" * 100)
    with pytest.raises(CaptureError, match=line) as caught:
        stream.open(make_url(web), Wanted())
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("url", ["rtmp://", "http://[::1", "udp:///a"])
def test_an_address_without_a_server_is_the_users_mistake(url: str) -> None:
    with pytest.raises(UsageError, match="names no server"):
        stream.open(url, Wanted())


def test_first_frame_is_what_info_says(sender: Callable[[bytes], Sender], transport_stream: bytes) -> None:
    capture = stream.open(sender(transport_stream).url, Wanted())
    item = capture.read()
    while not isinstance(item, Frame):
        item = capture.read()
    assert (item.width_px, item.height_px, item.format) == (64, 48, capture.info.format)
    assert capture.info.name.startswith("stream tcp://127.0.0.1")
    capture.close()
