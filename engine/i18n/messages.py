"""The sentences of the page, the terminal and the exported documents, in every language.

A language is a folder, `en/` or `ja/`, with a JSON file for each area: key -> text with `{placeholders}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache, reduce
from pathlib import Path

LANGUAGES = {"en": "English", "ja": "日本語"}
HOME = Path(__file__).parent


@cache
def strings() -> Mapping[str, Mapping[str, str]]:
    """All sentences: key -> language -> text."""
    texts: dict[str, dict[str, str]] = {}
    for language in LANGUAGES:
        for path in sorted((HOME / language).glob("*.json")):
            for key, text in json.loads(path.read_text(encoding="utf-8")).items():
                texts.setdefault(key, {})[language] = text
    return texts


def translate(key: str, language: str = "en", **values: object) -> str:
    """The sentence of a key with its placeholders filled, in English where the language is missing.

    Raises KeyError for an unknown key or a placeholder without a value.
    """
    texts = strings()[key]
    text = texts.get(language, texts["en"])
    filled = {name: value.translated(language) if isinstance(value, Message) else value for name, value in values.items()}
    return text.format(**filled) if filled else text


class Message(str):
    """A sentence, or a part of one, that is translated when it is shown; as a str it is the English text.

    Its values are numbers, texts and other messages; anything else is stored as its str, so that a message can be pickled.
    """

    key: str
    values: dict[str, str | int | float]

    def __new__(cls, key: str, /, **values: object) -> Message:
        """The message of a key. Raises KeyError as `translate` does."""
        plain = {name: value if isinstance(value, str | int | float) else str(value) for name, value in values.items()}
        message = super().__new__(cls, translate(key, "en", **plain))
        message.key, message.values = key, plain
        return message

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, str | int | float]]:
        return (self.key,), self.values

    def translated(self, language: str) -> str:
        """The text in that language."""
        return translate(self.key, language, **self.values)


def plural_message(key: str, n: int, **values: object) -> Message:
    """The message `key`.one for n = 1 and `key`.many for any other n, for example `note.loose.one`."""
    return Message(f"{key}.{'one' if n == 1 else 'many'}", n=n, **values)


def joined_message(key: str, parts: Sequence[str]) -> str:
    """The parts in a row, joined by the message of `key` with its `{first}` and `{rest}`; a single part as it is."""
    return reduce(lambda first, rest: Message(key, first=first, rest=rest), parts)


def messages_under(prefix: str, language: str = "en") -> dict[str, str]:
    """All sentences whose keys start with a prefix, by the rest of their key: {"title": "…"}. The prefix "" gives all."""
    start = f"{prefix}." if prefix else ""
    return {key.removeprefix(start): translate(key, language) for key in strings() if key.startswith(start)}


def best_language(accept_language: str) -> str:
    """The language for an HTTP `Accept-Language` header such as "ja,en;q=0.8": the first available one, else English."""
    for part in accept_language.split(","):
        tag = part.split(";")[0].strip().lower()
        if tag.split("-")[0] in LANGUAGES:
            return tag.split("-")[0]
    return "en"
