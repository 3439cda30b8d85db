"""One file from one address into a part file, going on where an earlier try stopped.

Knows HTTP and the disk: proxies of the environment, time limits, sizes that lie, ranges and their validators. Knows no
catalogue and no hashes; whether the bytes are the right ones is for live/nets/pull.py to say.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from live import __version__
from live.nets.faults import AgainError, MirrorError, disk_fault, refused, unreachable

CHUNK_BYTES = 1 << 18
TRIES = 4
"""Tries in a row that brought nothing; one that brought something counts as none."""
MOST_TRIES = 100
SLOWEST_BYTES = 1 << 16
"""Less than that in the time of a stall is one: a byte now and then keeps a socket from timing out."""
BACK_OFF_S = 1.0
"""Before the second try; doubled each time."""
MOST_WAIT_S = 30.0
Tell = Callable[[int, int | None], None]
"""Told how many bytes are there, of how many."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Time and size of one download."""

    bytes: int | None
    """Exact, where it is known."""
    most_bytes: int
    """Where it is not."""
    stall_s: float = 20.0
    """To connect, to the first byte, and from then on for the next 64 KiB."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file that is not whole yet, and beside it the validator of the version it is a part of."""

    path: Path

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def validator(self) -> str:
        """What If-Range takes; empty: unknown."""
        note = self.path.with_name(self.path.name + ".tag")
        try:
            return note.read_text("ascii")[:500].strip() if note.is_file() else ""
        except (OSError, UnicodeDecodeError):
            return ""

    def remember(self, validator: str) -> None:
        """Keep a validator for the next try, or none."""
        note = self.path.with_name(self.path.name + ".tag")
        if validator and validator.isascii() and len(validator) < 500:
            note.write_text(validator, "ascii")
        else:
            note.unlink(missing_ok=True)

    def drop(self) -> None:
        """Remove both."""
        self.remember("")
        self.path.unlink(missing_ok=True)


def fetch(
    url: str, part: Part, limits: Limits, *, trust_part: bool, tell: Tell, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Bring the whole file into the part file.

    Args: trust_part: go on with a part also where the server cannot say whether it is of the same version; right where
    a hash decides in the end. sleep: how to wait between tries.
    Raises: MirrorError; ModelError where no other mirror would help (disk full, not writable).
    """
    idle, best = 0, part.size
    for _ in range(MOST_TRIES):
        try:
            return _once(url, part, limits, trust_part, tell)
        except AgainError as fault:
            idle = idle + 1 if part.size <= best else 0
            best = max(best, part.size)
            if fault.anew:
                part.drop()
            if idle >= TRIES:
                raise MirrorError(f"{fault}, {TRIES} times in a row") from None
            sleep(min(MOST_WAIT_S, max(fault.wait_s, BACK_OFF_S * 2**idle / 2)))
        except OSError as error:
            disk_fault(error, part.path)
    raise MirrorError(f"broke off {MOST_TRIES} times")


def _once(url: str, part: Part, limits: Limits, trust_part: bool, tell: Tell) -> None:
    have = part.size
    if limits.bytes is not None and have > limits.bytes:
        part.drop()
        have = 0
    if limits.bytes is not None and have == limits.bytes:
        return
    validator = part.validator
    if have and not (validator or trust_part):
        have = 0
    with _opened(url, have, validator, limits.stall_s) as answer:
        total = _total(answer, have, limits)
        if answer.status != 206:
            have = 0
        part.remember(_validator(answer.headers))
        with part.path.open("ab" if have else "wb") as file:
            most = total if total is not None else limits.most_bytes
            have = _copy(answer, file, have, most, limits.stall_s, lambda done: tell(done, total))
    if have > most:
        part.drop()
        raise MirrorError(f"gives more than the {most} bytes that it should")
    if total is None:
        total = part.size
    if part.size < total or (limits.bytes is not None and total != limits.bytes):
        raise AgainError(f"broke off after {part.size} of {total} bytes")


def _opened(url: str, have: int, validator: str, stall_s: float) -> http.client.HTTPResponse:
    headers = {"User-Agent": f"live-faceswap/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator:
            headers["If-Range"] = validator
    opener = urllib.request.build_opener(_Redirects)
    try:
        answer = opener.open(urllib.request.Request(url, headers=headers), timeout=stall_s)
    except urllib.error.HTTPError as error:
        refused(error, have)
    except urllib.error.URLError as error:
        unreachable(error.reason, url)
    except (OSError, http.client.HTTPException) as error:
        unreachable(error, url)
    page = answer.headers.get_content_type() in {"text/html", "application/xhtml+xml"}
    if answer.status not in (200, 206) or page:
        answer.close()
        raise MirrorError(
            "gives a web page instead of the file" if page else f"gives an empty answer ({answer.status})"
        )
    return answer


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to other addresses, but never from an encrypted one to one that is not."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme != "https"):
            raise MirrorError("sends on to an address of another kind, or one that is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _total(answer: http.client.HTTPResponse, have: int, limits: Limits) -> int | None:
    """How long the whole file is by the server's word, held against what is known. None: it does not say."""
    length = answer.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() and len(length) < 16 else None
    if answer.status == 206:
        span, _, whole = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        if not span.startswith(f"{have}-"):
            raise MirrorError("gives another range than it was asked for")
        total = int(whole) if whole.isdecimal() and len(whole) < 16 else None if total is None else total + have
    if total is not None and limits.bytes is not None and total != limits.bytes:
        raise MirrorError(f"has another file, of {total} bytes instead of {limits.bytes}")
    if total is not None and total > limits.most_bytes:
        raise MirrorError(f"has a file of {total / 1e6:.0f} MB, more than the {limits.most_bytes / 1e6:.0f} expected")
    return total if total is not None else limits.bytes


def _validator(headers: Message) -> str:
    """A strong ETag, else the date of change: what If-Range allows."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


def _copy(
    answer: http.client.HTTPResponse, file: IO[bytes], have: int, most: int, stall_s: float, tell: Callable[[int], None]
) -> int:
    """Append what comes, until it ends or is more than `most`. Returns: the bytes that are there."""
    tell(have)
    since_s, since_bytes = time.monotonic(), have
    while have <= most:
        try:
            data = answer.read1(CHUNK_BYTES)
        except TimeoutError:
            raise AgainError(f"stalled after {have} bytes") from None
        except (OSError, http.client.HTTPException):
            raise AgainError(f"broke off after {have} bytes") from None
        if not data:
            break
        file.write(data)
        have += len(data)
        tell(have)
        now_s = time.monotonic()
        if have - since_bytes >= SLOWEST_BYTES:
            since_s, since_bytes = now_s, have
        elif now_s - since_s > stall_s:
            raise AgainError(f"stalled after {have} bytes")
    return have
