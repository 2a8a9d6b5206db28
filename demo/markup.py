"""Jinja2 templates for the HTML of the page: each `.html` file is next to the Python file that renders it.

Every value is escaped. Text written by visitors must not go into the template of `gr.HTML` itself (see components/base.py).
"""

from __future__ import annotations

import re
from pathlib import Path

import jinja2

ENVIRONMENT = jinja2.Environment(
    autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined, cache_size=0
)


class Template:
    """A template compiled from an `.html` file."""

    def __init__(self, path: Path) -> None:
        self._template = ENVIRONMENT.from_string(path.read_text(encoding="utf-8"))

    def render(self, **values: object) -> str:
        """The markup with these values. White space with a line break between two tags is removed."""
        return re.sub(r">\s*\n\s*<", "><", self._template.render(**values)).strip()


_MESSAGE = ENVIRONMENT.from_string(
    '<p{% if css_class %} class="{{ css_class }}"{% endif %} role="{{ role }}">{{ text }}</p>'
)


def alert(text: str) -> str:
    """An error message, as a paragraph that a screen reader reads at once."""
    return _MESSAGE.render(text=text, role="alert", css_class="hs-alert")


def status(text: str, css_class: str = "") -> str:
    """A status message, as a paragraph that a screen reader reads when it is idle."""
    return _MESSAGE.render(text=text, role="status", css_class=css_class)
