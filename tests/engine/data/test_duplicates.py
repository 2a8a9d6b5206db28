"""Identical pictures and near-duplicates are detected, also resized or encoded again; different pictures are not."""

from __future__ import annotations

import io
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.data import duplicates, image
from tests.conftest import shared
from tests.helpers.pictures import TWO, folder, look_at, packed, shown, texture


def test_a_picture_in_two_classes_is_left_out_of_both(tmp_path: Path) -> None:
    dataset = look_at(tmp_path, {**TWO, "dogs/twin.png": TWO["cats/003.png"]})
    remaining = shown([read for readers in dataset.training + dataset.heldout for read in readers])
    assert np.asarray(texture(3)).tobytes() not in remaining
    assert len(remaining) == 19
    assert dataset.notes[0] == (
        "1 picture in more than one class was left out of each, since it is not known which class is correct: "
        "cats/003.png is also dogs/twin.png"
    )


def test_a_picture_in_both_splits_is_dropped_from_training(tmp_path: Path) -> None:
    files = (
        {f"train/{name}": data for name, data in TWO.items()}
        | folder("test/cats", [3, 50])
        | folder("test/dogs", [150, 151])
    )
    dataset = look_at(tmp_path, files)
    assert np.asarray(texture(3)).tobytes() in shown(dataset.heldout[0])
    assert np.asarray(texture(3)).tobytes() not in shown(dataset.training[0])
    assert dataset.notes[0] == "1 picture was left out of training, being held out too: train/cats/003.png"


@pytest.mark.parametrize(
    "copy",
    [
        lambda picture: picture,
        lambda picture: picture.resize((80, 80), Image.Resampling.BICUBIC),
        lambda picture: Image.open(io.BytesIO(packed(picture, "JPEG", quality=40))),
        lambda picture: picture.crop((1, 1, 47, 47)),
    ],
    ids=["same", "resized", "encoded again", "slightly cropped"],
)
@pytest.mark.parametrize("seed", range(2))
def test_near_duplicates_stay_in_one_split(seed: int, copy, tmp_path: Path) -> None:  # noqa: ANN001
    twins = {f"cats/{k:03}-copy.png": packed(copy(texture(k))) for k in range(8)}
    dataset = look_at(tmp_path, {**TWO, **twins}, seed)
    heldout = {read.args[0].name[5:8] for read in dataset.heldout[0]}
    assert len(dataset.heldout[0]) == 2 * len(heldout) == 4
    assert not heldout & {read.args[0].name[5:8] for read in dataset.training[0]}
    assert dataset.notes == (
        "held out: 7 of 28, a quarter of each class; 8 groups of near-duplicates were kept on one side",
    )


def test_different_pictures_are_not_near_duplicates() -> None:
    thumbnails = np.stack([np.asarray(texture(k).convert("L").resize((17, 16))) for k in range(700)])
    assert duplicates.near_duplicates(thumbnails).tolist() == list(range(700))


def test_near_duplicates_form_chains_and_blank_pictures_are_near_duplicates() -> None:
    ramp = np.tile(np.linspace(20, 200, 17), (16, 1))
    thumbnails = np.stack([ramp, np.full((16, 17), 9), ramp[::, ::-1], np.full((16, 17), 250), ramp + 20]).astype(np.uint8)
    assert duplicates.near_duplicates(thumbnails).tolist() == [0, 1, 2, 1, 0]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "pictures_in_it"), [("sign_digits", 2062), ("hymenoptera", 397), ("omniglot5", 2000)])
def test_few_real_pictures_count_as_near_duplicates(name: str, pictures_in_it: int) -> None:
    groups: dict[str, list[tuple[str, bytes]]] = {}
    with zipfile.ZipFile(shared("data", f"{name}.zip")) as archive:
        for member in archive.namelist():
            if member.endswith(".jpg"):
                groups.setdefault(member.split("/")[-2], []).append((member, archive.read(member)))
    near = total = 0
    for members in groups.values():
        thumbnails = np.stack([duplicates.fingerprint(partial(image.read_image, data))[1] for _, data in members])
        near += sum(np.bincount(duplicates.near_duplicates(thumbnails)) > 1)
        total += len(thumbnails)
    assert total == pictures_in_it
    assert near < 0.01 * total


def test_the_fingerprint_of_a_large_jpeg_is_that_of_the_full_image() -> None:
    data = packed(texture(1, 1200), "JPEG")
    scaled, full = (
        duplicates.fingerprint(read) for read in (partial(image.read_image, data), lambda side: image.read_image(data))
    )
    assert np.abs(scaled[1].astype(int) - full[1]).max() <= 3
    assert scaled[0] == duplicates.fingerprint(partial(image.read_image, data))[0]
