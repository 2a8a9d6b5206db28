"""The read-only routes: every row once, from any index, and nothing else."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient
from test_hub import SHORT, secret, until  # noqa: F401  # a fixture

from demo import stream
from demo.hub import Hub, Log

_ENDED: list[Log] = []  # raced once; the routes only read it


@pytest.fixture
def served(tiny: Path) -> Iterator[tuple[TestClient, Hub, str]]:
    """A client and a hub with one ended race."""
    stream._strip.cache_clear()
    hub = Hub()
    if not _ENDED:
        log = hub.find(hub.start(SHORT, "ann"))
        assert log is not None
        until(lambda: log.state == "ended")
        _ENDED.append(log)
    hub._logs["race"] = _ENDED[0]
    yield TestClient(Starlette(routes=stream.routes(hub))), hub, "race"
    hub.close()


def batches(text: str) -> list[tuple[int, list]]:
    """(index of the next row, rows) of every message in a server-sent stream."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
        if "event" not in fields and "data" in fields:
            found.append((int(fields["id"]), json.loads(fields["data"])))
    return found


def test_a_stream_gives_every_row_once_and_ends(served: tuple[TestClient, Hub, str]) -> None:
    client, hub, race = served
    answer = client.get(f"{stream.BASE}/races/{race}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    got = [row for _, rows in batches(answer.text) for row in rows]
    assert got == [json.loads(row) for row in hub.find(race).rows]  # type: ignore[union-attr]
    assert "event: end" in answer.text


@pytest.mark.parametrize("way", ["header", "query"])
def test_a_reconnect_goes_on_where_it_was(served: tuple[TestClient, Hub, str], way: str) -> None:
    client, hub, race = served
    headers = {"Last-Event-ID": "5"} if way == "header" else {}
    answer = client.get(f"{stream.BASE}/races/{race}/events" + ("?since=5" if way == "query" else ""), headers=headers)
    got = [row for _, rows in batches(answer.text) for row in rows]
    assert got == [json.loads(row) for row in hub.find(race).rows[5:]]  # type: ignore[union-attr]


def test_plain_rows_are_the_same_rows(served: tuple[TestClient, Hub, str]) -> None:
    client, hub, race = served
    first = client.get(f"{stream.BASE}/races/{race}/rows?since=0").json()
    assert first["state"] == "ended"
    assert first["rows"] == [json.loads(row) for row in hub.find(race).rows]  # type: ignore[union-attr]
    rest = client.get(f"{stream.BASE}/races/{race}/rows?since={first['next']}").json()
    assert rest == {"rows": [], "next": first["next"], "state": "ended"}


@pytest.mark.parametrize("index", ["-1", "x", "1e9", "9" * 30, "٣"])
def test_an_odd_index_reads_from_the_start(served: tuple[TestClient, Hub, str], index: str) -> None:
    client, hub, race = served
    answer = client.get(f"{stream.BASE}/races/{race}/rows", params={"since": index}).json()
    assert len(answer["rows"]) == len(hub.find(race).rows)  # type: ignore[union-attr]


@pytest.mark.parametrize("path", ["races/none/events", "races/none/rows"])
def test_an_unknown_race_is_a_404(served: tuple[TestClient, Hub, str], path: str) -> None:
    assert served[0].get(f"{stream.BASE}/{path}").status_code == 404


@pytest.mark.parametrize("path", ["races/none/rows", "plotly.js", "pictures/tabletop/0"])
def test_the_routes_only_read(served: tuple[TestClient, Hub, str], path: str) -> None:
    assert served[0].post(f"{stream.BASE}/{path}").status_code == 405


def test_plotly_comes_from_this_machine_compressed(served: tuple[TestClient, Hub, str]) -> None:
    answer = served[0].get(f"{stream.BASE}/plotly.js")
    assert answer.headers["content-encoding"] == "gzip"
    assert "plotly.js v" in answer.text[:200]


def test_a_strip_shows_the_pictures_of_a_draw(served: tuple[TestClient, Hub, str]) -> None:
    answer = served[0].get(f"{stream.BASE}/pictures/tabletop/1?examples=4&seed=0")
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.size == (4 * 32, 32)


def test_one_visitors_pictures_are_kept_nowhere_on_the_way(
    served: tuple[TestClient, Hub, str],
    secret: str,  # noqa: F811
) -> None:
    theirs = served[0].get(f"{stream.BASE}/pictures/{secret}/1?examples=4")
    assert theirs.status_code == 200
    assert theirs.headers["cache-control"] == "private, no-store"
    assert stream._strip.cache_info().currsize == 0
    everybodys = served[0].get(f"{stream.BASE}/pictures/tabletop/1?examples=4")
    assert everybodys.headers["cache-control"].startswith("public")


@pytest.mark.parametrize("path", ["tabletop/9?examples=4", "cats/0?examples=4", "tabletop/0?examples=999", "tabletop/0"])
def test_a_strip_that_cannot_be_is_a_404_with_a_sentence(served: tuple[TestClient, Hub, str], path: str) -> None:
    answer = served[0].get(f"{stream.BASE}/pictures/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]


def test_an_open_stream_counts_as_the_owners_presence(served: tuple[TestClient, Hub, str]) -> None:
    client, hub, race = served
    client.get(f"{stream.BASE}/races/{race}/events?visitor=ann")
    assert "ann" not in hub._present  # it came and went, and of an ended race nothing is kept
    assert "ann" not in hub._absent_since
