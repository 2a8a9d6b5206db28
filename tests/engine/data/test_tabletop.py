"""The embedded pictures are read from their sheets, and a changed sheet is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine import UnavailableError
from engine.data.tabletop import Tabletop
from tests.conftest import CELL, CLASSES, HELDOUT, TRAIN


def test_the_sheets_hold_the_listed_number_of_pictures(tiny_files: Path) -> None:
    tabletop = Tabletop(tiny_files / "tabletop")
    card, sheets = tabletop.card, tabletop.sheets()
    assert sheets["train"].shape == (3, TRAIN, CELL, CELL, 3)
    assert sheets["heldout"].shape == (3, HELDOUT, CELL, CELL, 3)
    assert card["per_class"] == {split: images.shape[1] for split, images in sheets.items()}


def test_a_picture_is_its_cell_of_the_sheet(tiny_files: Path) -> None:
    with Image.open(tiny_files / "tabletop" / "square-train.webp") as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    assert np.array_equal(
        Tabletop(tiny_files / "tabletop").sheets()["train"][1, 6], pixels[CELL : 2 * CELL, 2 * CELL : 3 * CELL]
    )  # four per row


def test_the_dataset_reads_the_pictures_of_the_sheets(tiny_files: Path) -> None:
    tabletop = Tabletop(tiny_files / "tabletop")
    dataset, sheets = tabletop.dataset, tabletop.sheets()
    assert dataset.classes == CLASSES
    for readers, split in ((dataset.training, "train"), (dataset.heldout, "heldout")):
        images = np.stack([[reader() for reader in class_readers] for class_readers in readers])
        assert np.array_equal(images, sheets[split])


def test_the_dataset_is_listed_before_a_sheet_is_read(tiny_files: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_files / "tabletop" / "tabletop.json", tmp_path)
    dataset = Tabletop(tmp_path).dataset
    assert [len(readers) for readers in dataset.training] == [TRAIN] * 3
    with pytest.raises(UnavailableError, match=r"round-train\.webp is missing; `python -m engine tabletop"):
        dataset.training[0][0]()


def test_a_changed_sheet_is_refused_by_its_checksum(tiny_files: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_files / "tabletop", tmp_path / "tabletop")
    sheet = tmp_path / "tabletop" / "round-heldout.webp"
    with Image.open(sheet) as original:
        original.convert("L").save(sheet, lossless=True)
    with pytest.raises(UnavailableError, match=r"round-heldout\.webp is damaged \(its checksum is not the one listed\)"):
        Tabletop(tmp_path / "tabletop").sheets()


def test_the_sheets_are_decoded_once(tiny_files: Path) -> None:
    tabletop = Tabletop(tiny_files / "tabletop")
    assert tabletop.sheets() is tabletop.sheets()
