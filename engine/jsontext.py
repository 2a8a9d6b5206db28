"""Reads untrusted JSON: a text that cannot be read raises one error type, with a sentence."""

from __future__ import annotations

import json

from engine.i18n.messages import Message


class JsonError(ValueError):
    """A text that is not JSON, or JSON that Python cannot represent. `str(error)` is the reason."""

    def __init__(self, reason: str) -> None:
        self.reason = reason  # a Message where it can be translated
        super().__init__(reason)


def parse_json(text: str) -> object:
    """The value of a JSON text. Raises JsonError and nothing else."""
    try:
        return json.loads(text)  # type: ignore[no-any-return]
    except json.JSONDecodeError as error:
        raise JsonError(str(error)) from None
    except ValueError:  # Python reads whole numbers up to sys.get_int_max_str_digits(), 4,300 digits
        raise JsonError(Message("refusal.json.digits")) from None
    except RecursionError:
        raise JsonError(Message("refusal.json.deep")) from None
