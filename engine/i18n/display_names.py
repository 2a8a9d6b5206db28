"""Names and counts inside sentences. File and class names come from users, so they are shortened and control characters
are removed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

from engine.i18n.messages import Message, joined_message, plural_message

LONGEST_NAME = 60  # characters of a class name
LISTED = 5  # items named in one note; the others are counted
BIDI_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # they change the direction of the surrounding text


def class_name(raw: str) -> str:
    """The class name of a folder: NFC, stripped, at most 60 characters, no control characters; "unnamed" if empty."""
    return plain(raw)[:LONGEST_NAME].strip() or "unnamed"


def natural(name: str) -> tuple[list[str | int], str]:
    """A sort key in which digit_2 comes before digit_10."""
    return [int(part) if k % 2 else part.casefold() for k, part in enumerate(re.split(r"(\d+)", name))], name


def plain(text: str) -> str:
    """The text in NFC and stripped, without control characters of terminals or of text direction."""
    kept = (
        c
        for c in unicodedata.normalize("NFC", text)
        if unicodedata.category(c) not in ("Cc", "Cs") and c not in BIDI_CONTROLS
    )
    return "".join(kept).strip()


def short(name: str) -> str:
    """A path as a note shows it: plain, and only the end of a long one."""
    text = plain(name)
    return text if len(text) <= LONGEST_NAME + 20 else f"…{text[-LONGEST_NAME - 19 :]}"


def quoted(name: str) -> Message:
    """A shortened name in the quotation marks of the language."""
    return Message("joined.quoted", name=short(name))


def count(n: int, noun: Literal["picture", "file"]) -> Message:
    """`1 picture`, `2,000 pictures`."""
    return plural_message(f"count.{noun}", n)


def left_out_of(name: str, why: Message) -> Message:
    """The sentence that a class was left out, and why."""
    return Message("note.class_out", name=quoted(name), why=why)


def some(items: Sequence[str]) -> str:
    """The first LISTED items in a row, and how many more there are; "" without items."""
    more = [Message("joined.more", n=len(items) - LISTED)] if len(items) > LISTED else []
    return joined_message("joined.items", [*items[:LISTED], *more]) if items else ""
