"""What the page says of a picture, and which races it may ask."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from demo import tryit
from demo.hub import Hub
from engine import LANGUAGES, Answer, Plan, Trained, say
from engine.tasks import Drawn

CLASSES = ("mug", "<b>pot</b>", "duck", "plane", "lamp", "chair")


def answer(shares: tuple[float, ...] = (0.1, 0.6, 0.004, 0.0, 0.2, 0.096)) -> Answer:
    found = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    return Answer(shares, int(np.argmax(shares)), found if any(shares) else found * 0, np.full((8, 8, 3), 200, np.uint8))


def test_every_racer_shows_its_likeliest_classes_first() -> None:
    markup = tryit.show({"scratch": answer(), "transfer": answer()}, CLASSES, "en")
    for lane in markup.split("<article")[1:]:
        names = re.findall(r'<li[^>]*><span title="([^"]*)">', lane)
        assert names == ["&lt;b&gt;pot&lt;/b&gt;", "lamp", "mug", "chair", "duck"]
    assert [markup.index(say(f"lane.{lane}")) for lane in ("scratch", "transfer")] == sorted(
        markup.index(say(f"lane.{lane}")) for lane in ("scratch", "transfer")
    )


def test_shares_are_percent_and_little_is_not_nothing() -> None:
    markup = tryit.show({"scratch": answer()}, CLASSES, "en")
    assert re.findall(r"<span>([^<]*%)</span>", markup) == ["60 %", "20 %", "10 %", "10 %", "&lt; 1 %"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_name_that_somebody_wrote_is_never_markup(language: str) -> None:
    markup = tryit.show({"scratch": answer()}, CLASSES, language)
    assert "<b>pot" not in markup
    assert say("try.looks", language, name="&lt;b&gt;pot&lt;/b&gt;") in markup


def test_the_pictures_are_in_the_markup_itself() -> None:
    found = re.findall(r'src="data:image/webp;base64,([^"]+)"', tryit.show({"scratch": answer()}, CLASSES, "en"))
    seen, shine = (Image.open(io.BytesIO(base64.b64decode(data))) for data in found)
    assert seen.size == shine.size == (8, 8)
    assert shine.mode == "RGBA"


def test_a_network_that_diverged_is_said_to_have_no_answer() -> None:
    markup = tryit.show({"scratch": answer((0.0,) * 6)}, CLASSES, "en")
    assert say("try.diverged") in markup
    assert "<li" not in markup


def test_the_map_covers_more_where_it_says_more_and_is_lighter_there() -> None:
    colours = tryit.paint(np.linspace(0, 1, 50)[None])[0].astype(int)
    assert (np.diff(colours[:, 3]) >= 0).all()
    luminance = colours[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > 0).all()


Handlers = dict[str, Callable[..., Any]]


@pytest.fixture(scope="module")
def page() -> Iterator[tuple[Hub, Handlers]]:
    """The page over a hub without races, and its handlers by name."""
    hub = Hub()
    with gr.Blocks() as blocks:
        tryit.build(hub, gr.BrowserState({}))
    yield hub, {block.fn.__name__: block.fn for block in blocks.fns.values()}
    hub.close()


@pytest.fixture
def handlers(page: tuple[Hub, Handlers], drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> Handlers:
    """The handlers while one visitor has two races."""
    hub, found = page
    trained = Trained(Plan(examples=4), drawn, {})
    races = [("b", "second"), ("a", "<i>first</i>")]
    monkeypatch.setattr(hub, "kept", lambda visitor: races if visitor == "her" else [], raising=False)
    monkeypatch.setattr(hub, "trained", lambda race, visitor: trained if visitor == "her" else None, raising=False)
    return found


class Asks:
    """What a handler reads of a request."""

    headers: Mapping[str, str] = {"accept-language": "en"}
    query_params: Mapping[str, str] = {}


def test_a_visitor_without_a_race_is_told_to_race_first(handlers: Handlers) -> None:
    said = list(handlers["answer"]({"visitor": "him"}, "", np.zeros((8, 8, 3), np.uint8), Asks()))
    assert say("try.empty") in said[-1]
    assert say("try.empty") in handlers["refresh"]({"visitor": "him"}, "", Asks())[1]


def test_without_a_picture_it_says_how_to_bring_one(handlers: Handlers) -> None:
    assert say("try.waiting") in list(handlers["answer"]({"visitor": "her"}, "", None, Asks()))[-1]


@pytest.mark.parametrize(
    ("chosen", "titles"),
    [("", ["second"]), ("a", ["&lt;i&gt;first&lt;/i&gt;"]), ("all", ["second", "&lt;i&gt;first&lt;/i&gt;"])],
)
def test_the_races_that_were_chosen_answer(handlers: Handlers, chosen: str, titles: list[str]) -> None:
    said = list(handlers["answer"]({"visitor": "her"}, chosen, np.zeros((8, 8, 3), np.uint8), Asks()))
    assert re.findall("<h3>(.*?)</h3>", said[-1]) == titles


def test_what_is_no_picture_is_refused_in_a_sentence(handlers: Handlers) -> None:
    said = list(handlers["answer"]({"visitor": "her"}, "", np.zeros((8, 8), np.uint8), Asks()))[-1]
    assert 'role="alert"' in said
    assert "cannot be read" in said


def test_a_held_out_picture_comes_as_it_is(handlers: Handlers, drawn: Drawn) -> None:
    event = gr.EventData(None, {"row": 3})
    picked = handlers["pick"]({"visitor": "her"}, "", event)
    assert np.array_equal(picked, drawn.heldout[3].permute(1, 2, 0).numpy())


def test_held_out_pictures_are_buttons_with_names(handlers: Handlers) -> None:
    update, markup = handlers["refresh"]({"visitor": "her"}, "gone", Asks())
    assert update["value"] == tryit.NEWEST
    assert [value for _, value in update["choices"]] == ["", "all", "b", "a"]
    rows = [int(row) for row in re.findall(r'data-row="(\d+)"', markup)]
    assert rows == sorted(set(rows))
    assert len(rows) == tryit.OFFERED
    assert markup.count("aria-label=") == tryit.OFFERED
