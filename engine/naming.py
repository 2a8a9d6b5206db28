"""How names and numbers are put into a sentence: short, plain and only a few, since the names are a stranger's text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

from engine.strings import Line, counted, joined

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


def quoted(name: str) -> Line:
    """A name in quotes."""
    return Line("joined.quoted", name=short(name))


def count(n: int, noun: Literal["picture", "file"]) -> Line:
    """`1 picture`, `2,000 pictures`."""
    return counted(f"count.{noun}", n)


def left_out_of(kind: str, why: Line) -> Line:
    """That a class was left out, and why."""
    return Line("note.class_out", name=quoted(kind), why=why)


def some(items: Sequence[str]) -> str:
    """The first NAMED of them, and how many more there are; nothing of none."""
    more = [Line("joined.more", n=len(items) - NAMED)] if len(items) > NAMED else []
    return joined("joined.items", [*items[:NAMED], *more]) if items else ""
