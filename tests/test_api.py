"""Programs race and ask: by gradio_client and by MCP, through the same queue, with the same numbers as everybody's races."""

from __future__ import annotations

import ast
import asyncio
import base64
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
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

from demo import api, page
from demo.hub import Hub
from demo.limits import Limits
from demo.offer import Offer
from demo.rooms import Rooms
from demo.shelf import Shelf
from engine import Plan, Scoreboard, run_race, say

NAMES = {"/race", "/predict", "/tasks", "/backbones"}
SMALL = {"examples": 3, "epochs": 2, "learning_stages": 1, "seed": 5}
LONG = Plan(examples=8, epochs=500)
# Gradio and mcp use each other's older names
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def hub(tiny: Path) -> Iterator[Hub]:
    hub = Hub(grace=60)
    yield hub
    hub.close()


def test_a_summary_says_what_the_scoreboard_holds(tiny: Path) -> None:
    plan, board = Plan.from_mapping(SMALL), Scoreboard()
    unfinished = api.summary("id", plan, board)
    assert (unfinished["outcome"], unfinished["gap"], unfinished["lanes"]) == ("unfinished", None, {})
    for event in run_race(plan):
        board.add(event)
    told = api.summary("id", plan, board)
    verdict = board.verdict()
    assert (told["gap"], told["gap_low"], told["gap_high"], told["p_value"]) == (
        verdict.gap, verdict.low, verdict.high, verdict.p_value,
    )  # fmt: skip
    for name, lane in told["lanes"].items():
        finished = board.curves[name].finished
        assert finished
        assert (lane["correct"], lane["heldout"], lane["ended"]) == (finished.correct, finished.total, "done")
        assert lane["low"] <= lane["accuracy"] <= lane["high"]
    assert Plan.from_query(told["query"]) == plan
    assert json.loads(json.dumps(told)) == told


def test_the_page_shows_programs_these_four_and_no_plumbing(hub: Hub) -> None:
    shelf, rooms = Shelf(), Rooms(hub)
    blocks = page.build(hub, Offer(), shelf, rooms)
    rooms.close()
    shelf.close()
    assert set(blocks.get_api_info()["named_endpoints"]) == NAMES
    assert not blocks.get_api_info()["unnamed_endpoints"]


def test_every_parameter_has_a_type_and_a_description(hub: Hub) -> None:
    with gr.Blocks() as blocks:
        api.build(hub)
    for name, endpoint in blocks.get_api_info()["named_endpoints"].items():
        assert endpoint["description"], name
        for parameter in endpoint["parameters"]:
            assert parameter["type"], parameter
    race = blocks.get_api_info()["named_endpoints"]["/race"]["parameters"]
    settings = {p["parameter_name"]: p["parameter_default"] for p in race if p["parameter_name"] != "events"}
    assert Plan.from_mapping(settings) == Plan()  # its defaults are a plan's own
    kinds = {p["parameter_name"]: p["type"].get("type") for p in race}
    assert (kinds["examples"], kinds["task"], kinds["label_noise"], kinds["augmented"]) == (
        "integer", "string", "number", "boolean",
    )  # fmt: skip


@contextmanager
def served(hub: Hub) -> Iterator[str]:
    """A small app with the endpoints, and where it answers."""
    pytest.importorskip("mcp", reason='pip install "gradio[mcp]"')
    with gr.Blocks(analytics_enabled=False) as blocks:
        api.build(hub)
    blocks.queue()
    _, url, _ = blocks.launch(prevent_thread_lock=True, mcp_server=True, quiet=True, server_name="127.0.0.1", ssr_mode=False)
    yield url
    blocks.close(verbose=False)
    hub.close()


@pytest.fixture
def server(tiny: Path) -> Iterator[tuple[str, Hub]]:
    """The endpoints of a hub that allows few races."""
    hub = Hub(grace=60, limits=Limits(races=3))
    with served(hub) as url:
        yield url, hub


def until(is_so: Callable[[], object], seconds: float = 30) -> None:
    """Wait for it, and fail if it does not come."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray((np.random.default_rng(0).random((40, 50, 3)) * 255).astype(np.uint8)).save(path)
    return path


@pytest.mark.slow
def test_a_program_races_and_asks(server: tuple[str, Hub], picture: Path) -> None:
    client = Client(server[0], verbose=False)
    board = Scoreboard()
    for event in run_race(Plan.from_mapping(SMALL)):
        board.add(event)

    job = client.submit(**SMALL, events=True, api_name="/race")
    last = job.result()
    told = job.outputs()
    kinds = [row["event"] for row in told[:-1]]
    assert (kinds[0], kinds[-1]) == ("RaceStarted", "RaceFinished")
    assert "Evaluated" in kinds
    summary = told[-1]
    assert last in (told[0], summary)
    assert (summary["gap"], summary["p_value"]) == (board.verdict().gap, board.verdict().p_value)
    assert summary["lanes"]["transfer"]["correct"] == board.curves["transfer"].finished.correct  # type: ignore[union-attr]

    alone = client.predict(**SMALL, api_name="/race")
    same = ("outcome", "verdict", "gap", "p_value", "query", "classes")
    assert [alone[key] for key in same] == [summary[key] for key in same]

    answers = client.predict(summary["race"], handle_file(picture), api_name="/predict")
    assert set(answers) == {"scratch", "transfer"}
    for shares in answers.values():
        assert set(shares) == set(summary["classes"])
        assert sum(shares.values()) == pytest.approx(1.0, abs=1e-4)

    assert "tabletop" in {task["name"] for task in client.predict(api_name="/tasks")}
    assert [network["name"] for network in client.predict(api_name="/backbones")] == ["resnet10"]

    with pytest.raises(AppError, match="examples is 1"):
        client.predict(examples=1, api_name="/race")
    with pytest.raises(AppError, match="no finished race 'nothing'"):
        client.predict("nothing", handle_file(picture), api_name="/predict")
    client.predict(**SMALL, api_name="/race")
    with pytest.raises(AppError) as refused:
        client.predict(**SMALL, api_name="/race")
    assert str(refused.value).startswith(say("refusal.often", races=3, minutes=60)[:30])


@pytest.mark.slow
@pytest.mark.parametrize("events", [True, False])
def test_a_race_that_nobody_waits_for_any_more_ends(server: tuple[str, Hub], events: bool) -> None:
    url, hub = server
    job = Client(url, verbose=False).submit(examples=8, epochs=500, events=events, api_name="/race")
    until(lambda: job.outputs() if events else hub.running)
    job.cancel()
    until(lambda: not hub.running)


@pytest.mark.slow
def test_four_races_that_wait_take_one_turn_and_leave_room_to_ask(tiny: Path) -> None:
    hub = Hub(grace=60)
    on = hub.start(LONG, "ann")
    until(lambda: hub.running == on)
    with served(hub) as url:
        client = Client(url, verbose=False)
        jobs = [client.submit(**SMALL, api_name="/race") for _ in range(4)]
        until(lambda: len(hub._queue) == 4)
        with pytest.raises(AppError, match="no finished race 'nothing'"):
            client.submit("nothing", None, api_name="/predict").result(timeout=20)

        bob = hub.find(hub.start(LONG, "bob"))
        assert bob
        assert json.loads(bob.rows[-1])["place"] == 2
        # On ZeroGPU each runs on the quota of who asked for it
        assert all(hub._logs[race].visitor[LocalContext.request] for race in hub._queue if hub._logs[race] is not bob)
        for job in jobs:
            job.cancel()
        until(lambda: len(hub._queue) == 1)


@pytest.mark.slow
def test_an_assistant_finds_the_same_as_tools(server: tuple[str, Hub], picture: Path) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async def talk() -> dict[str, Any]:
        async with (
            streamablehttp_client(server[0] + "gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            raced = await session.call_tool("race", SMALL)
            refused = await session.call_tool("race", {"examples": 1})
            listed = await session.call_tool("tasks", {})
            image = "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
            race = ast.literal_eval(raced.content[0].text)["race"]
            answered = await session.call_tool("predict", {"race": race, "image": image})
            return {"tools": tools, "raced": raced, "refused": refused, "listed": listed, "answered": answered}

    told = asyncio.run(talk())
    assert set(told["tools"]) == {name[1:] for name in NAMES}
    race = told["tools"]["race"]
    assert race.description.startswith("Train two networks")
    assert all(schema["description"] for schema in race.inputSchema["properties"].values())
    assert "required" not in race.inputSchema
    assert not told["raced"].isError
    assert "'gap'" in told["raced"].content[0].text
    assert told["refused"].isError
    assert "examples is 1" in told["refused"].content[0].text
    assert "tabletop" in told["listed"].content[0].text
    assert set(ast.literal_eval(told["answered"].content[0].text)) == {"scratch", "transfer"}


@pytest.mark.slow
def test_the_endpoints_are_on_the_api_page(server: tuple[str, Hub]) -> None:
    with urllib.request.urlopen(server[0] + "gradio_api/info") as answer:
        assert set(json.load(answer)["named_endpoints"]) == NAMES
