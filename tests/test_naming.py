"""Names are a stranger's text: in a sentence they are short and steer nothing."""

from __future__ import annotations

from engine import naming


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


def test_a_count_agrees_with_its_noun_and_verb() -> None:
    assert [f"{naming.count(n, 'picture')} {naming.was(n)}" for n in (0, 1, 2000)] == [
        "0 pictures were",
        "1 picture was",
        "2,000 pictures were",
    ]
