"""The embedded pictures are those of their sheets, and a changed sheet is noticed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import CELL, CLASSES, HELDOUT, TRAIN
from PIL import Image

from engine import UnavailableError, embedded


def test_the_sheets_hold_so_many_pictures_as_their_list_says(tiny: Path) -> None:
    card, sheets = embedded.card(), embedded.sheets()
    assert sheets["train"].shape == (3, TRAIN, CELL, CELL, 3)
    assert sheets["heldout"].shape == (3, HELDOUT, CELL, CELL, 3)
    assert card["per_class"] == {split: found.shape[1] for split, found in sheets.items()}


def test_a_picture_is_its_cell_of_the_sheet(tiny: Path) -> None:
    with Image.open(tiny / "tabletop" / "square-train.webp") as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    assert np.array_equal(embedded.sheets()["train"][1, 6], pixels[CELL : 2 * CELL, 2 * CELL : 3 * CELL])  # four a row


def test_the_album_reads_the_same_pictures(tiny: Path) -> None:
    album, sheets = embedded.album(tiny / "tabletop"), embedded.sheets()
    assert album.classes == CLASSES
    for readers, split in ((album.training, "train"), (album.heldout, "heldout")):
        read = np.stack([[reader() for reader in mine] for mine in readers])
        assert np.array_equal(read, sheets[split])


def test_an_album_is_listed_before_a_sheet_is_read(tiny: Path, tmp_path: Path) -> None:
    shutil.copy(tiny / "tabletop" / "tabletop.json", tmp_path)
    album = embedded.album(tmp_path)
    assert [len(mine) for mine in album.training] == [TRAIN] * 3
    with pytest.raises(UnavailableError, match=r"round-train\.webp is missing; `python -m engine tabletop"):
        album.training[0][0]()


def test_a_sheet_that_is_another_picture_is_refused_by_its_checksum(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny / "tabletop", tmp_path / "tabletop")
    sheet = tmp_path / "tabletop" / "round-heldout.webp"
    with Image.open(sheet) as good:
        good.convert("L").save(sheet, lossless=True)
    monkeypatch.setattr(embedded, "ASSETS", tmp_path)
    embedded.forget()
    with pytest.raises(UnavailableError, match=r"round-heldout\.webp is damaged \(its checksum is not the one listed\)"):
        embedded.sheets()


def test_what_is_forgotten_is_read_again(tiny: Path) -> None:
    first = embedded.sheets()
    assert embedded.sheets() is first
    embedded.forget()
    assert embedded.sheets() is not first
