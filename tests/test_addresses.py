"""What of an address may be read by people."""

from __future__ import annotations

from live.addresses import masked, without_key


def test_passwords_and_values_are_masked() -> None:
    assert masked("rtsp://me:p@ss:w@cam.local/h264?user=a&pwd=b#x") == "rtsp://***@cam.local/h264?user=***&pwd=***#x"
    assert masked("udp://239.0.0.1:5000") == "udp://239.0.0.1:5000"


def test_a_stream_key_is_masked_and_a_path_is_not() -> None:
    assert without_key("rtmp://live.example/app/live_123?bandwidth=1") == "rtmp://live.example/app/***?bandwidth=***"
    assert without_key("RTMPS://me:pw@live.example/app/inst/key") == "RTMPS://***@live.example/app/inst/***"
    assert without_key("rtsp://server:8554/live") == "rtsp://server:8554/live"
    assert without_key("rtmp://server/app") == "rtmp://server/app"
