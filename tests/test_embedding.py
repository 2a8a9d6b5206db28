"""What the map of features tells the script."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from demo import embedding
from engine import LANGUAGES, Embedding, Plan, Trained, backbones, nearest, project, say
from engine.tasks import Drawn


@pytest.fixture
def told(drawn: Drawn) -> tuple[dict[str, Any], Embedding]:
    """What is told of one network whose features are random, on every other held-out picture."""
    rng = np.random.default_rng(0)
    few = embedding.Few(list(range(0, 18, 2)), list(range(12)))
    found = Embedding(rng.normal(size=(9, 5)).astype(np.float32), rng.normal(size=(12, 5)).astype(np.float32))
    trained = Trained(Plan(examples=4), drawn, {})
    return embedding.facts(trained, drawn, few, {"scratch": found}, "pca", "a race"), found


def test_places_and_neighbours_are_the_engines(told: tuple[dict[str, Any], Embedding]) -> None:
    facts, found = told
    lane = facts["lanes"]["scratch"]
    np.testing.assert_allclose(np.stack([lane["x"], lane["y"]], 1), project(found.heldout), rtol=1e-3)
    assert lane["near"][4] == [k for k, _ in nearest(found, 4)]
    assert lane["alike"][4] == [round(share, 3) for _, share in nearest(found, 4)]


def test_labels_belong_to_the_rows_that_are_shown(told: tuple[dict[str, Any], Embedding]) -> None:
    facts = told[0]
    assert facts["heldout"]["rows"] == [0, 2, 4, 6, 8, 10, 12, 14, 16]
    assert facts["heldout"]["labels"] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert facts["training"]["labels"] == [0] * 4 + [1] * 4 + [2] * 4
    assert (facts["heldout"]["all"], facts["training"]["all"]) == (18, 12)


def test_what_is_told_is_json(told: tuple[dict[str, Any], Embedding]) -> None:
    assert json.loads(json.dumps(told[0], allow_nan=False)) == told[0]


@pytest.mark.parametrize(("count", "most", "rows"), [(3, 5, [0, 1, 2]), (10, 5, [0, 2, 4, 6, 8])])
def test_few_of_many_are_spread_evenly(count: int, most: int, rows: list[int]) -> None:
    assert embedding._spread(count, most) == rows


def test_the_work_tells_how_far_it_is_and_ends_with_the_map(drawn: Drawn) -> None:
    networks = {lane: backbones.build("resnet10", 3, 0, False) for lane in ("scratch", "transfer")}
    trained = Trained(Plan(examples=4), drawn, networks)
    said = list(embedding._work(trained, "a race", "pca", "ja"))
    assert all(set(one) == {"status"} for one in said[:-1])
    assert say("map.working", "ja", name=say("lane.scratch", "ja"), done=18, total=60) in [one.get("status") for one in said]
    assert list(said[-1]["lanes"]) == ["scratch", "transfer"]
    assert len(said[-1]["lanes"]["transfer"]["x"]) == len(drawn.heldout)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_frame_is_in_the_visitors_language_and_has_no_placeholder(language: str) -> None:
    markup = embedding.markup(language)
    assert embedding.said("map", language)["next"] in markup
    assert "{" not in markup
    assert "${" not in markup


def test_every_class_of_the_largest_set_has_a_look_of_its_own() -> None:
    """As embedding.js counts: the mark turns, and the colour is one further each time it has turned round."""
    marks, inks = len(embedding.MARKS), len(embedding.INKS)
    looks = {(kind % marks, (kind + kind // marks) % inks) for kind in range(marks * inks)}
    assert len(looks) == marks * inks == 64


def test_a_known_language_is_complete() -> None:
    english, japanese = embedding.known("en"), embedding.known("ja")
    assert english["words"].keys() == japanese["words"].keys()
