"""The data of the feature map and its handlers."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr
import numpy as np
import pytest

from demo.components.feature_map import component as feature_map
from engine import LANGUAGES, Embedding, Plan, Trained, messages_under, nearest, project, translate
from engine.models import pretrained
from engine.race.inputs import RaceInputs
from engine.workspace import Workspace


@pytest.fixture
def mapped(drawn: RaceInputs) -> tuple[dict[str, Any], Embedding]:
    """The data of a map, and the random features it shows, of every other held-out picture."""
    rng = np.random.default_rng(0)
    rows = feature_map.SampledRows(list(range(0, 18, 2)), list(range(12)))
    embedding = Embedding(rng.normal(size=(9, 5)).astype(np.float32), rng.normal(size=(12, 5)).astype(np.float32))
    trained = Trained(Plan(examples_per_class=4), drawn.data, drawn.preprocessing, {})
    return feature_map.map_data(trained, drawn.data, rows, {"scratch": embedding}, "a race"), embedding


def test_coordinates_and_neighbours_are_those_of_the_engine(mapped: tuple[dict[str, Any], Embedding]) -> None:
    data, embedding = mapped
    racer = data["racers"]["scratch"]
    np.testing.assert_allclose(np.stack([racer["x"], racer["y"]], 1), project(embedding.heldout), rtol=1e-3)
    assert racer["near"][4] == [k for k, _ in nearest(embedding, 4)]
    assert racer["alike"][4] == [round(similarity, 3) for _, similarity in nearest(embedding, 4)]


def test_labels_belong_to_the_sampled_rows(mapped: tuple[dict[str, Any], Embedding]) -> None:
    data = mapped[0]
    assert data["heldout"]["rows"] == [0, 2, 4, 6, 8, 10, 12, 14, 16]
    assert data["heldout"]["labels"] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert data["training"]["labels"] == [0] * 4 + [1] * 4 + [2] * 4
    assert (data["heldout"]["all"], data["training"]["all"]) == (18, 12)


def test_the_data_is_json(mapped: tuple[dict[str, Any], Embedding]) -> None:
    assert json.loads(json.dumps(mapped[0], allow_nan=False)) == mapped[0]


@pytest.mark.parametrize(("count", "maximum", "rows"), [(3, 5, [0, 1, 2]), (10, 5, [0, 2, 4, 6, 8])])
def test_sampled_rows_are_evenly_spaced(count: int, maximum: int, rows: list[int]) -> None:
    assert feature_map.evenly_spaced(count, maximum) == rows


class Races:
    """The finished races of one visitor, "ann"."""

    def __init__(self, trained: Trained, workspace: Workspace) -> None:
        self._trained, self.workspace = trained, workspace

    def kept(self, visitor: str) -> list[tuple[str, str]]:
        return [("1", "a race")] if visitor == "ann" else []

    def trained(self, race: str, visitor: str) -> Trained | None:
        return self._trained if visitor == "ann" else None


REQUEST = gr.Request(headers={"accept-language": "ja"}, query_params={})


def test_the_handler_yields_its_progress_and_then_the_map(drawn: RaceInputs, workspace: Workspace) -> None:
    networks = {racer: pretrained.build(drawn.backbone, 3, 0, False) for racer in ("scratch", "pretrained")}
    handlers = feature_map.FeatureMap(
        Races(Trained(Plan(examples_per_class=4), drawn.data, drawn.preprocessing, networks), workspace)
    )
    outputs = list(handlers.draw({"visitor": "ann"}, REQUEST))
    assert all(set(output) == {"status"} for output in outputs[:-1])
    progress = translate("map.working", "ja", name=translate("racer.scratch", "ja"), done=18, total=60)
    assert progress in [output.get("status") for output in outputs]
    assert outputs[-1]["title"] == "a race"
    assert list(outputs[-1]["racers"]) == ["scratch", "pretrained"]
    assert len(outputs[-1]["racers"]["pretrained"]["x"]) == len(drawn.data.heldout)


def test_without_a_race_a_message_says_to_race_first(drawn: RaceInputs, workspace: Workspace) -> None:
    handlers = feature_map.FeatureMap(
        Races(Trained(Plan(examples_per_class=4), drawn.data, drawn.preprocessing, {}), workspace)
    )
    assert list(handlers.draw({"visitor": "bob"}, REQUEST)) == [{"status": translate("map.empty", "ja")}]
    assert handlers.fail(REQUEST) == {"alert": translate("map.failed", "ja")}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_markup_is_translated_and_has_no_placeholder(language: str) -> None:
    markup = feature_map.markup(language)
    assert messages_under("map", language)["next"] in markup
    assert "{" not in markup
    assert "${" not in markup


def test_each_of_64_classes_has_a_distinct_mark_and_colour() -> None:
    """As the script assigns them: marks in turn, and the colour shifts by one after each round of marks."""
    marks, inks = len(feature_map.MARKS), len(feature_map.INKS)
    styles = {(index % marks, (index + index // marks) % inks) for index in range(marks * inks)}
    assert len(styles) == marks * inks == 64


def test_every_language_has_the_same_texts() -> None:
    english, japanese = feature_map.known("en"), feature_map.known("ja")
    assert english["words"].keys() == japanese["words"].keys()
