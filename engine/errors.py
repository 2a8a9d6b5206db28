"""The errors of the engine: each is one sentence, and its class says what to change."""

from __future__ import annotations

from engine.i18n.messages import Message


class HeadStartError(Exception):
    """An error with one sentence for the user about what to change.

    Raised with the key of a message and its values, or with a Message: `str(error)` is the sentence in English.
    """

    def __init__(self, key: str, /, **values: object) -> None:
        self.message = key if isinstance(key, Message) else Message(key, **values)
        super().__init__(self.message)

    def translated(self, language: str) -> str:
        """The sentence in that language."""
        return self.message.translated(language)


class PlanError(HeadStartError):
    """A setting is out of range: change the setting."""


class UnavailableError(HeadStartError):
    """Weights or pictures are not available here: the sentence says what was tried and what to do."""


class DataError(HeadStartError):
    """These pictures or this file cannot be used: the sentence names them."""
