"""What goes wrong in a download, in words, and whether another try or another mirror may help."""

from __future__ import annotations

import errno
import socket
import ssl
import urllib.error
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from live.errors import ModelError

STATUS = {
    401: "wants a login (401)",
    403: "refuses it (403 forbidden)",
    404: "does not have it (404 not found)",
    407: "the proxy wants a login (407)",
    410: "does not have it any more (410 gone)",
    451: "may not give it in this country (451)",
}
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be others in a moment."""


class MirrorError(Exception):
    """This address does not give the file; another may. One short line."""


class AgainError(Exception):
    """A fault that may be gone at the next try. `anew`: what is there is of no use for it."""

    def __init__(self, why: str, *, wait_s: float = 0.0, anew: bool = False) -> None:
        super().__init__(why)
        self.wait_s, self.anew = wait_s, anew


def refused(error: urllib.error.HTTPError, have: int) -> NoReturn:
    """Say what a refusing answer means. Args: have: bytes that the request wanted to go on from."""
    with error:
        if error.code == 416 and have:
            raise AgainError("cannot go on where it stopped", anew=True)
        if error.code in AGAIN:
            wait = error.headers.get("Retry-After", "")
            wait_s = float(wait) if wait.isdecimal() and len(wait) < 6 else 0.0
            raise AgainError(f"is in trouble ({error.code})", wait_s=wait_s)
        if 300 <= error.code < 400:
            endless = "infinite" in str(error.reason)
            where = "from one address to the next without end" if endless else "on to an address of another kind"
            raise MirrorError(f"sends {where}")
        raise MirrorError(STATUS.get(error.code, f"refuses it ({error.code})"))


def unreachable(why: object, url: str) -> NoReturn:
    """Say why there was no answer."""
    host = urlsplit(url).hostname
    if isinstance(why, ssl.SSLCertVerificationError):
        raise MirrorError(f"its certificate is not valid ({why.verify_message}); a proxy or a wrong clock may be why")
    if isinstance(why, ssl.SSLError):
        raise MirrorError(f"no encrypted connection ({why.reason or why})")
    if isinstance(why, socket.gaierror):
        raise MirrorError(f"the name {host} is not known; is there a network, or a proxy to be set in https_proxy?")
    if isinstance(why, ConnectionRefusedError):
        raise MirrorError("nothing answers there (connection refused)")
    if isinstance(why, TimeoutError):
        raise AgainError("does not answer in time")
    if isinstance(why, OSError) and "Tunnel" in str(why):
        raise MirrorError(f"the proxy refuses the connection ({' '.join(str(why).split())[:100]})")
    raise AgainError(f"broke off ({' '.join(str(why).split())[:100]})")


def disk_fault(error: OSError, path: Path) -> NoReturn:
    """Say why a file cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise ModelError(
            f"the disk of {path.parent} is full; free some space and pull again: it goes on where it stopped"
        ) from None
    raise ModelError(f"cannot write {path} ({error.strerror or error}); allow it, or choose a folder in LIVE_MODELS")
