"""JSON that cannot be read is one error, with the reason."""

from __future__ import annotations

import pytest

from engine.jsontext import JsonError, parse_json


def test_json_is_read() -> None:
    assert parse_json('{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "Expecting value"), ("{", "Expecting property"), ("9" * 5000, "thousands of digits"), ("[" * 100_000, "too deep")],
    ids=["empty", "half", "digits", "deep"],
)
def test_whatever_cannot_be_read_is_one_error_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(JsonError, match=reason):
        parse_json(text)
