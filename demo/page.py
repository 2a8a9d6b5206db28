"""What stands where, which button calls what. No arithmetic: plans go to the hub, facts come from its log."""

from __future__ import annotations

import json
import secrets
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from demo import controls, live, network, stream, words
from demo.hub import Hub, QueueFullError
from engine import HeadStartError, Plan, find_backbone, find_task, stages

RECORDING = Path(__file__).parents[1] / "assets" / "races" / "default.jsonl"
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build(hub: Hub) -> gr.Blocks:
    """The whole page over this hub."""
    plan = Plan()
    with gr.Blocks(title=words.TITLE, analytics_enabled=False, fill_width=True) as page:
        kept = gr.BrowserState({}, storage_key="headstart", secret="not a secret: a race id and a random name")
        query = gr.Textbox(visible=False)
        gr.HTML(
            f'<header class="hs-header"><h1>{escape(words.TITLE)}</h1><p>{escape(words.QUESTION)}</p></header>',
            apply_default_css=False,
        )
        with gr.Row(equal_height=False, elem_id="hs-main"):
            with gr.Column(scale=2, min_width=320, elem_id="hs-side"):
                panel = controls.build()
                panel.choice.value = _choice(hub, plan)
            with gr.Column(scale=5, min_width=320):
                race_box = live.build()
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=320):
                net = gr.HTML(_network(plan), apply_default_css=False, elem_id="hs-network-box")
            with gr.Column(scale=1, min_width=320):
                strip = gr.HTML(_pictures(plan), apply_default_css=False, elem_id="hs-pictures-box")
        with gr.Accordion(words.ABOUT, open=False):
            gr.Markdown(words.about(find_backbone(plan.backbone), find_task(plan.task)))

        def enter(state: dict[str, str], request: gr.Request) -> tuple[Any, ...]:
            """Show what this visitor was watching: the plan of the link, else of the race, else the default one."""
            state = {"visitor": state.get("visitor") or secrets.token_urlsafe(12), "race": state.get("race", "")}
            link = dict(request.query_params)
            race = link.get("race") or state["race"]
            log = hub.find(race)
            if log is None:
                race = hub.running or "recorded"
                log = hub.find(race)
            shown = log.plan if log and race != "recorded" else Plan()
            alert = ""
            try:
                if linked := Plan.from_query(urlencode(link)).to_query():
                    shown = Plan.from_query(linked)
            except HeadStartError as error:
                alert = str(error)
            owner = bool(log and log.owner == state["visitor"])
            value = {"race": race, "visitor": state["visitor"] if owner else "", "owner": owner, "alert": alert}
            return state, value, *controls.show_plan(shown)

        def refusal(error: Exception) -> dict[str, str]:
            """A sentence for the live component to show; a toast would need the queue."""
            return {"alert": f"{words.NOT_STARTED}: {error}", "turn": secrets.token_hex(4)}

        def start(state: dict[str, str], *values: object) -> tuple[Any, ...]:
            """Read the plan and start, or say in a sentence why not."""
            state = {**state, "visitor": state.get("visitor") or secrets.token_urlsafe(12)}
            try:
                race = hub.start(controls.read_plan(values), state["visitor"])
            except (HeadStartError, QueueFullError) as error:
                return state, refusal(error)
            state["race"] = race
            return state, {"race": race, "visitor": state["visitor"], "owner": True}

        def stop(state: dict[str, str]) -> None:
            hub.stop(state.get("race", ""), state.get("visitor", ""))

        def reset(state: dict[str, str]) -> tuple[Any, ...]:
            """Everything as at the first visit; a race of this visitor's ends."""
            stop(state)
            value = {"race": "recorded", "visitor": "", "owner": False, "turn": secrets.token_hex(4)}
            return {**state, "race": ""}, value, *controls.show_plan(Plan())

        def preview(*values: object) -> tuple[Any, ...]:
            """The sentence, the network and the pictures for the settings as they stand."""
            try:
                seen = controls.read_plan(values)
                return _choice(hub, seen), _network(seen), _pictures(seen)
            except HeadStartError:
                return gr.skip(), gr.skip(), gr.skip()

        def link(*values: object) -> tuple[Any, ...]:
            """The query of a link to these settings."""
            try:
                return controls.read_plan(values).to_query(), gr.skip()
            except HeadStartError as error:
                return gr.skip(), refusal(error)

        page.load(enter, kept, [kept, race_box, *panel.inputs], **QUIET)
        panel.start.click(start, [kept, *panel.inputs], [kept, race_box], **QUIET)
        panel.stop.click(stop, kept, None, **QUIET)
        panel.reset.click(reset, kept, [kept, race_box, *panel.inputs], **QUIET)
        panel.copy.click(link, panel.inputs, [query, race_box], **QUIET).then(None, query, None, js=_COPY, **QUIET)
        for name in ("examples", "learning_stages", "budget", "epochs", "seconds", "seed"):
            panel.widgets[name].change(  # type: ignore[attr-defined]
                preview, panel.inputs, [panel.choice, net, strip], trigger_mode="always_last", **QUIET
            )
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


def _facts(plan: Plan) -> Any:
    return stages(plan.backbone, len(find_task(plan.task).classes))


def _choice(hub: Hub, plan: Plan) -> str:
    return f"{words.learning_choice(plan.learning_stages, _facts(plan))}. {words.cost(hub.expected_seconds(plan))}."


def _network(plan: Plan) -> str:
    backbone = find_backbone(plan.backbone)
    drawing = network.draw(_facts(plan), plan.learning_stages, backbone.px)
    return f"<section><h2>{escape(words.NETWORK)}</h2><p>{escape(backbone.description)}</p>{drawing}</section>"


def _pictures(plan: Plan) -> str:
    classes = find_task(plan.task).classes
    base, settings = stream.BASE.lstrip("/"), urlencode({"examples": plan.examples, "seed": plan.seed})
    figures = "".join(
        f'<figure><img src="{base}/pictures/{escape(plan.task)}/{k}?{escape(settings)}" '
        f'alt="training pictures of class {escape(name)}"><figcaption>{escape(name)}</figcaption></figure>'
        for k, name in enumerate(classes)
    )
    caption = escape(words.pictures_caption(plan, len(classes)))
    return f'<section><h2>{escape(words.PICTURES)}</h2><p>{caption}</p><div class="hs-strip">{figures}</div></section>'
