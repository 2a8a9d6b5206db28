"""The PNG is a page of paper, whatever the race was and was called."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from told import HOSTILE, PICTURES, STAMP, race

from engine.export import sheet


@pytest.mark.slow  # seconds: four hundred texts are set
@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_png_is_a_page_of_paper(language: str) -> None:
    made = sheet.png(STAMP, race(HOSTILE), PICTURES, language, "$x^ <b>notes</b> 湯のみ\n" * 3)
    with Image.open(io.BytesIO(made)) as image:
        assert (image.format, image.size) == ("PNG", (1240, 1754))
        assert [round(d) for d in image.info["dpi"]] == [150, 150]


@pytest.mark.slow
def test_the_png_of_a_stopped_race_without_pictures_and_with_endless_notes() -> None:
    made = sheet.png(STAMP, race(reason="stopped"), None, notes="why " * 5000)
    with Image.open(io.BytesIO(made)) as image:
        assert image.size == (1240, 1754)
