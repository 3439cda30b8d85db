"""Network addresses as people may read them: without what opens a door. Knows text only."""

from __future__ import annotations

import re


def masked(url: str) -> str:
    """The address without user, password and the values behind `?`: fit for messages and logs."""
    url = re.sub(r"(?<=://)[^/?#]*@", "***@", url)
    return re.sub(r"(?<=[?&])([^=&#]*)=[^&#]*", r"\1=***", url)


def without_key(url: str) -> str:
    """The masked address of a server that pictures are sent to; of RTMP without its last part, the stream key."""
    url = masked(url)
    return re.sub(r"^(rtmps?://[^/?#]*/[^?#]*/)[^/?#]+", r"\1***", url, flags=re.IGNORECASE)
