"""How names and numbers are put into a sentence: short, plain and only a few, since the names are a stranger's text."""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME = 60  # characters of a class name
NAMED = 5  # things in one note; of the others it gives the number
STEERING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # turn the direction of the text around them


def class_name(raw: str) -> str:
    """A folder's name as a class is called: NFC, stripped, at most 60 characters, nothing that steers a terminal."""
    return plain(raw)[:LONGEST_NAME].strip() or "unnamed"


def natural(name: str) -> tuple[list[str | int], str]:
    """A sort key in which digit_2 comes before digit_10."""
    return [int(part) if k % 2 else part.casefold() for k, part in enumerate(re.split(r"(\d+)", name))], name


def plain(text: str) -> str:
    """NFC and stripped, without what steers a terminal or turns the text around it."""
    kept = (
        c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c) not in ("Cc", "Cs") and c not in STEERING
    )
    return "".join(kept).strip()


def short(name: str) -> str:
    """A path as it is said in a note: plain, and of a long one the end."""
    text = plain(name)
    return text if len(text) <= LONGEST_NAME + 20 else f"…{text[-LONGEST_NAME - 19 :]}"


def quoted(name: str) -> str:
    """A name in quotes."""
    return f"'{short(name)}'"


def count(n: int, noun: str) -> str:
    """`1 picture`, `2,000 pictures`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def was(n: int) -> str:
    """The verb after a count."""
    return "was" if n == 1 else "were"


def some(items: list[str]) -> str:
    """The first NAMED of them, and how many more there are."""
    more = [f"and {len(items) - NAMED:,} more"] if len(items) > NAMED else []
    return "; ".join(items[:NAMED] + more)
