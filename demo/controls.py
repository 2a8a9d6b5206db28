"""The widgets, drawn from the plan's ranges, and read_plan(): the only crossing inwards. Starts nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from demo import words
from engine import EXTRAS, RANGES, Line, Plan, PlanError, find_backbone, find_task, stages

# The order in which the widgets stand and their values travel
ORDER = (
    "task", "backbone", "examples", "learning_stages", "extra_lanes", "patches", "inverted", "label_noise", "normalisation",
    "budget", "epochs", "seconds", "px", "scratch_optimizer", "scratch_rate", "head_rate", "backbone_rate", "depth_factor",
    "head_share", "batch_size", "augmented", "seed",
)  # fmt: skip
BROKEN = ("patches", "inverted", "label_noise", "normalisation")
PRESETS: dict[str, dict[str, object]] = {  # what each sets of them
    "none": {},
    "jigsaw": {"patches": 4},
    "dust": {"patches": 512},
    "negative": {"inverted": True},
    "labels": {"label_noise": 0.5},
    "glasses": {"normalisation": "raw"},
}
BOXES = {"own": "own.title", "lanes": "controls.lanes", "break": "controls.break", "more": "controls.more"}  # name -> title
OPTIMIZERS = ("adamw", "sgd", "muon")
NORMALISATIONS = ("own", "imagenet", "symmetric", "raw")


@dataclass(frozen=True)
class Controls:
    """The widgets by the plan's names, and the buttons."""

    widgets: dict[str, Component]
    start: gr.Button
    stop: gr.Button
    reset: gr.Button
    choice: gr.Markdown
    fit: gr.Button
    preset: gr.Radio
    why: gr.Markdown
    boxes: list[gr.Accordion]  # in the order of BOXES
    pinned: gr.State  # of this page: plan's name -> value of what its link locked

    @property
    def task(self) -> gr.Dropdown:
        """Where pictures are picked."""
        widget = self.widgets["task"]
        assert isinstance(widget, gr.Dropdown)
        return widget

    @property
    def inputs(self) -> list[Component]:
        """The widgets in the order in which `read_plan` takes their values."""
        return [self.widgets[name] for name in ORDER]


def build(
    tasks: list[tuple[str, str]], backbones: list[tuple[str, str]], build_own: Callable[[gr.Dropdown], None]
) -> Controls:
    """Draw the widgets where the caller stands; the lists hold (what is shown, name).

    `build_own` draws the place for a visitor's own pictures, which end up in the list of tasks that it is given.
    """
    plan = Plan()
    facts = stages(plan.backbone, len(find_task(plan.task).classes))
    widgets: dict[str, Component] = {}
    pinned = gr.State({})
    picked: dict[str, gr.Dropdown] = {}
    for name, choices, value in (("task", tasks, plan.task), ("backbone", backbones, plan.backbone)):
        picked[name] = gr.Dropdown(choices, value=value, elem_id=f"hs-{name}", filterable=False, **_texts(name))
    widgets |= picked
    low, high = int(RANGES["examples"].low), find_task(plan.task).training
    widgets["examples"] = gr.Slider(low, high, min(plan.examples, high), step=1, elem_id="hs-examples", **_texts("examples"))
    widgets["learning_stages"] = gr.Slider(
        1, len(facts), plan.learning_stages, step=1, elem_id="hs-learning", **_texts("learning_stages")
    )
    choice = gr.Markdown(words.learning_choice(plan.learning_stages, facts, "en"), elem_id="hs-choice")
    fit = gr.Button(visible=False, size="sm", elem_id="hs-fit")
    with gr.Row(elem_id="hs-buttons"):
        start = gr.Button(words.text("controls.start"), variant="primary", elem_id="hs-start", size="lg")
        stop = gr.Button(words.text("controls.stop"), variant="secondary", elem_id="hs-stop", size="lg", min_width=80)
        reset = gr.Button(words.text("controls.reset"), variant="secondary", elem_id="hs-reset", size="lg", min_width=80)
    own, lanes, broken, more = (
        gr.Accordion(words.text(title), open=False, elem_id=f"hs-{name}-box") for name, title in BOXES.items()
    )
    with own:
        build_own(picked["task"])
    with lanes:
        widgets["extra_lanes"] = gr.CheckboxGroup(_choices("lane", EXTRAS), **_texts("extra_lanes"))
    with broken:
        preset, why = _breaks(widgets, plan, pinned)
    with more:
        _more(widgets, plan)
    return Controls(widgets, start, stop, reset, choice, fit, preset, why, [own, lanes, broken, more], pinned)


def _texts(name: str) -> dict[str, Any]:
    return {part: words.text(f"controls.{name}.{part}") for part in ("label", "info")}


def _choices(group: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """(what is shown, name) of each."""
    return [(words.text(f"{group}.{name}"), name) for name in names]


def _breaks(widgets: dict[str, Component], plan: Plan, pinned: gr.State) -> tuple[gr.Radio, gr.Markdown]:
    """The presets with their reasons, and the switches they set."""
    titles = [(words.text(f"preset.{name}.title"), name) for name in PRESETS]
    label, info = words.text("preset.label"), words.text("preset.info")
    preset = gr.Radio(titles, value="none", label=label, info=info, elem_id="hs-preset")
    why = gr.Markdown(preset_why("none"), elem_id="hs-preset-why")
    widgets["patches"] = gr.Dropdown(
        _patches(plan.patches), value=plan.patches, filterable=False, elem_id="hs-patches", **_texts("patches")
    )
    widgets["inverted"] = gr.Checkbox(plan.inverted, elem_id="hs-inverted", label=words.text("controls.inverted.label"))
    allowed = RANGES["label_noise"]
    widgets["label_noise"] = gr.Slider(
        allowed.low, allowed.high, plan.label_noise, step=allowed.step, elem_id="hs-label_noise", **_texts("label_noise")
    )
    choices = _choices("normalisation", NORMALISATIONS)
    widgets["normalisation"] = gr.Dropdown(choices, value=plan.normalisation, filterable=False, **_texts("normalisation"))

    def broken(name: str, pinned: dict[str, object]) -> list[object]:
        """The switches as a preset sets them, what a link locked as it is; the preset that this makes, and why."""
        wanted = Plan.from_mapping({**PRESETS[name], **{switch: pinned[switch] for switch in BROKEN if switch in pinned}})
        came = preset_of(wanted)
        return [came, preset_why(came), *(getattr(wanted, switch) for switch in BROKEN)]

    # .input: only when a person picks one; the switches may be moved by hand afterwards
    switches = [widgets[name] for name in BROKEN]
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    preset.input(broken, [preset, pinned], [preset, why, *switches], **quiet)
    return preset, why


def _patches(picked: int) -> list[tuple[str, int]]:
    """The numbers of patches a side to choose from, with the one that a link may have picked."""
    most = int(RANGES["patches"].high)
    sides = sorted({1, 2, 4, 8, 16, 32, most, picked})
    return [(words.text("controls.patches.dust") if n == most else f"{n} × {n}", n) for n in sides]


# A number outside its range is refused by the plan, with its reason; Gradio's own limits would say less
def _more(widgets: dict[str, Component], plan: Plan) -> None:
    def slider(name: str, visible: bool = True) -> gr.Slider:
        allowed, value = RANGES[name], getattr(plan, name)
        return gr.Slider(
            allowed.low, allowed.high, value, step=allowed.step, visible=visible, elem_id=f"hs-{name}", **_texts(name)
        )

    choices = [(words.text("axis.epoch"), "epochs"), (words.text("axis.seconds"), "seconds")]
    budget = gr.Radio(choices, value=plan.budget, elem_id="hs-budget", **_texts("budget"))
    widgets["budget"] = budget
    widgets["epochs"] = slider("epochs")
    widgets["seconds"] = slider("seconds", visible=False)
    widgets["px"] = gr.Number(plan.px, step=1, precision=0, elem_id="hs-px", **_texts("px"))
    optimizers = _choices("optimizer", OPTIMIZERS)
    widgets["scratch_optimizer"] = gr.Radio(optimizers, value=plan.scratch_optimizer, **_texts("scratch_optimizer"))
    for name in ("scratch_rate", "head_rate", "backbone_rate"):
        widgets[name] = gr.Number(getattr(plan, name), step=RANGES[name].step, elem_id=f"hs-{name}", **_texts(name))
    for name in ("depth_factor", "head_share", "batch_size"):
        widgets[name] = slider(name)
    widgets["augmented"] = gr.Checkbox(plan.augmented, **_texts("augmented"))
    widgets["seed"] = gr.Number(plan.seed, step=1, precision=0, elem_id="hs-seed", **_texts("seed"))
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
            raise PlanError("refusal.empty", name=Line(f"controls.{name}.label"))
        wanted = type(getattr(Plan(), name))
        value = tuple(value) if isinstance(value, list) else value
        settings[name] = int(value) if wanted is int and isinstance(value, float) and value.is_integer() else value
    return Plan.from_mapping(settings)


def show_plan(plan: Plan) -> list[object]:
    """The widgets' values for a plan, in their order, within the limits of its task and network."""
    values = asdict(plan)
    shown: list[object] = [list(v) if isinstance(v := values[name], tuple) else v for name in ORDER]
    shown[ORDER.index("patches")] = gr.update(choices=_patches(plan.patches), value=plan.patches)
    for name in ("epochs", "seconds"):
        shown[ORDER.index(name)] = gr.update(value=values[name], visible=plan.budget == name)
    for name, update in limits(plan).items():
        shown[ORDER.index(name)] = update
    return shown


def limits(plan: Plan) -> dict[str, Any]:
    """The two main sliders for a plan's task and network: their ends, and their values within them."""
    task = find_task(plan.task)
    count = len(stages(plan.backbone, len(task.classes), max(plan.px, find_backbone(plan.backbone).architecture.smallest)))
    most = min(task.training, int(RANGES["examples"].high))
    return {
        "examples": gr.update(maximum=most, value=min(plan.examples, most)),
        "learning_stages": gr.update(maximum=count, value=min(plan.learning_stages, count)),
    }


def preset_of(plan: Plan) -> str | None:
    """The preset that a plan's switches are, None where they were moved by hand."""
    now = {name: getattr(plan, name) for name in BROKEN if getattr(plan, name) != getattr(Plan(), name)}
    return next((name for name, settings in PRESETS.items() if settings == now), None)


def preset_why(name: str | None) -> str:
    """What a preset takes away, and what that does; nothing where the switches were moved by hand."""
    return words.text(f"preset.{name}.why") if name else ""
