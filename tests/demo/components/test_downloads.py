"""The markup of the view and the values for its script. Its behaviour is tested in tests/browser/test_downloads.py."""

from __future__ import annotations

import re

import pytest

from demo.components.downloads import component as downloads
from engine import EXPORT_FILES, LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_file_has_a_card(language: str) -> None:
    assert re.findall(r'data-format="(\w+)"', downloads.markup(language)) == list(EXPORT_FILES)
    assert "${" not in downloads.markup(language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_script_exists(language: str) -> None:
    known = downloads.known(language)
    script = downloads.SCRIPT.read_text(encoding="utf-8")
    used = set(re.findall(r"\bwords\.(\w+)", script)) | set(re.findall(r'\bwords\["([\w.]+)"\]', script))
    assert used <= set(known["words"])
    assert set(known["files"]) == set(EXPORT_FILES)
