"""Endpoints for programs (`gradio_client`, plain HTTP, MCP), with types and descriptions. They return numbers, no figures.

Their races wait in the same queue as the page's. Annotations are evaluated here (no `from __future__ import annotations`),
because Gradio reads the schemas from them.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import gradio as gr
import numpy as np

from demo.i18n import labels
from demo.server import zerogpu
from demo.server.race_queue import RaceQueue
from demo.server.row_log import Row, RowLog
from engine import (
    Event,
    HeadStartError,
    Plan,
    PlanError,
    Scoreboard,
    detail_sentence,
    translate,
    verdict_sentence,
    weights_are_here,
)

# At most so many calls run at once; the others wait in Gradio's queue. Predictions do not wait for races
RACES: dict[str, Any] = {"concurrency_id": "api-race", "concurrency_limit": 4}
PREDICTIONS: dict[str, Any] = {"concurrency_id": "api-predict", "concurrency_limit": 4}
POLL_INTERVAL = 0.1  # seconds between two reads of a log
STREAMED = (
    "RaceStarted",
    "PhaseStarted",
    "Evaluated",
    "Finished",
    "RaceFinished",
)  # events that callers are sent; the others are for curves


def build(queue: RaceQueue) -> None:
    """Add the endpoints `race`, `predict`, `tasks` and `backbones` to the page that is being built."""
    api = Api(queue)
    gr.events.api(api.race, api_name="race", **RACES)
    # With components, because a picture is a file: Gradio fetches and checks it
    race, image = gr.Textbox(visible=False, label="race"), gr.Image(sources=["upload"], visible=False, label="image")
    probabilities, button = gr.JSON(visible=False, label="probabilities"), gr.Button(visible=False)
    button.click(api.predict, [race, image], probabilities, api_name="predict", show_progress="hidden", **PREDICTIONS)
    gr.events.api(api.tasks, api_name="tasks", queue=False)
    gr.events.api(api.backbones, api_name="backbones", queue=False)


class Api:
    """The endpoints. Gradio makes their schemas from the signatures and docstrings of these methods."""

    def __init__(self, queue: RaceQueue):
        self._queue = queue

    async def race(
        self,
        request: gr.Request,
        task: str = "tabletop",
        backbone: str = "resnet10",
        examples_per_class: int = 20,
        trainable_stages: int = 3,
        epochs: int = 50,
        image_size: int = 0,
        augment: bool = True,
        extra_racers: list[str] = [],  # noqa: B006  # Gradio reads the default, and nothing changes it
        shuffle_grid: int = 1,
        label_noise: float = 0.0,
        seed: int = 0,
        events: bool = False,
    ) -> AsyncIterator[dict]:
        """Train two networks on the same few pictures, one from scratch and one pretrained, and compare their held-out accuracy. Takes seconds to minutes.

        Args:
            task: name of a set of pictures, one of `tasks`
            backbone: name of a network, one of `backbones`
            examples_per_class: training pictures of each class; 5 to 20 are few, 300 are many
            trainable_stages: stages of the pretrained network that are trained, counted from its head: 1 = the head alone (feature extraction), 3 = head and the top two stages (fine-tuning)
            epochs: passes over the training pictures, the same for all racers
            image_size: side of the input pictures in pixels; 0 = the size the weights were trained at
            augment: whether training pictures are cropped and flipped at random
            extra_racers: further racers, of "random", "frozen", "top" and "all"
            shuffle_grid: the pictures are cut into a grid of so many patches a side, which are shuffled; 1 = no shuffling
            label_noise: fraction of the training labels that are shuffled, 0 to 1
            seed: seed of the sampled pictures and of all random numbers; the same seed gives the same race
            events: whether events (evaluations, phases, ends) are streamed before the summary

        Returns:
            the summary, as the last item: accuracies with 95 % intervals, the gap with its interval, McNemar's p-value, a verdict in a sentence, `race` for `predict`, `query` for a link to these settings
        """  # noqa: E501  # a description of a parameter is one line
        language = labels.language_of(request)
        try:
            plan = Plan.from_mapping(
                {
                    "task": task, "backbone": backbone, "examples_per_class": examples_per_class,
                    "trainable_stages": trainable_stages,
                    "epochs": epochs, "image_size": image_size, "augment": augment, "extra_racers": extra_racers,
                    "shuffle_grid": shuffle_grid,
                    "label_noise": label_noise, "seed": seed,
                }
            )  # fmt: skip
            if self._queue.workspace.tasks.find(plan.task).is_private:
                raise PlanError("refusal.offer", name=repr(plan.task))
            async with aclosing(self._run(plan, labels.address_of(request), language, events)) as items:
                async for item in items:
                    yield item
        except HeadStartError as error:
            raise gr.Error(error.translated(language), print_exception=False) from None

    def predict(self, race: str, image: np.ndarray | None, request: gr.Request) -> dict:
        """Classify a picture with the networks of a finished race: each racer's probability of each class, the highest first.

        Args:
            race: the `race` of a summary; its networks are kept for a while
            image: the picture

        Returns:
            racer -> class -> probability
        """  # noqa: E501
        language = labels.language_of(request)
        trained = self._queue.trained(race, "")
        if trained is None:
            raise gr.Error(translate("api.race", language, race=repr(race)), print_exception=False)
        if image is None:
            raise gr.Error(translate("api.image", language), print_exception=False)
        try:
            predictions = zerogpu.call_with_gradients(trained.answer, image)
        except HeadStartError as error:
            raise gr.Error(error.translated(language), print_exception=False) from None
        return {racer: _ranked(trained.classes, each.probabilities) for racer, each in predictions.items()}

    def tasks(self) -> list[dict]:
        """The tasks (sets of pictures) that can be raced on: name, classes, number of pictures, licence, whether they are on this machine or downloaded first.

        Returns:
            one entry for each task; `training` is the pictures of each class, `heldout` those of all classes together
        """  # noqa: E501
        return [
            {
                "name": task.name, "title": task.title, "classes": list(task.classes) if task.is_open else len(task.classes),
                "training": task.training, "heldout": task.heldout, "image_size": task.image_size, "licence": task.licence,
                "overlap_with_imagenet": task.overlap, "is_here": task.is_here,
            }
            for task in map(self._queue.workspace.tasks.find, self._queue.workspace.tasks.names())
            if not task.is_private
        ]  # fmt: skip

    def backbones(self) -> list[dict]:
        """The pretrained networks that can be raced with: name, input size, pretraining, whether the weights are on this machine or downloaded first.

        Returns:
            one entry for each network
        """  # noqa: E501
        return [
            {
                "name": backbone.name, "title": backbone.title, "image_size": backbone.image_size,
                "pretraining": str(backbone.pretraining),
                "is_here": weights_are_here(backbone),
            }
            for backbone in map(self._queue.workspace.backbones.find, self._queue.workspace.backbones.names())
        ]  # fmt: skip

    async def _run(self, plan: Plan, address: str, language: str, events: bool) -> AsyncGenerator[dict[str, Any]]:
        """Run a race: yield its rows where `events` is set, then its summary. Stop it when the caller disconnects."""
        # Each call is an owner of its own, but all calls from one address are one party with one rate limit
        owner, race_id = f"api:{secrets.token_urlsafe(12)}", ""
        self._queue.arrive(owner)  # present for as long as the call lasts
        try:
            # In a thread, because it may block. to_thread copies the context of this call, which RaceJob.visitor keeps
            race_id = await asyncio.to_thread(self._queue.start, plan, owner, address, f"api:{address}")
            job = self._queue.find(race_id)
            assert job  # a race that has not ended is kept
            board = Scoreboard()
            async for row, event in _follow(job.log):
                if event:
                    board.add(event)
                if row["event"] == "Ended" and (row["reason"] == "failed" or row.get("message")):
                    raise gr.Error(row["message"][language], print_exception=False)
                if events and row["event"] in STREAMED:
                    yield row
            yield summary(race_id, plan, board, language)
        finally:
            if race_id:
                self._queue.stop(race_id, owner)
            self._queue.leave(owner)


def summary(race: str, plan: Plan, board: Scoreboard, language: str = "en") -> dict[str, Any]:
    """The result of a race: numbers and a sentence. Accuracies are 0 to 1; the gap is pretrained minus from scratch."""
    verdict, racers = board.verdict(), {}
    for name, curve in board.curves.items():
        last, finished = curve.exact[-1] if curve.exact else None, curve.finished
        racers[name] = {
            "accuracy": last.correct / last.total if last else None,
            "low": last.low if last else None,
            "high": last.high if last else None,
            "correct": last.correct if last else 0,
            "heldout": last.total if last else 0,
            "seconds": finished.seconds if finished else None,
            "ended": finished.reason if finished else None,
        }
    started, race_finished = board.started, board.finished
    is_finished = verdict.outcome != "unfinished"
    return {
        "race": race,
        "outcome": verdict.outcome,
        "verdict": verdict_sentence(board, language),
        "detail": detail_sentence(board, language),
        "gap": verdict.gap if is_finished else None,
        "gap_low": verdict.low if is_finished else None,
        "gap_high": verdict.high if is_finished else None,
        "p_value": verdict.p_value if is_finished else None,
        "racers": racers,
        "classes": list(started.classes) if started else [],
        "machine": started.machine if started else "",
        "seconds": race_finished.wall_seconds if race_finished else None,
        "plan": json.loads(plan.to_json()),
        "query": plan.to_query(),
    }


async def _follow(log: RowLog) -> AsyncIterator[tuple[Row, Event | None]]:
    """Yield the rows of a race as they are appended, until its log is closed. Asynchronous, so that it can be cancelled."""
    index = 0
    while True:
        is_over, count = log.is_closed, len(log.texts)  # in this order: all rows written before the end are counted
        for k in range(index, count):
            yield log.rows[k], log.events[k]
        index = count
        if is_over:
            return
        await asyncio.sleep(POLL_INTERVAL)


def _ranked(classes: tuple[str, ...], probabilities: tuple[float, ...]) -> dict[str, float]:
    """Class -> probability, the highest first."""
    pairs = sorted(zip(classes, probabilities, strict=True), key=lambda pair: -pair[1])
    return {name: round(probability, 6) for name, probability in pairs}
