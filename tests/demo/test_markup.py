"""Templates escape their values, and line breaks between tags are removed."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from demo.markup import Template, alert, status


@pytest.fixture
def template(tmp_path: Path) -> Template:
    (tmp_path / "a.html").write_text("<p>\n  <b>{{ name }}</b>\n  <i>fixed</i> text\n</p>\n", encoding="utf-8")
    return Template(tmp_path / "a.html")


def test_values_are_escaped(template: Template) -> None:
    assert "<b>&lt;img src=x&gt;</b>" in template.render(name="<img src=x>")


def test_line_breaks_between_tags_are_removed(template: Template) -> None:
    assert template.render(name="a") == "<p><b>a</b><i>fixed</i> text\n</p>"


def test_a_missing_value_is_an_error(template: Template) -> None:
    with pytest.raises(jinja2.UndefinedError):
        template.render()


def test_messages_have_the_role_for_screen_readers() -> None:
    assert alert("<img src=x>") == '<p class="hs-alert" role="alert">&lt;img src=x&gt;</p>'
    assert status("done") == '<p role="status">done</p>'
    assert status("none", "hs-empty") == '<p class="hs-empty" role="status">none</p>'
