"""Names of files and classes inside sentences: they are shortened and control characters are removed."""

from __future__ import annotations

from engine.i18n import display_names
from engine.i18n.messages import Message


def test_class_names_are_short_and_without_control_characters() -> None:
    assert display_names.class_name(" a\n\x1b[31m\u202eb ") == "a[31mb"
    assert display_names.class_name("e\u0301") == "\u00e9"
    assert display_names.class_name("x" * 99) == "x" * 60
    assert display_names.class_name("\x00 ") == "unnamed"


def test_numbers_in_names_are_sorted_as_numbers() -> None:
    names = ["digit_10", "Digit_2", "digit_1", "7", "a"]
    assert sorted(names, key=display_names.natural) == ["7", "a", "digit_1", "Digit_2", "digit_10"]


def test_a_long_path_is_shortened_to_its_end() -> None:
    assert display_names.quoted("cats/001.png") == "'cats/001.png'"
    assert display_names.short("a/" * 80 + "001.png") == "…" + ("a/" * 80 + "001.png")[-79:]


def test_a_long_list_names_five_items_and_counts_the_others() -> None:
    assert display_names.some(list("abcde")) == "a; b; c; d; e"
    assert display_names.some(list("abcdefg")) == "a; b; c; d; e; and 2 more"


def test_a_count_agrees_with_its_noun() -> None:
    assert [display_names.count(n, "picture") for n in (0, 1, 2000)] == ["0 pictures", "1 picture", "2,000 pictures"]
    assert display_names.count(2000, "file").translated("ja") == "ファイル 2,000 個"


def test_a_list_of_sentences_is_translated() -> None:
    listed = display_names.some([display_names.left_out_of(name, Message("note.bare")) for name in "abcdefg"])
    assert listed.endswith("'e' was left out: it has no pictures; and 2 more")
    assert isinstance(listed, Message)
    assert listed.translated("ja").endswith("「e」は除きました: 画像がありません；ほか 2 件")
    assert display_names.some([]) == ""
