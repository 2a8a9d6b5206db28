"""The title of the page and the question it answers."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from demo.markup import Template
from engine import translate

TEMPLATE = Template(Path(__file__).with_suffix(".html"))


def draw(language: str) -> str:
    """The header as markup."""
    return TEMPLATE.render(translate=partial(translate, language=language))
