"""Pages escape their values, programs do not, and a missing value is an error."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from engine.export.templates import content_policy, render_inlined_page, render_page, render_program

HOSTILE = "</script><b>{{ name }}"


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text("<p>{{ text }}</p>\n<script>{{ text | tojson }}</script>\n", encoding="utf-8")
    return path


def test_a_page_escapes_its_values_and_does_not_parse_them(template: Path) -> None:
    page = render_page(template, text=HOSTILE)
    assert "<p>&lt;/script&gt;&lt;b&gt;{{ name }}</p>" in page
    (data,) = re.findall(r"<script>(.*)</script>", page)
    assert json.loads(data) == HOSTILE


def test_a_program_does_not_escape_its_values(template: Path) -> None:
    assert "<p>a < b & c</p>" in render_program(template, text="a < b & c")


def test_a_missing_value_is_an_error(template: Path) -> None:
    with pytest.raises(UndefinedError):
        render_page(template)


def test_json_keeps_its_order_and_its_letters_and_refuses_nan(template: Path) -> None:
    assert '{"猫":1,"a":2}' in render_page(template, text={"猫": 1, "a": 2})
    with pytest.raises(ValueError, match="JSON"):
        render_page(template, text=float("nan"))


def test_the_policy_of_an_inlined_page_allows_only_its_style_and_script(tmp_path: Path) -> None:
    path = tmp_path / "inlined.html"
    path.write_text("{{ policy | safe }}\n{{ style | safe }}\n{{ script | safe }}", encoding="utf-8")
    page = render_inlined_page(path, "a > b {}", "1 < 2", "img-src data:")
    assert page.split("\n") == [content_policy("a > b {}", "1 < 2", "img-src data:"), "a > b {}", "1 < 2"]
