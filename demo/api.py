"""Races for programs: endpoints with types and descriptions, for `gradio_client`, plain HTTP and MCP. Numbers, no figures.

They stand in the same queue as everybody's races. Types are real ones here, not texts: Gradio reads the schemas from them.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr
import numpy as np

from demo import words, zero
from demo.hub import Hub
from demo.log import Log
from engine import (
    EVENTS,
    HeadStartError,
    Plan,
    PlanError,
    Scoreboard,
    backbone_names,
    find_backbone,
    find_task,
    from_row,
    say,
    say_detail,
    say_verdict,
    task_names,
    weights_are_here,
)

# So many calls at once; the others wait in Gradio's queue, before the hub's. Who asks does not wait for those who race
RACES: dict[str, Any] = {"concurrency_id": "api-race", "concurrency_limit": 4}
QUESTIONS: dict[str, Any] = {"concurrency_id": "api-predict", "concurrency_limit": 4}
LOOK = 0.1  # seconds between two looks at a log
TOLD = ("RaceStarted", "PhaseStarted", "Evaluated", "Finished", "RaceFinished")  # a step or a look inside is for curves only


def build(hub: Hub) -> None:
    """Add the endpoints `race`, `predict`, `tasks` and `backbones` to the page that the caller stands in."""

    async def race(
        request: gr.Request,
        task: str = "tabletop",
        backbone: str = "resnet10",
        examples: int = 20,
        learning_stages: int = 3,
        epochs: int = 50,
        px: int = 0,
        augmented: bool = True,
        extra_lanes: list[str] = [],  # noqa: B006  # Gradio reads the default, and nothing changes it
        patches: int = 1,
        label_noise: float = 0.0,
        seed: int = 0,
        events: bool = False,
    ) -> AsyncIterator[dict]:
        """Train two networks on the same few pictures, one from scratch and one pretrained, and say which was right more often on held-out pictures. Takes seconds to minutes.

        Args:
            task: name of a set of pictures, one of `tasks`
            backbone: name of a network, one of `backbones`
            examples: training pictures a class; 5 to 20 are few, 300 are many
            learning_stages: stages of the pretrained network that may change, counted from its head: 1 = the head alone (feature extraction), 3 = head and the top two stages (fine-tuning)
            epochs: passes over the training pictures, the same for all racers
            px: side of the pictures the networks see; 0 = what the weights were made for
            augmented: whether training pictures are cropped and flipped at random
            extra_lanes: further racers, of "random", "frozen", "top" and "all"
            patches: the pictures are cut into so many patches a side, which change places; 1 = left whole
            label_noise: share of the training labels that are shuffled, 0 to 1
            seed: of the draw of pictures and of every random number; the same seed gives the same race
            events: whether what happens is told as it happens, before the summary: accuracy points, phases, ends

        Returns:
            the summary, last of all: accuracies with 95 % intervals, the gap with its own, McNemar's p-value, a verdict in a sentence, `race` for `predict`, `query` for a link to these settings
        """  # noqa: E501  # a description of a parameter is one line
        language = words.language_of(request)
        owner, address = f"api:{secrets.token_urlsafe(12)}", words.address_of(request)
        hub.arrive(owner)  # as long as somebody waits for it
        name = ""
        try:
            plan = Plan.from_mapping(
                {
                    "task": task, "backbone": backbone, "examples": examples, "learning_stages": learning_stages,
                    "epochs": epochs, "px": px, "augmented": augmented, "extra_lanes": extra_lanes, "patches": patches,
                    "label_noise": label_noise, "seed": seed,
                }
            )  # fmt: skip
            if find_task(plan.task).is_private:
                raise PlanError("refusal.offer", name=repr(plan.task))
            # Each call is an owner, but all of one address take one turn, and are counted as one. In a thread because it may
            # wait; that has the context of this call, as Log.visitor wants it
            name = await asyncio.to_thread(hub.start, plan, owner, address, f"api:{address}")
            log = hub.find(name)
            assert log  # a race that is on is kept
            board = Scoreboard()
            async for row in _follow(log):
                if row["event"] in EVENTS:
                    board.add(from_row(row))
                if row["event"] == "Ended" and (row["reason"] == "failed" or row.get("message")):
                    raise gr.Error(row["message"][language], print_exception=False)
                if events and row["event"] in TOLD:
                    yield row
            yield summary(name, plan, board, language)
        except HeadStartError as error:
            raise gr.Error(error.said(language), print_exception=False) from None
        finally:
            if name:
                hub.stop(name, owner)
            hub.leave(owner)

    def predict(race: str, image: np.ndarray | None, request: gr.Request) -> dict:
        """Ask the networks of a finished race what a picture shows: each racer's probability of each class, the likeliest first.

        Args:
            race: the `race` of a summary; its networks are kept for a while
            image: the picture

        Returns:
            racer -> class -> probability
        """  # noqa: E501
        language = words.language_of(request)
        trained = hub.trained(race, "")
        if trained is None:
            raise gr.Error(say("api.race", language, race=repr(race)), print_exception=False)
        if image is None:
            raise gr.Error(say("api.image", language), print_exception=False)
        try:
            answers = zero.apart(trained.answer, image)
        except HeadStartError as error:
            raise gr.Error(error.said(language), print_exception=False) from None
        return {lane: _shares(trained.classes, answer.probabilities) for lane, answer in answers.items()}

    def tasks() -> list[dict]:
        """The sets of pictures that can be raced on: name, classes, how many pictures, licence, whether they are here or fetched first.

        Returns:
            one entry for each set; `training` is pictures a class, `heldout` all classes together
        """  # noqa: E501
        return [
            {
                "name": task.name, "title": task.title, "classes": list(task.classes) if task.is_open else len(task.classes),
                "training": task.training, "heldout": task.heldout, "px": task.px, "licence": task.licence,
                "overlap_with_imagenet": task.overlap, "is_here": task.is_here,
            }
            for task in map(find_task, task_names())
            if not task.is_private
        ]  # fmt: skip

    def backbones() -> list[dict]:
        """The networks that can be raced with: name, input side, what their weights were made from, whether they are here or fetched first.

        Returns:
            one entry for each network
        """  # noqa: E501
        return [
            {
                "name": name, "title": found.title, "px": found.px, "pretraining": str(found.pretraining),
                "is_here": weights_are_here(found),
            }
            for name, found in ((name, find_backbone(name)) for name in backbone_names())
        ]  # fmt: skip

    gr.events.api(race, api_name="race", **RACES)
    # With components, because a picture is a file: Gradio fetches and checks it
    name, image = gr.Textbox(visible=False, label="race"), gr.Image(visible=False, label="image")
    answer, ask = gr.JSON(visible=False, label="probabilities"), gr.Button(visible=False)
    ask.click(predict, [name, image], answer, api_name="predict", show_progress="hidden", **QUESTIONS)
    gr.events.api(tasks, api_name="tasks", queue=False)
    gr.events.api(backbones, api_name="backbones", queue=False)


def summary(race: str, plan: Plan, board: Scoreboard, language: str = "en") -> dict[str, Any]:
    """How a race came out, as numbers and in a sentence. Shares are 0 to 1; the gap is pretrained minus from scratch."""
    end, lanes = board.verdict(), {}
    for name, curve in board.curves.items():
        last, finished = curve.exact[-1] if curve.exact else None, curve.finished
        lanes[name] = {
            "accuracy": last.correct / last.total if last else None,
            "low": last.low if last else None,
            "high": last.high if last else None,
            "correct": last.correct if last else 0,
            "heldout": last.total if last else 0,
            "seconds": finished.seconds if finished else None,
            "ended": finished.reason if finished else None,
        }
    started, finish = board.started, board.finished
    is_whole = end.outcome != "unfinished"
    return {
        "race": race,
        "outcome": end.outcome,
        "verdict": say_verdict(board, language),
        "detail": say_detail(board, language),
        "gap": end.gap if is_whole else None,
        "gap_low": end.low if is_whole else None,
        "gap_high": end.high if is_whole else None,
        "p_value": end.p_value if is_whole else None,
        "lanes": lanes,
        "classes": list(started.classes) if started else [],
        "machine": started.machine if started else "",
        "seconds": finish.wall_seconds if finish else None,
        "plan": json.loads(plan.to_json()),
        "query": plan.to_query(),
    }


async def _follow(log: Log) -> AsyncIterator[dict[str, Any]]:
    """The rows of a race as they come, to the end. Asynchronous, because a wait in a thread could not be cut off."""
    index = 0
    while True:
        is_over, count = log.state == "ended", len(log.rows)  # in this order: rows written before the end are all here then
        for row in log.rows[index:count]:
            yield json.loads(row)
        index = count
        if is_over:
            return
        await asyncio.sleep(LOOK)


def _shares(classes: tuple[str, ...], probabilities: tuple[float, ...]) -> dict[str, float]:
    likeliest = sorted(zip(classes, probabilities, strict=True), key=lambda pair: -pair[1])
    return {name: round(share, 6) for name, share in likeliest}
