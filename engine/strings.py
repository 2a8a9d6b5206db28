"""Every sentence a visitor reads, in every language it is there in. Knows no page, no race and no numbers.

The sentences stand in one file, `strings.json`: key -> language -> text with `{placeholders}`. The page, the documents one
takes away and the terminal say them from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache, reduce
from pathlib import Path

LANGUAGES = {"en": "English", "ja": "日本語"}
FILE = Path(__file__).with_name("strings.json")


@cache
def strings() -> Mapping[str, Mapping[str, str]]:
    """All sentences: key -> language -> text."""
    return json.loads(FILE.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def say(key: str, language: str = "en", **values: object) -> str:
    """The sentence of that key, its placeholders filled. A language that is not there is English.

    Raises KeyError where there is no such sentence, or where a placeholder has no value.
    """
    texts = strings()[key]
    text = texts.get(language, texts["en"])
    told = {name: value.said(language) if isinstance(value, Line) else value for name, value in values.items()}
    return text.format(**told) if told else text


class Line(str):
    """A sentence, or a part of one, that can still be said in another language; as a text it is the English one.

    Its values are numbers, texts and other lines; anything else is kept as its text, so that a line can be pickled.
    """

    key: str
    values: dict[str, str | int | float]

    def __new__(cls, key: str, /, **values: object) -> Line:
        """The line of that key. Raises KeyError as `say` does."""
        kept = {name: value if isinstance(value, str | int | float) else str(value) for name, value in values.items()}
        line = super().__new__(cls, say(key, "en", **kept))
        line.key, line.values = key, kept
        return line

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, str | int | float]]:
        return (self.key,), self.values

    def said(self, language: str) -> str:
        """It in that language."""
        return say(self.key, language, **self.values)


def counted(key: str, n: int, **values: object) -> Line:
    """The line below that key for one, or for any other number: `note.loose.one`, `note.loose.many`."""
    return Line(f"{key}.{'one' if n == 1 else 'many'}", n=n, **values)


def joined(key: str, parts: Sequence[str]) -> str:
    """Parts in a row, as the line of that key puts `{first}` and `{rest}` together; a single one as it is."""
    return reduce(lambda first, rest: Line(key, first=first, rest=rest), parts)


def said(prefix: str, language: str = "en") -> dict[str, str]:
    """All sentences below a prefix, by the rest of their key: what a script on a page is told. {"title": "…"}

    Below "" stand all there are.
    """
    start = f"{prefix}." if prefix else ""
    return {key.removeprefix(start): say(key, language) for key in strings() if key.startswith(start)}


def best_language(wanted: str) -> str:
    """The language to answer in for an HTTP `Accept-Language`, "ja,en;q=0.8": the first that is there, else English."""
    for part in wanted.split(","):
        tag = part.split(";")[0].strip().lower()
        if tag.split("-")[0] in LANGUAGES:
            return tag.split("-")[0]
    return "en"
