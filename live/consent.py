"""Consent: every source face that shows somebody carries a statement of who agreed. Knows text only."""

from __future__ import annotations

import shlex
import unicodedata
from pathlib import Path

from live.errors import ConsentError

BUNDLED = "composite"
"""What the bundled people carry: they are nobody's likeness."""
SELF = "self"
LEAST_CHARACTERS, MOST_CHARACTERS = 8, 500
LEAST_DISTINCT = 4
EXAMPLE = "Maria Lopez agreed by mail on 2026-03-01"


def checked_consent(text: str, photo: Path, command: str) -> str:
    """A statement of consent on one line: `self`, or a sentence saying who agreed, when and how.

    Args: command: the command the user gave, with `{photo}` where the photo goes; shown with --consent in the error.
    Raises: ConsentError.
    """
    text = " ".join("".join(" " if unicodedata.category(sign) == "Cc" else sign for sign in text).split())
    if text.casefold() == SELF:
        return SELF
    wrong = _wrong(text)
    if wrong:
        given = command.format(photo=shlex.quote(str(photo)))
        raise ConsentError(
            f"{wrong}; say whose face it is: {given} --consent self (your own face), "
            f'or --consent "{EXAMPLE}" (who agreed, when and how)'
        )
    return text


def _wrong(text: str) -> str:
    if not text:
        return "a source face needs a statement of consent"
    if text.casefold() == BUNDLED:
        return f"--consent {BUNDLED} is for the bundled people, who are nobody's likeness"
    if len(text) > MOST_CHARACTERS:
        return f"the statement of consent is longer than {MOST_CHARACTERS} characters"
    letters = {sign.casefold() for sign in text if sign.isalpha()}
    one_word = " " not in text and text.isascii()  # not every script parts its words
    if len(text) < LEAST_CHARACTERS or one_word or len(letters) < LEAST_DISTINCT:
        return f"{text!r} is no statement of consent"
    return ""
