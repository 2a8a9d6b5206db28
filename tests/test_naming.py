"""Names are a stranger's text: in a sentence they are short and steer nothing."""

from __future__ import annotations

from engine import naming
from engine.strings import Line


def test_class_names_are_short_and_steer_nothing() -> None:
    assert naming.class_name(" a\n\x1b[31m\u202eb ") == "a[31mb"
    assert naming.class_name("e\u0301") == "\u00e9"
    assert naming.class_name("x" * 99) == "x" * 60
    assert naming.class_name("\x00 ") == "unnamed"


def test_numbers_in_names_are_sorted_as_numbers() -> None:
    names = ["digit_10", "Digit_2", "digit_1", "7", "a"]
    assert sorted(names, key=naming.natural) == ["7", "a", "digit_1", "Digit_2", "digit_10"]


def test_of_a_long_path_the_end_is_said() -> None:
    assert naming.quoted("cats/001.png") == "'cats/001.png'"
    assert naming.short("a/" * 80 + "001.png") == "…" + ("a/" * 80 + "001.png")[-79:]


def test_of_many_things_five_are_named() -> None:
    assert naming.some(list("abcde")) == "a; b; c; d; e"
    assert naming.some(list("abcdefg")) == "a; b; c; d; e; and 2 more"


def test_a_count_agrees_with_its_noun() -> None:
    assert [naming.count(n, "picture") for n in (0, 1, 2000)] == ["0 pictures", "1 picture", "2,000 pictures"]
    assert naming.count(2000, "file").said("ja") == "ファイル 2,000 個"


def test_a_row_of_sentences_is_said_in_another_language() -> None:
    row = naming.some([naming.left_out_of(kind, Line("note.bare")) for kind in "abcdefg"])
    assert row.endswith("'e' was left out: it has no pictures; and 2 more")
    assert isinstance(row, Line)
    assert row.said("ja").endswith("「e」は除きました: 画像がありません；ほか 2 件")
    assert naming.some([]) == ""
