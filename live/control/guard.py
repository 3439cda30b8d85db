"""Who may talk to the server: hosts, sites, the token, and how often. Knows headers, nothing about what is served.

On this machine only: the Host must be this machine's, so that a stranger's name that resolves to 127.0.0.1 is refused,
and what browsers mark as coming from another site is refused. Beyond it: the Host must be an address or this machine's
name, and everybody needs the token. It travels in the clear: for a network of strangers put TLS before it.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"
COOKIE = "live-token"
TOKEN_BYTES = 16
WRONG_TOKENS_HZ, WRONG_TOKENS = 1.0, 10
"""So many wrong tokens in a second, and at once; then everybody without a token has to wait."""


@dataclass(slots=True)
class Bucket:
    """Lets so many things through in a second, and some more at once. Time comes in."""

    rate_hz: float
    most: float
    _left: float = field(init=False)
    _then_s: float = float("-inf")

    def __post_init__(self) -> None:
        self._left = self.most

    def take(self, now_s: float) -> bool:
        """Whether one more may pass now."""
        self._left = min(self.most, self._left + self.rate_hz * max(0.0, now_s - self._then_s))
        self._then_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class RefusedError(Exception):
    """Why somebody is not served; `status` for HTTP."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Guard:
    """Judges requests to one server."""

    def __init__(self, listen: str, port: int, token: str | None = None) -> None:
        """Args: token: None where only this machine can come; else who has it may."""
        self.port, self.local = port, ipaddress.ip_address(listen).is_loopback
        self.token = None if self.local else token or secrets.token_urlsafe(TOKEN_BYTES)
        self._names = {"localhost", LOOPBACK, "[::1]", listen}
        if not self.local:
            name = socket.gethostname().casefold()
            self._names |= {name, f"{name}.local"}
        self._wrong = Bucket(WRONG_TOKENS_HZ, WRONG_TOKENS)

    def check(self, method: str, path: str, headers: Mapping[str, str], now_s: float, token: str | None) -> None:
        """Judge a request.

        Args: token: as given in a cookie, the address or the header, None for none.
        Raises: RefusedError.
        """
        host = headers.get("Host", "").casefold()
        if not self._is_mine(host):
            raise RefusedError(403, f"only http://{LOOPBACK}:{self.port}/" if self.local else "not under this name")
        site = headers.get("Sec-Fetch-Site", "none")
        # Following a link to the page is fine; everything else must come from the page. `same-site` is another port.
        if site not in ("none", "same-origin") and (path != "/" or method != "GET"):
            raise RefusedError(403, "not from another site")
        origin = headers.get("Origin")
        if origin is not None and not self._is_own(origin.casefold()):
            raise RefusedError(403, "not from another site")
        if self.token is not None:
            self._check_token(token, now_s)

    def _check_token(self, token: str | None, now_s: float) -> None:
        assert self.token is not None
        if token is not None and secrets.compare_digest(token.encode(), self.token.encode()):
            return
        if token is not None and not self._wrong.take(now_s):
            raise RefusedError(429, "too many wrong tokens; wait a second")
        raise RefusedError(401, "needs the token that was told at the start: open the address with ?token=...")

    def _is_mine(self, host: str) -> bool:
        name, colon, port = host.rpartition(":")
        if not colon or port != str(self.port):
            return False
        if name in self._names:
            return True
        if self.local:
            return False
        try:  # an address cannot be made to mean another machine, as names can
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    def _is_own(self, origin: str) -> bool:
        return origin.startswith("http://") and self._is_mine(origin.removeprefix("http://"))
