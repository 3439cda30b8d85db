"""The sound of a recording: the input's packets as they are where the container takes them, else turned into AAC.

Knows PyAV containers and codecs; does not know when a packet belongs, the caller says so.
"""

from __future__ import annotations

import logging
from fractions import Fraction
from typing import Any

import av
from av.audio.resampler import AudioResampler

from live.values import Sound

log = logging.getLogger(__name__)

COPIED = {
    "mp4": {"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"},
    "mov": {"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be"},
}
"""Container -> codecs that common players play from it. Matroska takes nearly everything."""

AAC_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
CONTINUOUS_S = 0.1
"""Turned sound closer than this to where the last ended is joined to it; a bigger gap stays a gap."""


def add_soundtrack(container: Any, template: Any) -> CopiedSound | TurnedSound:
    """Add a sound stream to a container that was not started yet.

    Args: container `av.container.OutputContainer`; template `av.AudioStream` of the input.
    Raises: av.FFmpegError or ValueError when neither way works (a codec this FFmpeg does not know).
    """
    allowed = COPIED.get(container.format.name, container.supported_codecs)
    if template.codec_context.codec.canonical_name in allowed:
        return CopiedSound(container, template)
    return TurnedSound(container, template)


class CopiedSound:
    """Packets go over bit for bit; only their times change."""

    def __init__(self, container: Any, template: Any) -> None:
        self._container = container
        self._stream = container.add_stream_from_template(template)
        self._last_pts: int | None = None

    def add(self, sound: Sound, at_s: float) -> None:
        """Write one packet so that it plays `at_s` seconds after the start. One out of order is left out."""
        given = sound.packet
        time_base = given.time_base or self._stream.time_base
        pts = round(at_s / time_base)
        if self._last_pts is not None and pts <= self._last_pts:
            log.debug("sound at %.3f s came out of order", at_s)
            return
        self._last_pts = pts
        # A packet of its own: other recordings of the same input write other times into theirs.
        packet = av.Packet(bytes(given))
        packet.stream = self._stream
        packet.time_base = time_base
        packet.pts = packet.dts = pts
        packet.duration = given.duration
        packet.is_keyframe = True
        self._container.mux(packet)

    def finish(self) -> None:
        """Nothing is held back."""


class TurnedSound:
    """Packets are decoded and encoded again as AAC."""

    def __init__(self, container: Any, template: Any) -> None:
        self._container = container
        self._decoder = _decoder_like(template)
        rate_hz = template.sample_rate if template.sample_rate in AAC_RATES_HZ else 48000
        layout = "mono" if template.layout.nb_channels == 1 else "stereo"
        self._stream = container.add_stream("aac", rate=rate_hz, layout=layout)
        self._resampler = AudioResampler(format="fltp", layout=layout, rate=rate_hz, frame_size=1024)
        self._rate_hz = rate_hz
        self._next_pts: int | None = None

    def add(self, sound: Sound, at_s: float) -> None:
        """Write one packet so that it plays `at_s` seconds after the start. A broken one is left out."""
        packet = av.Packet(bytes(sound.packet))
        try:
            pieces = self._decoder.decode(packet)
        except av.FFmpegError as error:
            log.debug("sound at %.3f s cannot be decoded: %s", at_s, error)
            return
        for piece in pieces:
            piece.time_base = Fraction(1, piece.sample_rate)
            piece.pts = round(at_s * piece.sample_rate)
            at_s += piece.samples / piece.sample_rate
            self._encode(piece)

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._encode(None)
        self._container.mux(self._stream.encode(None))

    def _encode(self, piece: Any) -> None:
        for chunk in self._resampler.resample(piece):
            pts = chunk.pts or 0
            if self._next_pts is not None and pts - self._next_pts < CONTINUOUS_S * self._rate_hz:
                pts = self._next_pts
            chunk.pts = pts
            self._next_pts = pts + chunk.samples
            self._container.mux(self._stream.encode(chunk))


def _decoder_like(template: Any) -> Any:
    """A decoder of our own for the packets of a stream: the stream's is not ours to use on another thread."""
    given = template.codec_context
    decoder = av.CodecContext.create(given.codec.name, "r")
    decoder.extradata = given.extradata
    decoder.sample_rate = given.sample_rate
    decoder.layout = given.layout
    return decoder
