"""One line of the doctor. Knows nothing about what was looked at."""

from __future__ import annotations

from dataclasses import dataclass

NAME_WIDTH = 16
TEXT_AT = 7 + 2 + NAME_WIDTH + 1  # 26: column of the text, below which the mends stand


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one thing, and the way out."""

    name: str
    fine: bool
    text: str
    """One line for people."""
    mend: tuple[str, ...] = ()
    """Commands to type, in order; what is no command starts with `#`. On a fine finding: what would be better still."""
    needed: bool = False
    """Without it nothing works; the others are choices."""

    def __str__(self) -> str:
        sign = "ok     " if self.fine else "MISSING" if self.needed else "missing"
        word = "better" if self.fine else "mend"
        lines = [f"{sign}  {self.name:{NAME_WIDTH}} {self.text}"]
        for index, step in enumerate(self.mend):
            head = f"{word}: " if index == 0 else " " * (len(word) + 2)
            lines.append(f"{'':{TEXT_AT}}{head}{step}")
        return "\n".join(lines)
