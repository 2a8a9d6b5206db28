"""The event handlers of the page, one method each. `page.py` connects them with the widgets."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from demo import controls
from demo.classroom.rooms import Rooms
from demo.components import class_pictures, header, network_diagram, share_link
from demo.components.lesson import component as lesson
from demo.i18n import labels
from demo.server import zerogpu
from demo.server.latest_settings import LatestSettings
from demo.server.race_queue import RaceQueue
from demo.uploads.availability import Availability
from demo.uploads.store import UploadStore
from engine import HeadStartError, Plan, PlanError, Stage, fact_sentence, input_size, stages, translate

LONG_RACE, QUICK_RACE = 100.0, 60.0  # seconds: a race that takes LONG_RACE or more is offered shortened to QUICK_RACE
State = dict[str, str]  # kept in the browser: "visitor", a random id, and "race", the id of the visitor's newest race
Pinned = dict[str, Any]  # settings that the link locks: name of the Plan field -> value
Update = dict[str, Any]  # what gr.update and gr.skip return


class PageHandlers:
    """Reads plans from the widgets, starts races and returns new values for the components, in the visitor's language.

    `values` are the widgets' values in the order of `controls.ORDER`, as the browser sent them.
    """

    def __init__(
        self,
        queue: RaceQueue,
        availability: Availability,
        uploads: UploadStore,
        rooms: Rooms,
        latest: LatestSettings | None = None,
    ) -> None:
        self._queue, self._availability, self._uploads, self._rooms = queue, availability, uploads, rooms
        self._latest = latest or LatestSettings()
        self._workspace = queue.workspace

    # --- descriptions of a plan --------------------------------------------------------------------------------------

    def network(self, plan: Plan, language: str) -> str:
        """The diagram of a plan's network, stage by stage, as markup."""
        description = fact_sentence(self._workspace.backbones.find(plan.backbone).description, language)
        return network_diagram.draw(
            description, self.stages(plan), plan.trainable_stages, input_size(plan, self._workspace), language
        )

    def pictures(self, plan: Plan, language: str) -> str:
        """Sampled training pictures of a plan, as markup."""
        return class_pictures.draw(plan, self._workspace.tasks.find(plan.task), language)

    def about(self, plan: Plan, language: str) -> str:
        """The details of network, pictures and method, as Markdown."""
        return labels.about(self._workspace.backbones.find(plan.backbone), self._workspace.tasks.find(plan.task), language)

    def stages(self, plan: Plan) -> tuple[Stage, ...]:
        """The stages of a plan's network with a head for its task. Raises PlanError for an image size it cannot take."""
        task, backbone = self._workspace.tasks.find(plan.task), self._workspace.backbones.find(plan.backbone)
        return stages(backbone, len(task.classes), input_size(plan, self._workspace))

    def limits(self, plan: Plan) -> controls.Limits:
        """The maxima of the two main sliders for a plan's task and network, for any image size."""
        task, backbone = self._workspace.tasks.find(plan.task), self._workspace.backbones.find(plan.backbone)
        size = max(plan.image_size, backbone.architecture.smallest)
        return controls.limits(task.training, len(stages(backbone, len(task.classes), size)))

    # --- events ------------------------------------------------------------------------------------------------------

    def enter(self, state: State, request: gr.Request) -> tuple[object, ...]:
        """Show the visitor's race, and the plan of the link, else of the race, else the default plan."""
        language = labels.language_of(request)
        state = {"visitor": state.get("visitor") or secrets.token_urlsafe(12), "race": state.get("race", "")}
        link = dict(request.query_params)
        race = link.get("race") or state["race"]
        job = self._queue.find(race)
        if job is None:
            race = self._queue.running or "recorded"
            job = self._queue.find(race)
        try:
            plan = self._allowed(state, job.plan if job and race != "recorded" else Plan())
        except HeadStartError:
            plan = Plan()
        linked, alert = self._linked(state, link, language)
        plan = plan if linked == Plan() else linked
        locked, hidden, view = share_link.read(link)
        pinned = share_link.pinned(linked, locked)
        plan = replace(plan, **pinned)
        owner = bool(job and job.owner == state["visitor"])
        value = {"race": race, "me": state["visitor"], "owner": owner, "alert": alert}
        value |= self._private_facts(job.plan) if job and owner else {}
        widgets = share_link.applied(self._show(state, pinned, plan, language), locked, hidden)
        texts = header.draw(language), self.about(plan, language), self._availability.table(language)
        return state, value, *texts, *widgets, *share_link.boxes(hidden), view, pinned

    def refresh(self, state: State, request: gr.Request) -> tuple[str, Update, Update]:
        """Check the hosts and update the table and the lists of sets and networks; the selection stays."""
        self._availability.refresh()
        language = labels.language_of(request)
        tasks, backbones = self._choices(state, language)
        return self._availability.table(language), gr.update(choices=tasks), gr.update(choices=backbones)

    def start(self, state: State | None, request: gr.Request, *values: object) -> tuple[State, dict[str, object]]:
        """Start a race with the plan of the widgets, or return an alert that gives the reason why not."""
        language = labels.language_of(request)
        state = {**(state or {})}  # a browser that blocks storage may send None
        state["visitor"] = state.get("visitor") or secrets.token_urlsafe(12)
        try:
            plan = self._allowed(state, controls.read_plan(values))
            race = self._queue.start(plan, state["visitor"], labels.address_of(request))
        except HeadStartError as error:
            return state, _alert(translate("refusal.start", language, why=error.translated(language)))
        self._rooms.follow(state["visitor"], race)
        self._uploads.mark_used(plan.task)
        state["race"] = race
        return state, {"race": race, "me": state["visitor"], "owner": True, **self._private_facts(plan)}

    def stop(self, state: State) -> None:
        """Stop this visitor's race."""
        self._queue.stop(state.get("race", ""), state.get("visitor", ""))

    def reset(self, state: State, pinned: Pinned, request: gr.Request) -> tuple[object, ...]:
        """Stop the visitor's race and show the default plan; settings that the link locks keep their values."""
        self.stop(state)
        value = {"race": "recorded", "me": state.get("visitor", ""), "owner": False, "version": secrets.token_hex(4)}
        return {**state, "race": ""}, value, *self._show(state, pinned, Plan(), labels.language_of(request))

    def preview(self, pinned: Pinned, request: gr.Request, *values: object) -> tuple[object, ...] | Update:
        """Costs, network, pictures and preset for the current settings. Never waits for a probe of the machine."""
        language = labels.language_of(request)
        self._latest.put(request.session_hash, values)
        outputs: tuple[object, ...]
        try:
            plan = controls.read_plan(values)
            preset = controls.preset_of(plan)
            drawings = self.network(plan, language), self.pictures(plan, language)
            costs = self._costs(plan, pinned, language, may_probe=False)
            outputs = *costs, *drawings, preset, controls.explain_preset(preset)
        except HeadStartError as error:
            outputs = error.translated(language), gr.update(visible=False), *[gr.skip()] * 4
        return outputs if self._latest.are_current(request.session_hash, values) else gr.skip()

    def cost(self, pinned: Pinned, request: gr.Request, *values: object) -> tuple[str, Update] | Update:
        """The expected time and an offer of a shorter race. Probes the machine if its speed is not known yet."""
        try:
            outputs = self._costs(controls.read_plan(values), pinned, labels.language_of(request), may_probe=True)
        except HeadStartError:
            return gr.skip()  # preview shows the reason
        return outputs if self._latest.are_current(request.session_hash, values) else gr.skip()

    def select(self, pinned: Pinned, request: gr.Request, *values: object) -> tuple[object, ...]:
        """The maxima of the sliders and the details after another task or network was selected."""
        try:
            plan = replace(controls.read_plan(values), **pinned)
            updates = controls.slider_updates(plan, self.limits(plan))
        except HeadStartError:
            return gr.skip(), gr.skip(), gr.skip()
        return updates["examples_per_class"], updates["trainable_stages"], self.about(plan, labels.language_of(request))

    def fit(self, state: State | None, pinned: Pinned, request: gr.Request, *values: object) -> list[object]:
        """The widgets' values for a race that takes about QUICK_RACE."""
        language = labels.language_of(request)
        try:
            plan = controls.read_plan(values)
            return self._show(state or {}, pinned, self._queue.fit(plan, QUICK_RACE) or plan, language)
        except HeadStartError:
            return self._show(state or {}, pinned, Plan(), language)

    def link(
        self, request: gr.Request, locked: list[str], hidden: list[str], view: str, *values: object
    ) -> tuple[str | Update, dict[str, object]]:
        """The query string of a link to these settings, with the controls it locks and hides."""
        try:
            plan = controls.read_plan(values)
            if self._workspace.tasks.find(plan.task).is_private:
                raise PlanError("refusal.link.own")
            return share_link.query(plan, locked, hidden, view), gr.skip()
        except HeadStartError as error:
            return gr.skip(), _alert(error.translated(labels.language_of(request)))

    def set_lesson_race(self, state: State, pinned: Pinned, step: object, request: gr.Request) -> list[object]:
        """The widgets' values for the race of a lesson step."""
        try:
            return self._show(state, pinned, lesson.plan_of(step), labels.language_of(request))
        except HeadStartError:
            return [gr.skip()] * len(controls.ORDER)

    def start_lesson_race(
        self, state: State, step: object, request: gr.Request, *values: object
    ) -> tuple[State | Update, dict[str, object]]:
        """Start the race that a lesson step has set, if the step asks for it; else nothing."""
        return self.start(state, request, *values) if lesson.wants_start(step) else (gr.skip(), gr.skip())

    # --- helpers ------------------------------------------------------------------------------------------------

    def _choices(self, state: State, language: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """(label, name) of the picture sets and of the networks that this visitor may race."""
        visitor_sets = self._uploads.of(state.get("visitor", ""))
        return self._availability.tasks(visitor_sets, language), self._availability.backbones(language)

    def _show(self, state: State, pinned: Pinned, plan: Plan, language: str) -> list[object]:
        """The values of all widgets for a plan; settings that the link locks keep their locked values.

        The default plan is shown if the plan's pictures were deleted meanwhile.
        """
        plan = replace(plan, **pinned)
        try:
            shown = controls.show_plan(plan, self.limits(plan))
        except HeadStartError:
            plan = Plan()
            shown = controls.show_plan(plan, self.limits(plan))
        tasks, backbones = self._choices(state, language)
        return [
            gr.update(choices=tasks, value=plan.task),
            gr.update(choices=backbones, value=plan.backbone),
            *shown[2:],
        ]

    def _allowed(self, state: State, plan: Plan) -> Plan:
        """The plan itself. Raises PlanError if its network or its pictures are not available to this visitor."""
        has_task = self._availability.has_task(plan.task, self._uploads.of(state.get("visitor", "")))
        for name, is_available in ((plan.task, has_task), (plan.backbone, self._availability.has_backbone(plan.backbone))):
            if not is_available:
                raise PlanError("refusal.offer", name=repr(name))
        return plan

    def _linked(self, state: State, link: dict[str, str], language: str) -> tuple[Plan, str]:
        """The plan of a link and "", or the default plan and the reason why the link cannot be used."""
        try:
            return self._allowed(state, Plan.from_query(urlencode(link))), ""
        except HeadStartError as error:
            return Plan(), error.translated(language)

    def _private_facts(self, plan: Plan) -> dict[str, object]:
        """The task and class names of a race, which its public log leaves out; None if the pictures were deleted."""
        try:
            task = self._workspace.tasks.find(plan.task)
            return {"task": plan.task, "classes": list(task.classes) if task.is_open else None}
        except HeadStartError:
            return {"task": None, "classes": None}

    def _costs(self, plan: Plan, pinned: Pinned, language: str, may_probe: bool) -> tuple[str, Update]:
        """A sentence on what is trained and how long it takes, and the update of the button that offers a shorter race.

        The button is hidden where the shorter race would change a locked setting.
        """
        task, seconds = self._workspace.tasks.find(plan.task), self._queue.expected_seconds(plan, may_probe)
        trainable = labels.learning_choice(plan.trainable_stages, self.stages(plan), language)
        if zerogpu.is_lending():
            gpu_time = self._queue.estimator.gpu_time
            return f"{trainable} {gpu_time.cost(plan, language, self._queue.limits.longest)}", gr.update(visible=False)
        if seconds is None:
            later = translate("cost.later" if may_probe else "cost.soon", language)
            return f"{trainable} {later}", gr.update(visible=False)
        quick = self._queue.fit(plan, QUICK_RACE) if seconds >= LONG_RACE else None
        if quick is None or replace(quick, **pinned) != quick:
            button = gr.update(visible=False)
        else:
            button = gr.update(value=labels.fit(quick, plan, language), visible=True)
        return f"{trainable} {labels.cost(seconds, task, language)}", button


def _alert(text: str) -> dict[str, object]:
    """The chart's value for an alert. A toast would need Gradio's queue."""
    return {"alert": text, "version": secrets.token_hex(4)}
