"""Whose turn it is when something cannot be done. Knows nothing of settings, pictures or weights themselves."""

from __future__ import annotations

from engine.strings import Line


class HeadStartError(Exception):
    """Something that one sentence to the person in front of it can mend.

    Raised with the key of the sentence and its values, or with a line: `str(error)` is the sentence in English.
    """

    def __init__(self, key: str, /, **values: object) -> None:
        self.line = key if isinstance(key, Line) else Line(key, **values)
        super().__init__(self.line)

    def said(self, language: str) -> str:
        """The sentence in that language."""
        return self.line.said(language)


class PlanError(HeadStartError):
    """A setting is out of range: change it."""


class UnavailableError(HeadStartError):
    """Weights or pictures are not to be had here: the sentence says what was tried and what to do."""


class DataError(HeadStartError):
    """These pictures or this file cannot be used: the sentence names them."""
