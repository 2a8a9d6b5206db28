"""Text on paper is truncated and wrapped to fit, and a page is A4."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from engine.export.report.paper import Paper

pytestmark = pytest.mark.slow  # draws: importing matplotlib takes a second


def texts(paper: Paper) -> list[str]:
    return [text.get_text() for text in paper.figure.texts]


def test_wrapped_lines_fit_the_width_and_keep_every_letter() -> None:
    paper, text = Paper(), "the quick brown fox 湯のみ茶碗 jumps over the lazy dog"
    lines = paper.wrapped(text, 150, 16)
    assert len(lines) > 2
    assert all(paper.width(line, 16) <= 150 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_japanese_breaks_between_any_two_characters() -> None:
    paper = Paper()
    lines = paper.wrapped("。" * 40, 150, 16)
    assert [paper.width(line + "。", 16) > 150 for line in lines[:-1]] == [True] * (len(lines) - 1)


def test_a_line_that_is_too_wide_is_truncated_as_late_as_possible() -> None:
    paper = Paper()
    paper.line("a class with a long name", 100, 100, 16, fit=90)
    (text,) = texts(paper)
    kept = text.removesuffix("…")
    assert "a class with a long name".startswith(kept)
    assert paper.width(text, 16) <= 90 < paper.width("a class with a long name"[: len(kept) + 1] + "…", 16)


def test_a_paragraph_moves_below_itself_and_marks_where_it_was_truncated() -> None:
    paper = Paper()
    top = paper.y
    paper.paragraph("word " * 100, paper.LEFT, 200, 20, most=2)
    assert paper.y == pytest.approx(top + 2 * 1.35 * 20)
    assert [text.endswith("…") for text in texts(paper)] == [False, True]


def test_a_formula_is_text() -> None:
    paper = Paper()
    paper.line("$\\frac{1}", 100, 100, 16)
    assert texts(paper) == ["$\\frac{1}"]
    assert paper.save("a title")


def test_a_page_is_a4_at_150_dots_an_inch() -> None:
    with Image.open(io.BytesIO(Paper().save("a title"))) as image:
        assert image.size == (1240, 1754)
        assert image.info["Title"] == "a title"
