"""What stands where, which button calls what. No arithmetic: plans go to the hub, facts come from its log."""

from __future__ import annotations

import json
import secrets
from collections import OrderedDict
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import gradio as gr

from demo import (
    api,
    bets,
    classroom,
    compare,
    controls,
    embedding,
    lesson,
    live,
    locks,
    network,
    own,
    stream,
    takeaway,
    tryit,
    views,
    why,
    words,
    zero,
)
from demo.hub import Hub
from demo.offer import Offer
from demo.rooms import Rooms
from demo.shelf import Shelf
from engine import HeadStartError, Plan, PlanError, find_backbone, find_task, say, say_network, side, stages

RECORDING = Path(__file__).parents[1] / "assets" / "races" / "default.jsonl"
LONG, QUICK = 100.0, 60.0  # seconds: above the first, a race is offered that takes the second
SHOWN = 20  # classes whose pictures are shown
TABS = 1000  # open pages whose newest settings are remembered
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
# Where all widgets are read: `read_plan` checks them, in the visitor's language. Gradio would check each in a thread first,
# which made up half the cost of a click when a class clicks at once
READ: dict[str, Any] = {**QUIET, "preprocess": False}


def build(hub: Hub, offer: Offer, shelf: Shelf, rooms: Rooms) -> gr.Blocks:
    """The whole page over this hub. It is painted in English first, and told over in the visitor's language at once."""
    plan, newest = Plan(), Newest()
    # Uploads that a handler did not delete itself are gone after an hour
    with gr.Blocks(title=say("page.title"), analytics_enabled=False, fill_width=True, delete_cache=(600, 3600)) as page:
        kept = gr.BrowserState({}, storage_key="headstart", secret="not a secret: a race id and a random name")
        query = gr.Textbox(visible=False)
        header = gr.HTML(_header("en"), apply_default_css=False)
        with gr.Row(equal_height=False, elem_id="hs-main"):
            with gr.Column(scale=2, min_width=320, elem_id="hs-side"):
                panel = controls.build(offer.tasks(), offer.backbones(), lambda task: own.build(shelf, offer, kept, task))
                with gr.Accordion(words.text("lock.title"), open=False, elem_id="hs-link-box"):
                    lock = locks.build()
                    copy = gr.Button(words.text("controls.copy"), size="sm", elem_id="hs-copy")
            with gr.Column(scale=5, min_width=320):
                race_box = live.build()
        views_row, drawn = views.build(
            {
                "why": why.build,
                "network": lambda: _facts(plan, offer),
                "try": lambda: tryit.build(hub, kept),
                "map": lambda: embedding.build(hub, kept),
                "compare": compare.build,
                "take": takeaway.build,
                "lesson": _lesson,
                "class": lambda: classroom.build(rooms, shelf, offer, kept, panel.task),
            }
        )
        net, strip, everything, about = drawn["network"]
        api.build(hub)

        def offered(state: dict[str, str], seen: Plan, language: str) -> tuple[Any, ...]:
            """The lists of pictures and networks for this visitor, with the plan's own picked."""
            mine, networks = offer.tasks(shelf.of(state.get("visitor", "")), language), offer.backbones(language)
            return gr.update(choices=mine, value=seen.task), gr.update(choices=networks, value=seen.backbone)

        def shown(state: dict[str, str], pinned: dict[str, Any], seen: Plan, language: str) -> list[object]:
            """Every widget as the plan has it, and what the link locked as the link has it.

            All as the default has it where its pictures were given away meanwhile.
            """
            seen = replace(seen, **pinned)
            try:
                return [*offered(state, seen, language), *controls.show_plan(seen)[2:]]
            except HeadStartError:
                return [*offered(state, Plan(), language), *controls.show_plan(Plan())[2:]]

        def allowed(state: dict[str, str], asked: Plan) -> Plan:
            """The plan, if this visitor may race on its pictures. Raises PlanError: another visitor's are not hers."""
            has_task = offer.has_task(asked.task, shelf.of(state.get("visitor", "")))
            for name, is_there in ((asked.task, has_task), (asked.backbone, offer.has_backbone(asked.backbone))):
                if not is_there:
                    raise PlanError("refusal.offer", name=repr(name))
            return asked

        def told(plan: Plan) -> dict[str, object]:
            """What the log keeps to itself of an owner's pictures, for her own page; null where they were given away."""
            try:
                task = find_task(plan.task)
                return {"task": plan.task, "classes": list(task.classes) if task.is_open else None}
            except HeadStartError:
                return {"task": None, "classes": None}

        def enter(state: dict[str, str], request: gr.Request) -> tuple[Any, ...]:
            """Show what this visitor was watching: the plan of the link, else of the race, else the default one."""
            language = words.language_of(request)
            state = {"visitor": state.get("visitor") or secrets.token_urlsafe(12), "race": state.get("race", "")}
            link = dict(request.query_params)
            race = link.get("race") or state["race"]
            log = hub.find(race)
            if log is None:
                race = hub.running or "recorded"
                log = hub.find(race)
            seen = log.plan if log and race != "recorded" else Plan()
            linked, alert = Plan(), ""
            try:
                seen = allowed(state, seen)
            except HeadStartError:
                seen = Plan()
            try:
                linked = allowed(state, Plan.from_query(urlencode(link)))
                seen = seen if linked == Plan() else linked
            except HeadStartError as error:
                alert = error.said(language)
            locked, hidden, view = locks.read(link)
            pinned = locks.pinned(linked, locked)
            seen = replace(seen, **pinned)
            owner = bool(log and log.owner == state["visitor"])
            value = {"race": race, "me": state["visitor"], "owner": owner, "alert": alert}
            value |= told(log.plan) if log and owner else {}
            what = words.about(find_backbone(seen.backbone), find_task(seen.task), language)
            widgets = locks.applied(shown(state, pinned, seen, language), locked, hidden)
            return state, value, _header(language), what, offer.table(language), *widgets, *locks.boxes(hidden), view, pinned

        def refreshed(state: dict[str, str], request: gr.Request) -> tuple[Any, ...]:
            """What can be had, once the hosts have answered; what is picked stays."""
            offer.refresh()
            language = words.language_of(request)
            mine = offer.tasks(shelf.of(state.get("visitor", "")), language)
            return offer.table(language), gr.update(choices=mine), gr.update(choices=offer.backbones(language))

        def refusal(why: str, language: str) -> dict[str, str]:
            """A sentence for the live component to show; a toast would need the queue."""
            return {"alert": say("refusal.start", language, why=why), "turn": secrets.token_hex(4)}

        def start(state: dict[str, str] | None, request: gr.Request, *values: object) -> tuple[Any, ...]:
            """Read the plan and start, or say in a sentence why not."""
            language = words.language_of(request)
            state = {**(state or {})}  # a browser that keeps nothing may send none
            state["visitor"] = state.get("visitor") or secrets.token_urlsafe(12)
            try:
                plan = allowed(state, controls.read_plan(values))
                race = hub.start(plan, state["visitor"], words.address_of(request))
            except HeadStartError as error:
                return state, refusal(error.said(language), language)
            rooms.follow(state["visitor"], race)
            shelf.touch(plan.task)
            state["race"] = race
            return state, {"race": race, "me": state["visitor"], "owner": True, **told(plan)}

        def stop(state: dict[str, str]) -> None:
            hub.stop(state.get("race", ""), state.get("visitor", ""))

        def reset(state: dict[str, str], pinned: dict[str, Any], request: gr.Request) -> tuple[Any, ...]:
            """Everything as at the first visit, save what the link locked; a race of this visitor's ends."""
            stop(state)
            value = {"race": "recorded", "me": state.get("visitor", ""), "owner": False, "turn": secrets.token_hex(4)}
            return {**state, "race": ""}, value, *shown(state, pinned, Plan(), words.language_of(request))

        def preview(pinned: dict[str, Any], request: gr.Request, *values: object) -> Any:
            """The sentences, the network, the pictures and the preset for the settings as they stand; waits for no probe."""
            language = words.language_of(request)
            newest.tell(request.session_hash, values)
            try:
                seen = controls.read_plan(values)
                preset = controls.preset_of(seen)
                drawings = _network(seen, language), _pictures(seen, language)
                answer = *_cost(hub, seen, pinned, language, may_probe=False), *drawings, preset, controls.preset_why(preset)
            except HeadStartError as error:
                answer = error.said(language), gr.update(visible=False), *[gr.skip()] * 4
            return answer if newest.is_still(request.session_hash, values) else gr.skip()

        def cost(pinned: dict[str, Any], request: gr.Request, *values: object) -> Any:
            """How long it takes and what would fit; the machine is probed for it where it has to be."""
            language = words.language_of(request)
            try:
                answer = _cost(hub, controls.read_plan(values), pinned, language, may_probe=True)
            except HeadStartError:
                return gr.skip()  # preview said why
            return answer if newest.is_still(request.session_hash, values) else gr.skip()

        def picked(pinned: dict[str, Any], request: gr.Request, *values: object) -> tuple[Any, ...]:
            """Another task or network: how far the sliders go, and what exactly runs."""
            try:
                seen = replace(controls.read_plan(values), **pinned)
                ends = controls.limits(seen)
            except HeadStartError:
                return gr.skip(), gr.skip(), gr.skip()
            what = words.about(find_backbone(seen.backbone), find_task(seen.task), words.language_of(request))
            return ends["examples"], ends["learning_stages"], what

        def make_fit(
            state: dict[str, str] | None, pinned: dict[str, Any], request: gr.Request, *values: object
        ) -> list[object]:
            """The widgets for a race that fits."""
            language = words.language_of(request)
            try:
                seen = controls.read_plan(values)
                return shown(state or {}, pinned, hub.fit(seen, QUICK) or seen, language)
            except HeadStartError:
                return shown(state or {}, pinned, Plan(), language)

        def link(request: gr.Request, locked: list[str], hidden: list[str], view: str, *values: object) -> tuple[Any, ...]:
            """The query of a link to these settings, with what it locks and hides."""
            language = words.language_of(request)
            try:
                asked = controls.read_plan(values)
                if find_task(asked.task).is_private:
                    raise PlanError("refusal.link.own")
                return locks.query(asked, locked, hidden, view), gr.skip()
            except HeadStartError as error:
                return gr.skip(), {"alert": error.said(language), "turn": secrets.token_hex(4)}

        def set_up(state: dict[str, str], pinned: dict[str, Any], asked: object, request: gr.Request) -> list[object]:
            """The widgets as a step of the lesson wants them."""
            try:
                return shown(state, pinned, lesson.plan_of(asked), words.language_of(request))
            except HeadStartError:
                return [gr.skip()] * len(controls.ORDER)

        def start_if(state: dict[str, str], asked: object, request: gr.Request, *values: object) -> tuple[Any, ...]:
            """Start the race that a step of the lesson has set up, where its button says so."""
            return start(state, request, *values) if lesson.wants_start(asked) else (gr.skip(), gr.skip())

        costs = [panel.choice, panel.fit]
        parts = [*costs, net, strip, panel.preset, panel.why]
        settings = [panel.pinned, *panel.inputs]
        anew: dict[str, Any] = {"fn": preview, "inputs": settings, "outputs": parts, **READ}
        priced: dict[str, Any] = {
            "fn": cost, "inputs": settings, "outputs": costs, "trigger_mode": "always_last", **READ,
        }  # fmt: skip
        lists = [panel.widgets["task"], panel.widgets["backbone"]]
        first = [kept, race_box, header, about, everything, *panel.inputs, *panel.boxes, views_row, panel.pinned]
        entered = page.load(enter, kept, first, **QUIET)
        opened = entered.then(**anew)
        opened.then(**priced)
        opened.then(refreshed, kept, [everything, *lists], **QUIET)
        panel.start.click(start, [kept, *panel.inputs], [kept, race_box], **READ)
        panel.stop.click(stop, kept, None, **QUIET)
        panel.reset.click(reset, [kept, panel.pinned], [kept, race_box, *panel.inputs], **QUIET).then(**anew).then(**priced)
        panel.fit.click(make_fit, [kept, *settings], panel.inputs, **READ).then(**anew).then(**priced)
        asked = [lock.locked, lock.hidden, lock.view, *panel.inputs]
        copy.click(link, asked, [query, race_box], **QUIET).then(None, query, None, js=_COPY, **QUIET)
        views_row.submit(**drawn["try"].refresh)
        race_box.submit(**drawn["try"].refresh)
        wanted = [kept, panel.pinned, drawn["lesson"]]
        guided = drawn["lesson"].submit(set_up, wanted, panel.inputs, **QUIET).then(**anew)
        guided.then(start_if, [kept, drawn["lesson"], *panel.inputs], [kept, race_box], **QUIET).then(**priced)
        ends = [panel.widgets["examples"], panel.widgets["learning_stages"], about]
        changed = []
        for name in controls.ORDER:
            widget: Any = panel.widgets[name]
            if name in ("task", "backbone"):
                widget.change(picked, settings, ends, **READ).then(**anew).then(**priced)
            elif name == "px":  # each new size is probed: not those that are passed while one is typed
                changed += [widget.blur, widget.submit]
            else:
                changed.append(widget.change)
        gr.on(changed, trigger_mode="always_last", **anew).then(**priced)
    return page


class Newest:
    """The newest settings of each open page; an answer about older ones comes too late to be shown.

    Answers may overtake each other. A page is known by Gradio's session: two pages of one visitor differ.
    """

    def __init__(self) -> None:
        self._values: OrderedDict[str | None, tuple[object, ...]] = OrderedDict()

    def tell(self, page: str | None, values: tuple[object, ...]) -> None:
        """This page now shows these settings."""
        self._values[page] = values
        self._values.move_to_end(page)
        while len(self._values) > TABS:
            self._values.popitem(last=False)

    def is_still(self, page: str | None, values: tuple[object, ...]) -> bool:
        """Whether these are the newest settings of the page, as far as is known."""
        return self._values.get(page, values) == values


def _everywhere(key: str) -> str:
    """A sentence in every language, for a script."""
    return json.dumps(words.everywhere(lambda language: say(key, language)), ensure_ascii=False)


# The clipboard is only there over https and on this machine itself, so the address bar shows the link too
_COPY = """async (query) => {
  const lang = new URLSearchParams(location.search).get("lang");
  const all = [query, lang && "lang=" + encodeURIComponent(lang)].filter(Boolean).join("&");
  const link = location.origin + location.pathname + (all ? "?" + all : "");
  history.replaceState(null, "", link);
  const button = document.querySelector("#hs-copy");
  const before = button.textContent;
  let told = COPIED;
  try { await navigator.clipboard.writeText(link); } catch { told = IN_BAR; }
  button.textContent = told[document.documentElement.lang];
  setTimeout(() => { button.textContent = before; }, 1500);
}""".replace("COPIED", _everywhere("page.copied")).replace("IN_BAR", _everywhere("page.in_bar"))


def _facts(plan: Plan, offer: Offer) -> tuple[gr.HTML, gr.HTML, gr.HTML, gr.Markdown]:
    """What is raced: the network, the drawn pictures, everything there is to pick from, and how it is compared."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=320):
            net = gr.HTML(_network(plan, "en"), apply_default_css=False, elem_id="hs-network-box")
        with gr.Column(scale=1, min_width=320):
            strip = gr.HTML(_pictures(plan, "en"), apply_default_css=False, elem_id="hs-pictures-box")
    everything = gr.HTML(offer.table(), apply_default_css=False, elem_id="hs-offer-box")
    with gr.Accordion(words.text("page.about.title"), open=False):
        about = gr.Markdown(words.about(find_backbone(plan.backbone), find_task(plan.task), "en"))
    return net, strip, everything, about


def _lesson() -> gr.HTML:
    """The bets above the steps, the challenge below them; returns the steps."""
    bets.build()
    guide = lesson.build()
    lesson.challenge()
    return guide


def _header(language: str) -> str:
    title, question = (escape(say(f"page.{part}", language)) for part in ("title", "question"))
    return f'<header class="hs-header"><h1>{title}</h1><p>{question}</p></header>'


def _cost(hub: Hub, plan: Plan, pinned: dict[str, Any], language: str, may_probe: bool) -> tuple[Any, ...]:
    """What learns and how long it takes, in words, and the button for a race that fits, where no lock is in its way."""
    task, seconds = find_task(plan.task), hub.expected_seconds(plan, may_probe)
    facts = stages(plan.backbone, len(task.classes), side(plan))
    learns = words.learning_choice(plan.learning_stages, facts, language)
    if zero.is_lending():
        return f"{learns} {zero.cost(plan, language, hub.limits.longest)}", gr.update(visible=False)
    if seconds is None:
        later = say("cost.later" if may_probe else "cost.soon", language)
        return f"{learns} {later}", gr.update(visible=False)
    quick = hub.fit(plan, QUICK) if seconds >= LONG else None
    if quick is not None and replace(quick, **pinned) != quick:
        quick = None
    button = gr.update(visible=False) if quick is None else gr.update(value=words.fit(quick, plan, language), visible=True)
    return f"{learns} {words.cost(seconds, task, language)}", button


def _network(plan: Plan, language: str) -> str:
    what = escape(say_network(find_backbone(plan.backbone).description, language))
    facts = stages(plan.backbone, len(find_task(plan.task).classes), side(plan))
    drawing = network.draw(facts, plan.learning_stages, side(plan), language)
    return f"<section><h2>{escape(say('page.network', language))}</h2><p>{what}</p>{drawing}</section>"


def _pictures(plan: Plan, language: str) -> str:
    task, base = find_task(plan.task), stream.BASE.lstrip("/")
    fields = ("examples", "seed", "patches", "inverted")
    settings = urlencode({name: getattr(plan, name) for name in fields})
    figures = "".join(
        f'<figure><img src="{base}/pictures/{quote(plan.task, safe="")}/{k}?{escape(settings)}" loading="lazy" '
        f'alt="{escape(say("page.picture_of", language, name=name), quote=True)}">'
        f"<figcaption>{escape(name)}</figcaption></figure>"
        for k, name in enumerate(task.classes[:SHOWN])
    )
    count = len(task.classes) - SHOWN
    more = escape(say("page.more_classes", language, count=count)) if count > 0 else ""
    caption = escape(words.pictures_caption(plan, task, language))
    strip = f'<div class="hs-strip">{figures}</div><p>{more}</p>' if task.is_open else ""
    return f"<section><h2>{escape(say('page.pictures', language))}</h2><p>{caption}</p>{strip}</section>"
