"""What stands where, which button calls what. No arithmetic: plans go to the hub, facts come from its log."""

from __future__ import annotations

import json
import secrets
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import gradio as gr

from demo import controls, live, network, own, stream, words
from demo.hub import Hub, QueueFullError
from demo.offer import Offer
from demo.shelf import Shelf
from engine import HeadStartError, Plan, PlanError, find_backbone, find_task, side, stages

RECORDING = Path(__file__).parents[1] / "assets" / "races" / "default.jsonl"
LONG, QUICK = 100.0, 60.0  # seconds: above the first, a race is offered that takes the second
SHOWN = 20  # classes whose pictures are shown
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build(hub: Hub, offer: Offer, shelf: Shelf) -> gr.Blocks:
    """The whole page over this hub."""
    plan = Plan()
    # Uploads that a handler did not delete itself are gone after an hour
    with gr.Blocks(title=words.TITLE, analytics_enabled=False, fill_width=True, delete_cache=(600, 3600)) as page:
        kept = gr.BrowserState({}, storage_key="headstart", secret="not a secret: a race id and a random name")
        query = gr.Textbox(visible=False)
        gr.HTML(
            f'<header class="hs-header"><h1>{escape(words.TITLE)}</h1><p>{escape(words.QUESTION)}</p></header>',
            apply_default_css=False,
        )
        with gr.Row(equal_height=False, elem_id="hs-main"):
            with gr.Column(scale=2, min_width=320, elem_id="hs-side"):
                panel = controls.build(offer.tasks(), offer.backbones(), lambda task: own.build(shelf, offer, kept, task))
            with gr.Column(scale=5, min_width=320):
                race_box = live.build()
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=320):
                net = gr.HTML(_network(plan), apply_default_css=False, elem_id="hs-network-box")
            with gr.Column(scale=1, min_width=320):
                strip = gr.HTML(_pictures(plan), apply_default_css=False, elem_id="hs-pictures-box")
        everything = gr.HTML(offer.table(), apply_default_css=False, elem_id="hs-offer-box")
        with gr.Accordion(words.ABOUT, open=False):
            about = gr.Markdown(words.about(find_backbone(plan.backbone), find_task(plan.task)))

        def offered(state: dict[str, str], seen: Plan) -> tuple[Any, ...]:
            """The lists of pictures and networks for this visitor, with the plan's own picked."""
            mine, networks = offer.tasks(shelf.of(state.get("visitor", ""))), offer.backbones()
            return gr.update(choices=mine, value=seen.task), gr.update(choices=networks, value=seen.backbone)

        def shown(state: dict[str, str], seen: Plan) -> list[object]:
            """Every widget as the plan has it; as the default has it where its pictures were given away meanwhile."""
            try:
                return [*offered(state, seen), *controls.show_plan(seen)[2:]]
            except HeadStartError:
                return [*offered(state, Plan()), *controls.show_plan(Plan())[2:]]

        def allowed(state: dict[str, str], asked: Plan) -> Plan:
            """The plan, if this visitor may race on its pictures. Raises PlanError: another visitor's are not hers."""
            offers = {name for _, name in offer.tasks(shelf.of(state.get("visitor", "")))}
            if asked.task not in offers:
                raise PlanError(words.NOT_OFFERED.format(name=asked.task))
            if asked.backbone not in {name for _, name in offer.backbones()}:
                raise PlanError(words.NOT_OFFERED.format(name=asked.backbone))
            return asked

        def enter(state: dict[str, str], request: gr.Request) -> tuple[Any, ...]:
            """Show what this visitor was watching: the plan of the link, else of the race, else the default one."""
            state = {"visitor": state.get("visitor") or secrets.token_urlsafe(12), "race": state.get("race", "")}
            link = dict(request.query_params)
            race = link.get("race") or state["race"]
            log = hub.find(race)
            if log is None:
                race = hub.running or "recorded"
                log = hub.find(race)
            seen = log.plan if log and race != "recorded" else Plan()
            alert = ""
            try:
                seen = allowed(state, seen)
            except HeadStartError:
                seen = Plan()
            try:
                if linked := Plan.from_query(urlencode(link)).to_query():
                    seen = allowed(state, Plan.from_query(linked))
            except HeadStartError as error:
                alert = str(error)
            owner = bool(log and log.owner == state["visitor"])
            value = {"race": race, "visitor": state["visitor"] if owner else "", "owner": owner, "alert": alert}
            return state, value, offer.table(), *shown(state, seen)

        def refreshed(state: dict[str, str]) -> tuple[Any, ...]:
            """What can be had, once the hosts have answered; what is picked stays."""
            offer.refresh()
            mine = offer.tasks(shelf.of(state.get("visitor", "")))
            return offer.table(), gr.update(choices=mine), gr.update(choices=offer.backbones())

        def refusal(error: Exception) -> dict[str, str]:
            """A sentence for the live component to show; a toast would need the queue."""
            return {"alert": f"{words.NOT_STARTED}: {error}", "turn": secrets.token_hex(4)}

        def start(state: dict[str, str], *values: object) -> tuple[Any, ...]:
            """Read the plan and start, or say in a sentence why not."""
            state = {**state, "visitor": state.get("visitor") or secrets.token_urlsafe(12)}
            try:
                plan = allowed(state, controls.read_plan(values))
                race = hub.start(plan, state["visitor"])
            except (HeadStartError, QueueFullError) as error:
                return state, refusal(error)
            shelf.touch(plan.task)
            state["race"] = race
            return state, {"race": race, "visitor": state["visitor"], "owner": True}

        def stop(state: dict[str, str]) -> None:
            hub.stop(state.get("race", ""), state.get("visitor", ""))

        def reset(state: dict[str, str]) -> tuple[Any, ...]:
            """Everything as at the first visit; a race of this visitor's ends."""
            stop(state)
            value = {"race": "recorded", "visitor": "", "owner": False, "turn": secrets.token_hex(4)}
            return {**state, "race": ""}, value, *shown(state, Plan())

        def preview(*values: object) -> tuple[Any, ...]:
            """The sentence, what would fit, the network, the pictures and the preset for the settings as they stand."""
            try:
                seen = controls.read_plan(values)
                preset = controls.preset_of(seen)
                why = words.PRESETS[preset][1] if preset else ""
                return _choice(hub, seen), _fit(hub, seen), _network(seen), _pictures(seen), preset, why
            except HeadStartError as error:
                return str(error), gr.update(visible=False), *[gr.skip()] * 4

        def picked(*values: object) -> tuple[Any, ...]:
            """Another task or network: how far the sliders go, and what exactly runs."""
            try:
                seen = controls.read_plan(values)
                ends = controls.limits(seen)
            except HeadStartError:
                return gr.skip(), gr.skip(), gr.skip()
            said = words.about(find_backbone(seen.backbone), find_task(seen.task))
            return ends["examples"], ends["learning_stages"], said

        def make_fit(state: dict[str, str], *values: object) -> list[object]:
            """The widgets for a race that fits."""
            try:
                seen = controls.read_plan(values)
                return shown(state, hub.fit(seen, QUICK) or seen)
            except HeadStartError:
                return shown(state, Plan())

        def link(*values: object) -> tuple[Any, ...]:
            """The query of a link to these settings."""
            try:
                return controls.read_plan(values).to_query(), gr.skip()
            except HeadStartError as error:
                return gr.skip(), refusal(error)

        told = [panel.choice, panel.fit, net, strip, panel.preset, panel.why]
        anew: dict[str, Any] = {"fn": preview, "inputs": panel.inputs, "outputs": told, **QUIET}
        lists = [panel.widgets["task"], panel.widgets["backbone"]]
        entered = page.load(enter, kept, [kept, race_box, everything, *panel.inputs], **QUIET)
        entered.then(**anew).then(refreshed, kept, [everything, *lists], **QUIET)
        panel.start.click(start, [kept, *panel.inputs], [kept, race_box], **QUIET)
        panel.stop.click(stop, kept, None, **QUIET)
        panel.reset.click(reset, kept, [kept, race_box, *panel.inputs], **QUIET).then(**anew)
        panel.fit.click(make_fit, [kept, *panel.inputs], panel.inputs, **QUIET).then(**anew)
        panel.copy.click(link, panel.inputs, [query, race_box], **QUIET).then(None, query, None, js=_COPY, **QUIET)
        ends = [panel.widgets["examples"], panel.widgets["learning_stages"], about]
        for name in controls.ORDER:
            widget: Any = panel.widgets[name]
            if name in ("task", "backbone"):
                widget.change(picked, panel.inputs, ends, **QUIET).then(**anew)
            elif name == "px":  # each new size is probed: not those that are passed while one is typed
                gr.on([widget.blur, widget.submit], trigger_mode="always_last", **anew)
            else:
                widget.change(trigger_mode="always_last", **anew)
    return page


# The clipboard is only there over https and on this machine itself, so the address bar shows the link too
_COPY = """(query) => {
  const link = location.origin + location.pathname + (query ? "?" + query : "");
  history.replaceState(null, "", link);
  const button = document.querySelector("#hs-copy");
  const before = button.textContent;
  if (navigator.clipboard) navigator.clipboard.writeText(link).catch(() => {});
  button.textContent = COPIED;
  setTimeout(() => { button.textContent = before; }, 1500);
}""".replace("COPIED", json.dumps(words.COPIED))


def _choice(hub: Hub, plan: Plan) -> str:
    task, seconds = find_task(plan.task), hub.expected_seconds(plan)
    facts = stages(plan.backbone, len(task.classes), side(plan))
    cost = words.LATER if seconds is None else words.cost(seconds, task)
    return f"{words.learning_choice(plan.learning_stages, facts)}. {cost}."


def _fit(hub: Hub, plan: Plan) -> dict[str, Any]:
    """The button that makes a long race fit."""
    seconds, quick = hub.expected_seconds(plan), hub.fit(plan, QUICK)
    if seconds is None or seconds < LONG or quick is None:
        return gr.update(visible=False)
    return gr.update(value=words.fit(quick, plan), visible=True)


def _network(plan: Plan) -> str:
    backbone = find_backbone(plan.backbone)
    facts = stages(plan.backbone, len(find_task(plan.task).classes), side(plan))
    drawing = network.draw(facts, plan.learning_stages, side(plan))
    return f"<section><h2>{escape(words.NETWORK)}</h2><p>{escape(backbone.description)}</p>{drawing}</section>"


def _pictures(plan: Plan) -> str:
    task, base = find_task(plan.task), stream.BASE.lstrip("/")
    fields = ("examples", "seed", "patches", "inverted")
    settings = urlencode({name: getattr(plan, name) for name in fields})
    figures = "".join(
        f'<figure><img src="{base}/pictures/{quote(plan.task, safe="")}/{k}?{escape(settings)}" loading="lazy" '
        f'alt="{escape(words.PICTURE_OF.format(name=name), quote=True)}"><figcaption>{escape(name)}</figcaption></figure>'
        for k, name in enumerate(task.classes[:SHOWN])
    )
    more = escape(words.MORE_CLASSES.format(count=len(task.classes) - SHOWN)) if len(task.classes) > SHOWN else ""
    caption = escape(words.pictures_caption(plan, task))
    strip = f'<div class="hs-strip">{figures}</div><p>{more}</p>' if task.is_open else ""
    return f"<section><h2>{escape(words.PICTURES)}</h2><p>{caption}</p>{strip}</section>"
