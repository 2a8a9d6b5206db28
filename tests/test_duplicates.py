"""The same picture twice is found, also resized or encoded again, and a different one is left alone."""

from __future__ import annotations

import io
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from conftest import shared
from PIL import Image
from visitors import TWO, folder, look_at, packed, shown, texture

from engine import duplicates, pictures


def test_a_picture_in_two_classes_is_left_out_of_both(tmp_path: Path) -> None:
    found = look_at(tmp_path, {**TWO, "dogs/twin.png": TWO["cats/003.png"]})
    both = shown([read for readers in found.training + found.heldout for read in readers])
    assert np.asarray(texture(3)).tobytes() not in both
    assert len(both) == 19
    assert found.notes[0] == (
        "1 picture in more than one class was left out of each, since nobody can say which is right: "
        "cats/003.png is also dogs/twin.png"
    )


def test_a_picture_in_both_splits_is_not_learnt_from(tmp_path: Path) -> None:
    files = (
        {f"train/{name}": data for name, data in TWO.items()}
        | folder("test/cats", [3, 50])
        | folder("test/dogs", [150, 151])
    )
    found = look_at(tmp_path, files)
    assert np.asarray(texture(3)).tobytes() in shown(found.heldout[0])
    assert np.asarray(texture(3)).tobytes() not in shown(found.training[0])
    assert found.notes[0] == "1 picture was left out of training, being held out too: train/cats/003.png"


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
def test_near_duplicates_stay_on_one_side(seed: int, copy, tmp_path: Path) -> None:  # noqa: ANN001
    twins = {f"cats/{k:03}-copy.png": packed(copy(texture(k))) for k in range(8)}
    found = look_at(tmp_path, {**TWO, **twins}, seed)
    held = {read.args[0].name[5:8] for read in found.heldout[0]}
    assert len(found.heldout[0]) == 2 * len(held) == 4
    assert not held & {read.args[0].name[5:8] for read in found.training[0]}
    assert found.notes == ("held out: 7 of 28, a quarter of each class; 8 groups of near-duplicates were kept on one side",)


def test_different_pictures_are_not_near() -> None:
    looks = np.stack([np.asarray(texture(k).convert("L").resize((17, 16))) for k in range(700)])
    assert duplicates.near_duplicates(looks).tolist() == list(range(700))


def test_near_pictures_chain_and_blank_ones_are_alike() -> None:
    ramp = np.tile(np.linspace(20, 200, 17), (16, 1))
    looks = np.stack([ramp, np.full((16, 17), 9), ramp[::, ::-1], np.full((16, 17), 250), ramp + 20]).astype(np.uint8)
    assert duplicates.near_duplicates(looks).tolist() == [0, 1, 2, 1, 0]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "pictures_in_it"), [("sign_digits", 2062), ("hymenoptera", 397), ("omniglot5", 2000)])
def test_of_real_pictures_few_are_taken_for_near_duplicates(name: str, pictures_in_it: int) -> None:
    groups: dict[str, list[tuple[str, bytes]]] = {}
    with zipfile.ZipFile(shared("data", f"{name}.zip")) as archive:
        for member in archive.namelist():
            if member.endswith(".jpg"):
                groups.setdefault(member.split("/")[-2], []).append((member, archive.read(member)))
    near = total = 0
    for members in groups.values():
        looks = np.stack([duplicates.look(partial(pictures.read, data))[1] for _, data in members])
        near += sum(np.bincount(duplicates.near_duplicates(looks)) > 1)
        total += len(looks)
    assert total == pictures_in_it
    assert near < 0.01 * total


def test_a_look_at_a_large_jpeg_shows_what_a_look_at_all_of_it_does() -> None:
    data = packed(texture(1, 1200), "JPEG")
    quick, slow = (duplicates.look(read) for read in (partial(pictures.read, data), lambda side: pictures.read(data)))
    assert np.abs(quick[1].astype(int) - slow[1]).max() <= 3
    assert quick[0] == duplicates.look(partial(pictures.read, data))[0]
