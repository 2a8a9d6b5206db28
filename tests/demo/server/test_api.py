"""Programs run races and classify pictures by gradio_client and MCP, through the page's queue, with the same numbers."""

from __future__ import annotations

import ast
import asyncio
import base64
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.context import LocalContext
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from demo import page
from demo.classroom.rooms import Rooms
from demo.server import api
from demo.server.limits import Limits
from demo.server.race_queue import RaceQueue
from demo.uploads.availability import Availability
from demo.uploads.store import UploadStore
from engine import Plan, Scoreboard, run_race, translate
from engine.workspace import Workspace
from tests.conftest import CPU
from tests.helpers.races import job_of, until

NAMES = {"/race", "/predict", "/tasks", "/backbones"}
SMALL = {"examples_per_class": 3, "epochs": 2, "trainable_stages": 1, "seed": 5}
LONG = Plan(examples_per_class=8, epochs=500)
# Gradio and mcp use each other's older names
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_a_summary_holds_the_scoreboards_numbers(workspace: Workspace) -> None:
    plan, board = Plan.from_mapping(SMALL), Scoreboard()
    unfinished = api.summary("id", plan, board)
    assert (unfinished["outcome"], unfinished["gap"], unfinished["racers"]) == ("unfinished", None, {})
    for event in run_race(plan, workspace, CPU):
        board.add(event)
    summary = api.summary("id", plan, board)
    verdict = board.verdict()
    assert (summary["gap"], summary["gap_low"], summary["gap_high"], summary["p_value"]) == (
        verdict.gap, verdict.low, verdict.high, verdict.p_value,
    )  # fmt: skip
    for name, racer in summary["racers"].items():
        finished = board.curves[name].finished
        assert finished
        assert (racer["correct"], racer["heldout"], racer["ended"]) == (finished.correct, finished.total, "done")
        assert racer["low"] <= racer["accuracy"] <= racer["high"]
    assert Plan.from_query(summary["query"]) == plan
    assert json.loads(json.dumps(summary)) == summary


def test_programs_see_only_these_four_endpoints(queue: RaceQueue) -> None:
    uploads, rooms = UploadStore(queue.workspace), Rooms(queue)
    blocks = page.build(queue, Availability(queue.workspace), uploads, rooms)
    rooms.close()
    uploads.close()
    assert set(blocks.get_api_info()["named_endpoints"]) == NAMES
    assert not blocks.get_api_info()["unnamed_endpoints"]


def test_every_parameter_has_a_type_and_a_description(queue: RaceQueue) -> None:
    with gr.Blocks() as blocks:
        api.build(queue)
    for name, endpoint in blocks.get_api_info()["named_endpoints"].items():
        assert endpoint["description"], name
        for parameter in endpoint["parameters"]:
            assert parameter["type"], parameter
    race = blocks.get_api_info()["named_endpoints"]["/race"]["parameters"]
    settings = {p["parameter_name"]: p["parameter_default"] for p in race if p["parameter_name"] != "events"}
    assert Plan.from_mapping(settings) == Plan()  # the defaults are a plan's
    types = {p["parameter_name"]: p["type"].get("type") for p in race}
    assert (types["examples_per_class"], types["task"], types["label_noise"], types["augment"]) == (
        "integer", "string", "number", "boolean",
    )  # fmt: skip


@contextmanager
def served(queue: RaceQueue) -> Iterator[str]:
    """The address of a small app with the endpoints."""
    pytest.importorskip("mcp", reason='pip install "gradio[mcp]"')
    with gr.Blocks(analytics_enabled=False) as blocks:
        api.build(queue)
    blocks.queue()
    _, url, _ = blocks.launch(prevent_thread_lock=True, mcp_server=True, quiet=True, server_name="127.0.0.1", ssr_mode=False)
    yield url
    blocks.close(verbose=False)
    queue.close()


@pytest.fixture
def server(workspace: Workspace) -> Iterator[tuple[str, RaceQueue]]:
    """The endpoints of a queue that allows few races."""
    queue = RaceQueue(workspace, CPU, grace=60, limits=Limits(races=3))
    with served(queue) as url:
        yield url, queue


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray((np.random.default_rng(0).random((40, 50, 3)) * 255).astype(np.uint8)).save(path)
    return path


@pytest.mark.slow
def test_a_program_runs_races_and_classifies(server: tuple[str, RaceQueue], picture: Path) -> None:
    client = Client(server[0], verbose=False)
    board = Scoreboard()
    for event in run_race(Plan.from_mapping(SMALL), server[1].workspace, CPU):
        board.add(event)

    job = client.submit(**SMALL, events=True, api_name="/race")
    last = job.result()
    outputs = job.outputs()
    events = [row["event"] for row in outputs[:-1] if row["event"] != "Progressed"]
    assert (events[0], events[-1]) == ("RaceStarted", "RaceFinished")
    assert "Evaluated" in events
    summary = outputs[-1]
    assert last in (outputs[0], summary)
    assert (summary["gap"], summary["p_value"]) == (board.verdict().gap, board.verdict().p_value)
    assert summary["racers"]["pretrained"]["correct"] == board.curves["pretrained"].finished.correct  # type: ignore[union-attr]

    alone = client.predict(**SMALL, api_name="/race")
    same = ("outcome", "verdict", "gap", "p_value", "query", "classes")
    assert [alone[key] for key in same] == [summary[key] for key in same]

    predictions = client.predict(summary["race"], handle_file(picture), api_name="/predict")
    assert set(predictions) == {"scratch", "pretrained"}
    for probabilities in predictions.values():
        assert set(probabilities) == set(summary["classes"])
        assert sum(probabilities.values()) == pytest.approx(1.0, abs=1e-4)

    assert "tabletop" in {task["name"] for task in client.predict(api_name="/tasks")}
    assert [network["name"] for network in client.predict(api_name="/backbones")] == ["resnet10"]

    with pytest.raises(AppError, match="examples_per_class is 1"):
        client.predict(examples_per_class=1, api_name="/race")
    with pytest.raises(AppError, match="no finished race 'nothing'"):
        client.predict("nothing", handle_file(picture), api_name="/predict")
    client.predict(**SMALL, api_name="/race")
    with pytest.raises(AppError) as refused:
        client.predict(**SMALL, api_name="/race")
    assert str(refused.value).startswith(translate("refusal.often", races=3, minutes=60)[:30])


@pytest.mark.slow
@pytest.mark.parametrize("events", [True, False])
def test_a_cancelled_call_ends_its_race(server: tuple[str, RaceQueue], events: bool) -> None:
    url, queue = server
    job = Client(url, verbose=False).submit(examples_per_class=8, epochs=500, events=events, api_name="/race")
    until(lambda: job.outputs() if events else queue.running)
    until(lambda: job.communicator and job.communicator.event_id)  # which the client names when it cancels
    job.cancel()
    until(lambda: not queue.running)


@pytest.mark.slow
def test_waiting_calls_share_one_turn_and_do_not_delay_predictions(workspace: Workspace) -> None:
    queue = RaceQueue(workspace, CPU, grace=60)
    running = queue.start(LONG, "ann")
    until(lambda: queue.running == running)
    with served(queue) as url:
        client = Client(url, verbose=False)
        jobs = [client.submit(**SMALL, api_name="/race") for _ in range(4)]
        until(lambda: len(queue.waiting) == 4)
        with pytest.raises(AppError, match="no finished race 'nothing'"):
            client.submit("nothing", None, api_name="/predict").result(timeout=20)

        bob = job_of(queue, queue.start(LONG, "bob"))
        assert bob.log.rows[-1]["place"] == 2
        # On ZeroGPU each call is charged to its caller
        calls = [queue.jobs[race] for race in queue.waiting if queue.jobs[race] is not bob]
        assert all(job.visitor[LocalContext.request] for job in calls)
        for job in jobs:
            job.cancel()
        until(lambda: len(queue.waiting) == 1)


@pytest.mark.slow
def test_mcp_offers_the_endpoints_as_tools(server: tuple[str, RaceQueue], picture: Path) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async def session_results() -> dict[str, Any]:
        async with (
            streamablehttp_client(server[0] + "gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            raced = await session.call_tool("race", SMALL)
            refused = await session.call_tool("race", {"examples_per_class": 1})
            listed = await session.call_tool("tasks", {})
            image = "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
            race = ast.literal_eval(raced.content[0].text)["race"]
            predicted = await session.call_tool("predict", {"race": race, "image": image})
            return {"tools": tools, "raced": raced, "refused": refused, "listed": listed, "predicted": predicted}

    results = asyncio.run(session_results())
    assert set(results["tools"]) == {name[1:] for name in NAMES}
    race = results["tools"]["race"]
    assert race.description.startswith("Train two networks")
    assert all(schema["description"] for schema in race.inputSchema["properties"].values())
    assert "required" not in race.inputSchema
    assert not results["raced"].isError
    assert "'gap'" in results["raced"].content[0].text
    assert results["refused"].isError
    assert "examples_per_class is 1" in results["refused"].content[0].text
    assert "tabletop" in results["listed"].content[0].text
    assert set(ast.literal_eval(results["predicted"].content[0].text)) == {"scratch", "pretrained"}


@pytest.mark.slow
def test_the_endpoints_are_on_the_api_page(server: tuple[str, RaceQueue]) -> None:
    with urllib.request.urlopen(server[0] + "gradio_api/info") as answer:
        assert set(json.load(answer)["named_endpoints"]) == NAMES
