"""The PNG is an A4 page, also for hostile class names, long notes and a stopped race."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from engine.export.report import sheet
from engine.workspace import Workspace
from tests.helpers.recorded import HOSTILE, PICTURES, STAMP, race


@pytest.mark.slow  # seconds: four hundred texts are set
@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_png_is_a_page_of_paper(language: str) -> None:
    made = sheet.png(STAMP, race(HOSTILE), Workspace(), PICTURES, language, "$x^ <b>notes</b> 湯のみ\n" * 3)
    with Image.open(io.BytesIO(made)) as image:
        assert (image.format, image.size) == ("PNG", (1240, 1754))
        assert [round(d) for d in image.info["dpi"]] == [150, 150]


@pytest.mark.slow
def test_the_png_of_a_stopped_race_without_pictures_and_with_endless_notes() -> None:
    made = sheet.png(STAMP, race(reason="stopped"), Workspace(), None, notes="why " * 5000)
    with Image.open(io.BytesIO(made)) as image:
        assert image.size == (1240, 1754)
