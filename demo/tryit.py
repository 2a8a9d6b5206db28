"""Try your own: asks the networks of finished races about a visitor's picture and shows what they say and where they look.

Knows no network: answers come from the hub's races, pictures from the visitor or from those that no racer trained on.
"""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from demo import words, zero
from demo.hub import Hub
from engine import Answer, HeadStartError, Plan, Trained, cells, find_task, say

BARS = 5  # classes shown, the likeliest first
OFFERED = 12  # held-out pictures to pick from
NEWEST, ALL = "", "all"  # what may be asked besides one race: the one that ended last, and all of this visit
ASK: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
QUIET: dict[str, Any] = {"queue": False, **ASK}
WORK: dict[str, Any] = {**ASK, "concurrency_id": "try", "concurrency_limit": 2, "trigger_mode": "always_last"}
# From what says nothing to what says most: dark blue, teal, green, yellow; lighter all the way, so it holds in grey too
INKS = np.array([[38, 22, 92], [33, 102, 138], [58, 170, 118], [250, 228, 60]], np.float64)
CLEAR = (90, 165)  # of 255: how much of the picture the map covers where it says nothing, and where it says most
# A held-out picture is a button: the row it has among them goes to Python, and the picture comes back
PICK = """element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-row]");
  if (button) trigger("click", { row: Number(button.dataset.row) });
});"""


@dataclass(frozen=True)
class Parts:
    """What the page binds together: `refresh` fills `race` and `heldout` once races of this visit have ended."""

    race: gr.Dropdown
    image: gr.Image
    heldout: gr.HTML
    refresh: dict[str, Any]  # keywords of an event of the page: fn, inputs, outputs


def build(hub: Hub, kept: gr.BrowserState) -> Parts:
    """Draw it where the caller stands. `kept` names the visitor; only her own races are asked."""
    with gr.Column(elem_classes="hs-try"):
        gr.Markdown(f"## {words.text('try.title')}\n\n{words.text('try.about')}")
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=300):
                race = gr.Dropdown(_choices([]), value=NEWEST, label=words.text("try.race"), elem_id="hs-try-race")
                image = gr.Image(
                    label=words.text("try.image"),
                    sources=["upload", "webcam", "clipboard"],
                    type="numpy",
                    format="png",  # as it is: Gradio's own choice loses detail
                    height=260,
                    buttons=[],
                    elem_id="hs-try-image",
                )
                heldout = gr.HTML(
                    html_template="${value || ''}",
                    js_on_load=PICK,
                    apply_default_css=False,
                    padding=False,
                    elem_id="hs-try-heldout",
                )
                other = gr.Button(words.text("try.other"), size="sm", elem_id="hs-try-other")
            with gr.Column(scale=5, min_width=300):
                gr.Checkbox(True, label=words.text("try.map"), container=False, interactive=True, elem_id="hs-try-map")
                said = gr.HTML("", apply_default_css=False, padding=False, elem_id="hs-try-said")

    def refresh(state: dict[str, str], chosen: str, request: gr.Request) -> tuple[Any, ...]:
        """The races of this visit, and a few held-out pictures to pick from, or what to do first where there is no race."""
        language, visitor = words.language_of(request), state.get("visitor", "")
        races = hub.kept(visitor)
        value = chosen if chosen in (ALL, *(race_id for race_id, _ in races)) else NEWEST
        asked = _asked(hub, visitor, value)
        offered = _offered(asked[0][1], language) if asked else _note(say("try.empty", language))
        return gr.update(choices=_choices(races), value=value), offered

    def pick(state: dict[str, str], chosen: str, event: gr.EventData) -> Any:
        """The held-out picture whose button was pressed, as it is before a race does anything to it."""
        asked = _asked(hub, state.get("visitor", ""), chosen)
        if not asked:
            return gr.skip()
        try:
            return cells(_plain(asked[0][1].plan), "heldout", [int(event.row)], asked[0][1].px)[0]
        except HeadStartError:  # its pictures were given away meanwhile
            return gr.skip()

    def answer(state: dict[str, str], chosen: str, picture: np.ndarray | None, request: gr.Request) -> Iterator[str]:
        """What the racers of the chosen races say of the picture."""
        language = words.language_of(request)
        asked = _asked(hub, state.get("visitor", ""), chosen)
        if not asked or picture is None:
            yield _note(say("try.empty" if not asked else "try.waiting", language))
            return
        yield _note(say("try.looking", language))
        try:
            parts = [
                _titled(title, show(zero.apart(trained.answer, picture), trained.classes, language))
                for title, trained in asked
            ]
            if any(trained.places is not None for _, trained in asked):
                parts.append(f'<p class="hs-try-note">{escape(say("try.patches", language))}</p>')
            yield f'<div role="status" lang="{language}">{_legend(language)}{"".join(parts)}</div>'
        except HeadStartError as error:
            yield _alert(say("try.unreadable", language, why=error.line))

    def unreadable(request: gr.Request) -> str:
        return _alert(say("try.damaged", words.language_of(request)))

    asking: dict[str, Any] = {"fn": answer, "inputs": [kept, race, image], "outputs": said, **WORK}
    refreshing: dict[str, Any] = {"fn": refresh, "inputs": [kept, race], "outputs": [race, heldout], **QUIET}
    gr.on([image.change, race.input], **asking).failure(unreadable, None, said, **QUIET)
    race.input(**refreshing)
    other.click(**refreshing)
    heldout.click(pick, [kept, race], image, **QUIET)
    return Parts(race, image, heldout, refreshing)


def show(answers: Mapping[str, Answer], classes: Sequence[str], language: str) -> str:
    """The markup of one race's answers, racer beside racer: what each saw, where it looked, and its likeliest classes."""
    lanes = "".join(_lane(lane, answer, classes, language) for lane, answer in answers.items())
    return f'<div class="hs-try-lanes">{lanes}</div>'


def paint(found: np.ndarray) -> np.ndarray:
    """A map (H, W) in 0..1 as colours to lay over the picture, (H, W, 4) uint8: the more it says, the less transparent."""
    steps = np.linspace(0, 1, len(INKS))
    inks = [np.interp(found, steps, INKS[:, k]) for k in range(3)]
    return np.stack([*inks, np.interp(found, [0, 1], CLEAR)], -1).round().astype(np.uint8)


def _lane(lane: str, answer: Answer, classes: Sequence[str], language: str) -> str:
    name, alt = escape(say(f"lane.{lane}", language)), escape(say("try.seen", language, px=len(answer.seen)))
    head = f'<article class="hs-try-lane" style="--lane:var(--hs-{lane})" data-lane="{lane}"><h4>{name}</h4>'
    seen = f'<img src="{_data_uri(answer.seen)}" alt="{alt}">'
    if not any(answer.probabilities):
        why = escape(say("try.diverged", language))
        return f'{head}<p class="hs-try-named">–</p><div class="hs-try-picture">{seen}</div><p>{why}</p></article>'
    named = classes[answer.kind]
    looks = escape(say("try.looks" if answer.map.any() else "try.nowhere", language, name=named))
    likeliest = sorted(range(len(classes)), key=lambda k: -answer.probabilities[k])[:BARS]
    bars = "".join(_bar(classes[k], answer.probabilities[k]) for k in likeliest)
    seen += f'<img class="hs-try-map" src="{_data_uri(paint(answer.map))}" alt="">'
    return (
        f'{head}<p class="hs-try-named"><b>{escape(named)}</b> {_percent(answer.probabilities[answer.kind])}</p>'
        f'<figure><div class="hs-try-picture">{seen}</div><figcaption class="hs-try-map">{looks}</figcaption></figure>'
        f'<ol class="hs-try-bars">{bars}</ol></article>'
    )


def _bar(name: str, share: float) -> str:
    return (
        f'<li style="--share:{share:.4f}"><span title="{escape(name)}">{escape(name)}</span>'
        f"<span>{_percent(share)}</span></li>"
    )


def _percent(share: float) -> str:
    """Whole percent; a little more than nothing does not read as nothing."""
    return "&lt; 1 %" if 0 < share < 0.005 else words.percent(share)


def _data_uri(pixels: np.ndarray) -> str:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "webp", quality=90)
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}"


def _titled(title: str, markup: str) -> str:
    return f'<section class="hs-try-race"><h3>{escape(title)}</h3>{markup}</section>'


def _legend(language: str) -> str:
    inks = ",".join(f"rgb({r:.0f} {g:.0f} {b:.0f})" for r, g, b in INKS)
    low, high = escape(say("try.low", language)), escape(say("try.high", language))
    ramp = f'<span style="background:linear-gradient(90deg,{inks})"></span>'
    return f'<p class="hs-try-legend hs-try-map">{low} {ramp} {high}</p>'


def _note(text: str) -> str:
    return f'<p class="hs-try-empty" role="status">{escape(text)}</p>'


def _alert(text: str) -> str:
    return f'<p class="hs-alert" role="alert">{escape(text)}</p>'


def _choices(races: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    several = [(words.text("try.all"), ALL)] if len(races) > 1 else []
    return [(words.text("try.newest"), NEWEST), *several, *((title, race_id) for race_id, title in races)]


def _asked(hub: Hub, visitor: str, chosen: str) -> list[tuple[str, Trained]]:
    """The races that are asked, each with its title; those whose networks are no longer kept are left out."""
    races = hub.kept(visitor)
    if chosen == NEWEST:
        races = races[:1]
    elif chosen != ALL:
        races = [one for one in races if one[0] == chosen]
    found = [(title, hub.trained(race_id, visitor)) for race_id, title in races]
    return [(title, trained) for title, trained in found if trained is not None]


def _plain(plan: Plan) -> Plan:
    """The plan with its pictures as they are: the networks of a broken race break them again."""
    return replace(plan, patches=1, inverted=False)


def _offered(trained: Trained, language: str) -> str:
    """Buttons with a few held-out pictures, drawn anew each time; nothing where they are not to be had any more."""
    try:
        count = find_task(trained.plan.task).heldout
        rows = sorted(random.sample(range(count), min(OFFERED, count)))
        pictures = cells(_plain(trained.plan), "heldout", rows)
    except HeadStartError:
        return ""
    buttons = "".join(
        f'<button type="button" data-row="{row}" aria-label="{escape(say("try.pick", language, number=row + 1))}">'
        f'<img src="{_data_uri(picture)}" alt=""></button>'
        for row, picture in zip(rows, pictures, strict=True)
    )
    intro = escape(say("try.heldout", language))
    return f'<p id="hs-try-pick">{intro}</p><div role="group" aria-labelledby="hs-try-pick">{buttons}</div>'
