"""What cannot be done is said in a sentence, in every language, wherever it was raised."""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from engine.errors import DataError, HeadStartError, PlanError, UnavailableError
from engine.i18n.messages import Message, joined_message, plural_message, strings
from engine.plan import Plan

HOME = Path(__file__).parents[2]
SOURCES = sorted(p for p in [*HOME.glob("engine/**/*.py"), *HOME.glob("demo/**/*.py")] if "tabletop" not in p.parts)
REFUSALS = ("PlanError", "DataError", "UnavailableError")


def test_an_error_is_a_sentence_in_every_language() -> None:
    error = DataError("refusal.upload.classes", most=12)
    assert str(error) == "there are 12 classes already; put more of them into a zip"
    assert error.translated("ja") == "クラスはすでに 12 個あります。もっと多い場合は zip にまとめてください"
    assert error.translated("xx") == error.translated("en") == str(error)


def test_a_sentence_within_a_sentence_is_said_in_the_same_language() -> None:
    with pytest.raises(PlanError) as refusal:
        Plan(epochs=0)
    assert str(refusal.value).startswith("epochs is 0; it must be from 1 to 500: one epoch sees")
    assert refusal.value.translated("ja").startswith("epochs が 0 です。1 から 500 までにしてください。1 エポックで")
    nested = DataError("refusal.picture.later", name="a.png", why=DataError("refusal.picture.empty").message)
    assert str(nested) == "a.png is empty; when the set was scanned, it could be read"
    assert nested.translated("ja").startswith("a.png: 空です。")


def test_lines_are_counted_and_joined() -> None:
    lines: list[str] = [plural_message("note.loose", n) for n in (1, 2)]
    row = joined_message("joined.sentences", [*lines, "as it is"])
    assert row == (
        "1 picture outside of the class folders was left out. "
        "2 pictures outside of the class folders were left out. as it is"
    )
    assert isinstance(row, Message)
    assert row.translated("ja").count("除きました。") == 2
    assert joined_message("joined.items", lines[:1]) is lines[0]


def test_what_a_stranger_wrote_is_no_placeholder() -> None:
    line = Message("note.class_out", name="{why} {0} %s", why=Message("note.bare"))
    assert line == "{why} {0} %s was left out: it has no pictures"
    assert line.translated("ja") == "{why} {0} %sは除きました: 画像がありません"


@pytest.mark.parametrize("kind", [PlanError, DataError, UnavailableError])
def test_an_error_goes_to_another_process_whole(kind: type[HeadStartError], tmp_path: Path) -> None:
    error = kind("refusal.recording.unreadable", path=tmp_path, error=Message("refusal.picture.empty"))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (str(again), again.translated("ja"), again.message.values) == (
        str(error),
        error.translated("ja"),
        error.message.values,
    )


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Where a file makes a line or an error: by what name, and how."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        is_named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args
        if is_named and node.func.id in (*REFUSALS, "Message", "plural_message"):
            yield node.func.id, node


def keys_of(name: str, node: ast.expr) -> list[str]:
    """The keys that an argument may be; a key built from parts is every key of that form."""
    end = r"\.(one|many)" if name == "plural_message" else ""
    if isinstance(node, ast.IfExp):
        return [*keys_of(name, node.body), *keys_of(name, node.orelse)]
    if isinstance(node, ast.Constant):
        pattern = re.escape(str(node.value))
    elif isinstance(node, ast.JoinedStr):
        pattern = "".join(re.escape(str(v.value)) if isinstance(v, ast.Constant) else r"[\w-]+" for v in node.values)
    else:
        return []
    return [key for key in strings() if re.fullmatch(pattern + end, key)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(HOME).as_posix())
def test_every_error_names_a_sentence_and_fills_its_placeholders(path: Path) -> None:
    for name, call in calls(path):
        where, first = f"line {call.lineno}: {ast.unparse(call)}", call.args[0]
        if isinstance(first, ast.Constant | ast.JoinedStr | ast.IfExp):
            keys = keys_of(name, first)
            assert keys, where
            given = {keyword.arg for keyword in call.keywords} | ({"n"} if name == "plural_message" else set())
            if None in given:  # **values
                continue
            for key in keys:
                wanted = {part for _, part, _, _ in Formatter().parse(strings()[key]["en"]) if part}
                assert given == wanted, where
