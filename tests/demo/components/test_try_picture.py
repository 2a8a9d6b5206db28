"""Predictions for a visitor's picture as markup, and which races are used."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from demo.components.try_picture import component as try_picture
from demo.components.try_picture.component import TryPicture
from engine import LANGUAGES, Answer, Plan, Trained, translate
from engine.race.inputs import RaceInputs
from engine.workspace import Workspace

CLASSES = ("mug", "<b>pot</b>", "duck", "plane", "lamp", "chair")


def answer(shares: tuple[float, ...] = (0.1, 0.6, 0.004, 0.0, 0.2, 0.096)) -> Answer:
    influence = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    return Answer(
        shares, int(np.argmax(shares)), influence if any(shares) else influence * 0, np.full((8, 8, 3), 200, np.uint8)
    )


def shown(answers: Mapping[str, Answer], language: str = "en") -> str:
    """The markup of one race's answers."""
    return try_picture.show([("a race", CLASSES, answers)], False, language)


def test_each_racer_shows_its_most_probable_classes_first() -> None:
    markup = shown({"scratch": answer(), "pretrained": answer()})
    for racer in markup.split("<article")[1:]:
        names = re.findall(r'<li[^>]*><span title="([^"]*)">', racer)
        assert names == ["&lt;b&gt;pot&lt;/b&gt;", "lamp", "mug", "chair", "duck"]
    assert [markup.index(translate(f"racer.{racer}")) for racer in ("scratch", "pretrained")] == sorted(
        markup.index(translate(f"racer.{racer}")) for racer in ("scratch", "pretrained")
    )


def test_shares_are_percent_and_small_ones_are_not_zero() -> None:
    markup = shown({"scratch": answer()})
    assert re.findall(r"<span>([^<]*%)</span>", markup) == ["60 %", "20 %", "10 %", "10 %", "&lt; 1 %"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_class_names_are_escaped(language: str) -> None:
    markup = shown({"scratch": answer()}, language)
    assert "<b>pot" not in markup
    assert translate("try_picture.looks", language, name="&lt;b&gt;pot&lt;/b&gt;") in markup


def test_pictures_are_data_uris() -> None:
    sources = re.findall(r'src="data:image/webp;base64,([^"]+)"', shown({"scratch": answer()}))
    seen, overlay = (Image.open(io.BytesIO(base64.b64decode(data))) for data in sources)
    assert seen.size == overlay.size == (8, 8)
    assert overlay.mode == "RGBA"


def test_a_diverged_network_has_a_message_and_no_classes() -> None:
    markup = shown({"scratch": answer((0.0,) * 6)})
    assert translate("try_picture.diverged") in markup
    assert "<li" not in markup


def test_opacity_and_lightness_of_the_map_grow_with_the_influence() -> None:
    colours = try_picture.colour_map(np.linspace(0, 1, 50)[None])[0].astype(int)
    assert (np.diff(colours[:, 3]) >= 0).all()
    luminance = colours[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > 0).all()


class Races:
    """The finished races of one visitor, "ann"."""

    def __init__(self, trained: Trained, workspace: Workspace) -> None:
        self._trained, self.workspace = trained, workspace

    def kept(self, visitor: str) -> list[tuple[str, str]]:
        return [("b", "second"), ("a", "<i>first</i>")] if visitor == "ann" else []

    def trained(self, race: str, visitor: str) -> Trained | None:
        return self._trained if visitor == "ann" else None


@pytest.fixture
def handlers(drawn: RaceInputs, workspace: Workspace) -> TryPicture:
    """Handlers for a visitor with two finished races."""
    return TryPicture(Races(Trained(Plan(examples_per_class=4), drawn.data, drawn.preprocessing, {}), workspace))


class Request:
    """The attributes of a request that handlers read."""

    headers: Mapping[str, str] = {"accept-language": "en"}
    query_params: Mapping[str, str] = {}


def test_without_a_race_a_message_says_to_race_first(handlers: TryPicture) -> None:
    outputs = list(handlers.answer({"visitor": "bob"}, "", np.zeros((8, 8, 3), np.uint8), Request()))
    assert translate("try_picture.empty") in outputs[-1]
    assert translate("try_picture.empty") in handlers.refresh({"visitor": "bob"}, "", Request())[1]


def test_without_a_picture_a_message_asks_for_one(handlers: TryPicture) -> None:
    assert translate("try_picture.waiting") in list(handlers.answer({"visitor": "ann"}, "", None, Request()))[-1]


@pytest.mark.parametrize(
    ("selection", "titles"),
    [("", ["second"]), ("a", ["&lt;i&gt;first&lt;/i&gt;"]), ("all", ["second", "&lt;i&gt;first&lt;/i&gt;"])],
)
def test_the_selected_races_are_shown(handlers: TryPicture, selection: str, titles: list[str]) -> None:
    outputs = list(handlers.answer({"visitor": "ann"}, selection, np.zeros((8, 8, 3), np.uint8), Request()))
    assert re.findall("<h3>(.*?)</h3>", outputs[-1]) == titles


def test_an_unreadable_picture_shows_an_error_message(handlers: TryPicture) -> None:
    outputs = list(handlers.answer({"visitor": "ann"}, "", np.zeros((8, 8), np.uint8), Request()))[-1]
    assert 'role="alert"' in outputs
    assert "cannot be read" in outputs


def test_a_held_out_picture_is_returned_without_changes(handlers: TryPicture, drawn: RaceInputs) -> None:
    event = gr.EventData(None, {"row": 3})
    picture = handlers.pick({"visitor": "ann"}, "", event)
    assert np.array_equal(picture, drawn.data.heldout[3].permute(1, 2, 0).numpy())


def test_held_out_pictures_are_buttons_with_labels(handlers: TryPicture) -> None:
    update, markup = handlers.refresh({"visitor": "ann"}, "gone", Request())
    assert update["value"] == try_picture.NEWEST
    assert [value for _, value in update["choices"]] == ["", "all", "b", "a"]
    rows = [int(row) for row in re.findall(r'data-row="(\d+)"', markup)]
    assert rows == sorted(set(rows))
    assert len(rows) == try_picture.HELDOUT_COUNT
    assert markup.count("aria-label=") == try_picture.HELDOUT_COUNT
