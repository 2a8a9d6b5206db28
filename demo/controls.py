"""The widgets, drawn from the plan's ranges, and read_plan(): the only crossing inwards. Starts nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from demo import words
from engine import RANGES, Plan, PlanError, find_task, stages

# The order in which the widgets stand and their values travel
ORDER = (
    "examples", "learning_stages", "budget", "epochs", "seconds", "scratch_optimizer", "scratch_rate", "head_rate",
    "backbone_rate", "depth_factor", "head_share", "batch_size", "augmented", "seed",
)  # fmt: skip


@dataclass(frozen=True)
class Controls:
    """The widgets by the plan's names, and the buttons."""

    widgets: dict[str, Component]
    start: gr.Button
    stop: gr.Button
    reset: gr.Button
    copy: gr.Button
    choice: gr.Markdown

    @property
    def inputs(self) -> list[Component]:
        """The widgets in the order in which `read_plan` takes their values."""
        return [self.widgets[name] for name in ORDER]


def build() -> Controls:
    """Draw the widgets where the caller stands."""
    plan = Plan()
    facts = stages(plan.backbone, len(find_task(plan.task).classes))
    widgets: dict[str, Component] = {}
    label, info = words.CONTROLS["examples"]
    low, high = int(RANGES["examples"].low), find_task(plan.task).training
    widgets["examples"] = gr.Slider(
        low, high, min(plan.examples, high), step=1, label=label, info=info, elem_id="hs-examples"
    )
    label, info = words.CONTROLS["learning"]
    widgets["learning_stages"] = gr.Slider(
        1, len(facts), plan.learning_stages, step=1, label=label, info=info, elem_id="hs-learning"
    )
    choice = gr.Markdown(words.learning_choice(plan.learning_stages, facts), elem_id="hs-choice")
    with gr.Row(elem_id="hs-buttons"):
        start = gr.Button(words.START, variant="primary", elem_id="hs-start", size="lg")
        stop = gr.Button(words.STOP, variant="secondary", elem_id="hs-stop", size="lg", min_width=80)
        reset = gr.Button(words.RESET, variant="secondary", elem_id="hs-reset", size="lg", min_width=80)
    with gr.Accordion(words.MORE, open=False, elem_id="hs-more"):
        _more(widgets, plan)
        copy = gr.Button(words.COPY, size="sm", elem_id="hs-copy")
    return Controls(widgets, start, stop, reset, copy, choice)


# A number outside its range is refused by the plan, with its reason; Gradio's own limits would say less
def _more(widgets: dict[str, Component], plan: Plan) -> None:
    def texts(name: str) -> dict[str, Any]:
        return dict(zip(("label", "info"), words.CONTROLS[name], strict=True))

    def slider(name: str, visible: bool = True) -> gr.Slider:
        allowed, value = RANGES[name], getattr(plan, name)
        return gr.Slider(
            allowed.low, allowed.high, value, step=allowed.step, visible=visible, elem_id=f"hs-{name}", **texts(name)
        )

    choices = [(words.AXES["epoch"], "epochs"), (words.AXES["seconds"], "seconds")]
    budget = gr.Radio(choices, value=plan.budget, elem_id="hs-budget", **texts("budget"))
    widgets["budget"] = budget
    widgets["epochs"] = slider("epochs")
    widgets["seconds"] = slider("seconds", visible=False)
    optimizers = list(words.OPTIMIZERS.items())
    widgets["scratch_optimizer"] = gr.Radio(
        [(title, name) for name, title in optimizers], value=plan.scratch_optimizer, **texts("scratch_optimizer")
    )
    for name in ("scratch_rate", "head_rate", "backbone_rate"):
        widgets[name] = gr.Number(getattr(plan, name), step=RANGES[name].step, elem_id=f"hs-{name}", **texts(name))
    for name in ("depth_factor", "head_share", "batch_size"):
        widgets[name] = slider(name)
    widgets["augmented"] = gr.Checkbox(plan.augmented, **texts("augmented"))
    widgets["seed"] = gr.Number(plan.seed, step=1, precision=0, elem_id="hs-seed", **texts("seed"))
    budget.change(
        lambda kind: (gr.update(visible=kind == "epochs"), gr.update(visible=kind == "seconds")),
        budget,
        [widgets["epochs"], widgets["seconds"]],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def read_plan(values: Sequence[object]) -> Plan:
    """The plan that the widgets show. Raises PlanError with a sentence for whoever moved them."""
    settings: dict[str, object] = {}
    for name, value in zip(ORDER, values, strict=True):
        if value is None:
            raise PlanError(f"{words.CONTROLS[_WORD.get(name, name)][0]} is empty: enter a number")
        wanted = type(getattr(Plan(), name))
        settings[name] = int(value) if wanted is int and isinstance(value, float) and value.is_integer() else value
    return Plan.from_mapping(settings)


_WORD = {"learning_stages": "learning"}


def show_plan(plan: Plan) -> list[object]:
    """The widgets' values for a plan, in their order; which budget is asked for shows its slider."""
    values = asdict(plan)
    shown: list[object] = [values[name] for name in ORDER]
    for name in ("epochs", "seconds"):
        shown[ORDER.index(name)] = gr.update(value=values[name], visible=plan.budget == name)
    return shown
