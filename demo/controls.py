"""The widgets of the settings, built from the plan's ranges. `read_plan` is the only way from widget values to a Plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from demo.i18n import labels
from engine import EXTRA_RACERS, RANGES, Message, Plan, PlanError, Stage

# The order of the widgets on the page and of their values in events
ORDER = (
    "task", "backbone", "examples_per_class", "trainable_stages", "extra_racers", "shuffle_grid", "invert_colors",
    "label_noise", "normalisation",
    "budget", "epochs", "seconds", "image_size", "scratch_lr", "head_lr", "backbone_lr", "layer_decay",
    "head_only_fraction", "batch_size", "augment", "seed",
)  # fmt: skip
CORRUPTIONS = ("shuffle_grid", "invert_colors", "label_noise", "normalisation")
PRESETS: dict[str, dict[str, object]] = {  # the settings of each; the others are the defaults
    "none": {},
    "jigsaw": {"shuffle_grid": 4},
    "dust": {"shuffle_grid": 512},
    "negative": {"invert_colors": True},
    "labels": {"label_noise": 0.5},
    "glasses": {"normalisation": "raw"},
}
BUDGETS = ("epochs", "seconds")
BOXES = {
    "own": "upload.title",
    "racers": "controls.racers",
    "break": "controls.break",
    "more": "controls.more",
}  # name -> title
NORMALISATIONS = ("own", "imagenet", "symmetric", "raw")
UNQUEUED: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class Choices:
    """The initial choices of the two lists: (label, name) of each."""

    tasks: list[tuple[str, str]]
    backbones: list[tuple[str, str]]


@dataclass(frozen=True)
class Limits:
    """The maxima of the two main sliders."""

    examples_per_class: int
    trainable_stages: int


@dataclass(frozen=True)
class Controls:
    """The widgets by the names of the Plan's fields, and the buttons."""

    widgets: dict[str, Component]
    start: gr.Button
    stop: gr.Button
    reset: gr.Button
    choice: gr.Markdown
    fit: gr.Button
    preset: gr.Radio
    explanation: gr.Markdown  # of the preset
    boxes: list[gr.Accordion]  # in the order of BOXES
    pinned: gr.State  # settings that the page's link locks: name of the Plan field -> value

    @property
    def task(self) -> gr.Dropdown:
        """The list of picture sets."""
        widget = self.widgets["task"]
        assert isinstance(widget, gr.Dropdown)
        return widget

    @property
    def changes(self) -> list[Any]:
        """The events that change the plan, except those of the task and the network."""
        image_size: Any = self.widgets["image_size"]
        widgets: list[Any] = [self.widgets[name] for name in ORDER if name not in ("task", "backbone", "image_size")]
        # Each new size is probed, so only when the number is complete
        return [*(widget.change for widget in widgets), image_size.blur, image_size.submit]

    @property
    def inputs(self) -> list[Component]:
        """The widgets in the order of `ORDER`."""
        return [self.widgets[name] for name in ORDER]


def build(
    choices: Choices, maxima: Limits, stages: tuple[Stage, ...], build_uploads: Callable[[gr.Dropdown], None]
) -> Controls:
    """Add the widgets, with the values of the default plan, to the current Gradio block.

    maxima, stages: of the default task and network. build_uploads: draws the upload form, which adds the visitor's sets to
    the list of tasks that it is given.
    """
    plan = Plan()
    pinned = gr.State({})
    task = gr.Dropdown(choices.tasks, value=plan.task, elem_id="hs-task", filterable=False, **_texts("task"))
    backbone = gr.Dropdown(
        choices.backbones, value=plan.backbone, elem_id="hs-backbone", filterable=False, **_texts("backbone")
    )
    widgets: dict[str, Component] = {"task": task, "backbone": backbone}
    low, high = int(RANGES["examples_per_class"].low), maxima.examples_per_class
    widgets["examples_per_class"] = gr.Slider(
        low, high, min(plan.examples_per_class, high), step=1, elem_id="hs-examples", **_texts("examples_per_class")
    )
    widgets["trainable_stages"] = gr.Slider(
        1, maxima.trainable_stages, plan.trainable_stages, step=1, elem_id="hs-learning", **_texts("trainable_stages")
    )
    choice = gr.Markdown(labels.learning_choice(plan.trainable_stages, stages, "en"), elem_id="hs-choice")
    fit = gr.Button(visible=False, size="sm", elem_id="hs-fit")
    with gr.Row(elem_id="hs-buttons"):
        start = gr.Button(labels.text("controls.start"), variant="primary", elem_id="hs-start", size="lg")
        stop = gr.Button(labels.text("controls.stop"), variant="secondary", elem_id="hs-stop", size="lg", min_width=80)
        reset = gr.Button(labels.text("controls.reset"), variant="secondary", elem_id="hs-reset", size="lg", min_width=80)
    uploads, racers, corruptions, more = (
        gr.Accordion(labels.text(title), open=False, elem_id=f"hs-{name}-box") for name, title in BOXES.items()
    )
    with uploads:
        build_uploads(task)
    with racers:
        widgets["extra_racers"] = gr.CheckboxGroup(_choices("racer", EXTRA_RACERS), **_texts("extra_racers"))
    with corruptions:
        preset, explanation = _corruptions(widgets, plan, pinned)
    with more:
        _more(widgets, plan)
    boxes = [uploads, racers, corruptions, more]
    return Controls(widgets, start, stop, reset, choice, fit, preset, explanation, boxes, pinned)


def _texts(name: str) -> dict[str, Any]:
    return {part: labels.text(f"controls.{name}.{part}") for part in ("label", "info")}


def _choices(group: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """(label, name) of each."""
    return [(labels.text(f"{group}.{name}"), name) for name in names]


def _corruptions(widgets: dict[str, Component], plan: Plan, pinned: gr.State) -> tuple[gr.Radio, gr.Markdown]:
    """Draw the presets with their explanation, and the settings that they change."""
    titles = [(labels.text(f"preset.{name}.title"), name) for name in PRESETS]
    label, info = labels.text("preset.label"), labels.text("preset.info")
    preset = gr.Radio(titles, value="none", label=label, info=info, elem_id="hs-preset")
    explanation = gr.Markdown(explain_preset("none"), elem_id="hs-preset-why")
    widgets["shuffle_grid"] = gr.Dropdown(
        _grid_choices(plan.shuffle_grid),
        value=plan.shuffle_grid,
        filterable=False,
        elem_id="hs-patches",
        **_texts("shuffle_grid"),
    )
    widgets["invert_colors"] = gr.Checkbox(
        plan.invert_colors, elem_id="hs-invert-colors", label=labels.text("controls.invert_colors.label")
    )
    widgets["label_noise"] = _slider("label_noise", plan)
    choices = _choices("normalisation", NORMALISATIONS)
    widgets["normalisation"] = gr.Dropdown(choices, value=plan.normalisation, filterable=False, **_texts("normalisation"))

    # .input fires only when a person selects a preset, not when a handler sets it
    switches = [widgets[name] for name in CORRUPTIONS]
    preset.input(apply_preset, [preset, pinned], [preset, explanation, *switches], **UNQUEUED)
    return preset, explanation


def apply_preset(name: str, pinned: dict[str, object]) -> list[object]:
    """The preset shown, its explanation, and the settings it changes. Settings that a link locks keep their values."""
    plan = Plan.from_mapping({**PRESETS[name], **{switch: pinned[switch] for switch in CORRUPTIONS if switch in pinned}})
    preset = preset_of(plan)
    return [preset, explain_preset(preset), *(getattr(plan, switch) for switch in CORRUPTIONS)]


# Only the plan checks ranges, because its error gives the reason; Gradio's would not
def _slider(name: str, plan: Plan, visible: bool = True) -> gr.Slider:
    allowed, value = RANGES[name], getattr(plan, name)
    return gr.Slider(
        allowed.low, allowed.high, value, step=allowed.step, visible=visible, elem_id=f"hs-{name}", **_texts(name)
    )


def _grid_choices(current: int) -> list[tuple[str, int]]:
    """The choices for the number of patches per side, with the current one, which a link may have set."""
    maximum = int(RANGES["shuffle_grid"].high)
    grids = sorted({1, 2, 4, 8, 16, 32, maximum, current})
    return [(labels.text("controls.shuffle_grid.dust") if n == maximum else f"{n} × {n}", n) for n in grids]


def _more(widgets: dict[str, Component], plan: Plan) -> None:
    choices = [(labels.text("axis.epoch"), "epochs"), (labels.text("axis.seconds"), "seconds")]
    budget = gr.Radio(choices, value=plan.budget, elem_id="hs-budget", **_texts("budget"))
    widgets["budget"] = budget
    widgets["epochs"] = _slider("epochs", plan)
    widgets["seconds"] = _slider("seconds", plan, visible=False)
    widgets["image_size"] = gr.Number(plan.image_size, step=1, precision=0, elem_id="hs-image-size", **_texts("image_size"))
    for name in ("scratch_lr", "head_lr", "backbone_lr"):
        widgets[name] = gr.Number(getattr(plan, name), step=RANGES[name].step, elem_id=f"hs-{name}", **_texts(name))
    for name in ("layer_decay", "head_only_fraction", "batch_size"):
        widgets[name] = _slider(name, plan)
    widgets["augment"] = gr.Checkbox(plan.augment, **_texts("augment"))
    widgets["seed"] = gr.Number(plan.seed, step=1, precision=0, elem_id="hs-seed", **_texts("seed"))
    budget.change(show_budget, budget, [widgets[name] for name in BUDGETS], **UNQUEUED)


def show_budget(budget: str) -> list[dict[str, Any]]:
    """Show the slider of the selected budget and hide the other."""
    return [gr.update(visible=budget == name) for name in BUDGETS]


def read_plan(values: Sequence[object]) -> Plan:
    """The plan that the widgets show, from their values in the order of ORDER. Raises PlanError for a value out of range."""
    settings: dict[str, object] = {}
    for name, value in zip(ORDER, values, strict=True):
        if value is None:
            raise PlanError("refusal.empty", name=Message(f"controls.{name}.label"))
        expected = type(getattr(Plan(), name))
        value = tuple(value) if isinstance(value, list) else value
        settings[name] = int(value) if expected is int and isinstance(value, float) and value.is_integer() else value
    return Plan.from_mapping(settings)


def show_plan(plan: Plan, maxima: Limits) -> list[object]:
    """The widgets' values for a plan in the order of ORDER, within the maxima of its task and network."""
    values = asdict(plan)
    shown: list[object] = [list(v) if isinstance(v := values[name], tuple) else v for name in ORDER]
    shown[ORDER.index("shuffle_grid")] = gr.update(choices=_grid_choices(plan.shuffle_grid), value=plan.shuffle_grid)
    for name in BUDGETS:
        shown[ORDER.index(name)] = gr.update(value=values[name], visible=plan.budget == name)
    for name, update in slider_updates(plan, maxima).items():
        shown[ORDER.index(name)] = update
    return shown


def limits(training: int, stages: int) -> Limits:
    """The maxima of the two main sliders. training: pictures per class of the task. stages: of the network."""
    return Limits(min(training, int(RANGES["examples_per_class"].high)), stages)


def slider_updates(plan: Plan, maxima: Limits) -> dict[str, dict[str, Any]]:
    """Updates of the two main sliders: their maxima, and their values within them."""
    return {
        "examples_per_class": gr.update(
            maximum=maxima.examples_per_class, value=min(plan.examples_per_class, maxima.examples_per_class)
        ),
        "trainable_stages": gr.update(
            maximum=maxima.trainable_stages, value=min(plan.trainable_stages, maxima.trainable_stages)
        ),
    }


def preset_of(plan: Plan) -> str | None:
    """The preset whose settings the plan has, None if it matches none."""
    changed = {name: getattr(plan, name) for name in CORRUPTIONS if getattr(plan, name) != getattr(Plan(), name)}
    return next((name for name, settings in PRESETS.items() if settings == changed), None)


def explain_preset(name: str | None) -> str:
    """The explanation of a preset, "" for None."""
    return labels.text(f"preset.{name}.why") if name else ""
