"""The Tabletop pictures and the generator that made them. Only the last test needs Mitsuba; it is not installed in CI."""

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from engine.build.tabletop.catalogue import CATALOGUE
from engine.build.tabletop.difficulty import knobs
from engine.build.tabletop.mesh import Part, weld
from engine.build.tabletop.sheets import read_sheet
from engine.build.tabletop.streams import BANDS, streams
from engine.cli.main import main

ASSETS = Path(__file__).parents[3] / "assets" / "tabletop"
SPLITS = ("train", "heldout")


@pytest.fixture(scope="module")
def index() -> dict:
    return json.loads((ASSETS / "tabletop.json").read_text())


@pytest.fixture(scope="module")
def pictures(index: dict) -> dict[str, np.ndarray]:
    """Per split (classes, count, 96, 96, 3) uint8."""
    return {
        split: np.stack(
            [read_sheet(ASSETS / f"{name}-{split}.webp", index["per_class"][split]) for name in index["classes"]]
        )
        for split in SPLITS
    }


def hole(part: Part) -> float:
    """The length of all edges that belong to one face only: 0 for a closed mesh."""
    place = weld(part.points)
    corners = np.zeros((place.max() + 1, 3))
    corners[place] = part.points
    faces = place[part.faces]
    faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges, uses = np.unique(edges, axis=0, return_counts=True)
    ends = corners[edges[uses == 1]]
    return float(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).sum())


def volume(part: Part) -> float:
    """The volume that the faces enclose: positive where they face out."""
    a, b, c = (part.points[part.faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUE)
def test_every_part_is_closed_and_faces_out(name: str) -> None:
    for split in SPLITS:
        for number in range(3):
            for part in CATALOGUE[name].build(streams(7, name, split, number, 0).shape):
                assert hole(part) < 0.01, (split, number, part.role)  # a tube's ends are pinholes of radius 1e-4
                assert volume(part) > 0, (split, number, part.role)


def test_the_stream_of_a_picture_does_not_depend_on_earlier_draws() -> None:
    first = streams(1, "duck", "train", 5, 0).shape.random(4)
    streams(1, "mug", "train", 0, 0).shape.random(100)
    assert (streams(1, "duck", "train", 5, 0).shape.random(4) == first).all()
    others = [(2, "duck", "train", 5, 0), (1, "mug", "train", 5, 0), (1, "duck", "heldout", 5, 0)]
    others += [(1, "duck", "train", 6, 0), (1, "duck", "train", 5, 1)]
    for key in others:
        assert not np.isclose(streams(*key).shape.random(4), first).any()


def test_draws_for_one_purpose_do_not_change_another_stream() -> None:
    quiet, busy = streams(1, "duck", "train", 5, 0), streams(1, "duck", "train", 5, 0)
    busy.shape.random(100)
    assert quiet.camera.random() == busy.camera.random()


def test_heldout_shapes_and_textures_come_from_other_bands() -> None:
    drawn = {split: streams(1, "duck", split, 0, 0) for split in SPLITS}
    for purpose in ("shape", "texture"):
        bands = [set(np.floor(getattr(drawn[split], purpose).uniform(0, BANDS, 500))) for split in SPLITS]
        assert not bands[0] & bands[1]
        assert len(bands[0] | bands[1]) == BANDS


def test_difficulty_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="goes from 0"):
        knobs(1.5)


def test_without_the_renderer_the_command_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["tabletop", "--out", str(tmp_path)]) == 1
    assert "pip install mitsuba==3.9.1 drjit==1.5.0" in capsys.readouterr().err


def test_the_sheets_have_the_recorded_checksums(index: dict) -> None:
    assert index["classes"] == list(CATALOGUE)
    assert set(index["sha256"]) == {f"{name}-{split}.webp" for name in CATALOGUE for split in SPLITS}
    for name, checksum in index["sha256"].items():
        assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == checksum, name


@pytest.mark.slow
def test_every_declared_picture_exists(index: dict, pictures: dict[str, np.ndarray]) -> None:
    for split in SPLITS:
        assert pictures[split].shape == (10, index["per_class"][split], 96, 96, 3)
        assert pictures[split].std((2, 3, 4)).min() > 10  # no cell was left black


@pytest.mark.slow
def test_no_heldout_picture_is_a_near_copy_of_a_training_picture(pictures: dict[str, np.ndarray]) -> None:
    train, heldout = (thumbnails(pictures[split]) for split in SPLITS)
    correlation = heldout @ train.T
    assert correlation.max() < 0.985


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Pictures as unit vectors of 12 x 12 pixels around their own mean: their product is a correlation."""
    small = images.reshape(-1, 12, 8, 12, 8, 3).mean((2, 4), dtype=np.float32).reshape(-1, 432)
    small -= small.mean(1, keepdims=True)
    return small / np.linalg.norm(small, axis=1, keepdims=True)


@pytest.mark.slow
def test_colour_does_not_identify_the_class(pictures: dict[str, np.ndarray]) -> None:
    mean = {split: pictures[split][:, :, ::2, ::2].mean((2, 3), dtype=np.float32) for split in SPLITS}
    centroids = mean["train"].mean(1)
    nearest = np.linalg.norm(mean["heldout"][:, :, None] - centroids, axis=-1).argmin(-1)
    assert (nearest == np.arange(10)[:, None]).mean() <= 0.25  # chance is 0.1


def test_the_same_seed_makes_the_same_picture() -> None:
    pytest.importorskip("mitsuba")
    from engine.build.tabletop.photo import photograph

    first, again, other = (photograph(1, "mug", "train", number, 0.15).pixels for number in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
