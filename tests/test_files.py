"""Files of a race over HTTP: the right pictures, every kind of file, and nobody else's."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient
from test_hub import SHORT, secret, until  # noqa: F401  # a fixture

from demo import files, stream
from demo.hub import Hub
from demo.log import Log
from engine import FILES, Plan, cells

_ENDED: list[Log] = []  # raced once; the routes only read it


@pytest.fixture
def served(tiny: Path) -> Iterator[tuple[TestClient, Hub]]:
    """A client and a hub with one ended race, ann's."""
    files._joined.cache_clear()
    hub = Hub()
    if not _ENDED:
        log = hub.find(hub.start(SHORT, "ann"))
        assert log is not None
        until(lambda: log.state == "ended")
        _ENDED.append(log)
    hub._logs["race"] = _ENDED[0]
    yield TestClient(Starlette(routes=files.routes(hub))), hub
    hub.close()


def test_pictures_stand_side_by_side_as_they_were_asked_for(served: tuple[TestClient, Hub]) -> None:
    answer = served[0].get(f"{stream.BASE}/cells/tabletop/heldout?rows=7,2&examples=4&seed=0")
    assert answer.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(answer.content)) as picture:
        drawn = np.asarray(picture.convert("RGB")).astype(int)
    wanted = cells(Plan(examples=4), "heldout", [7, 2])
    assert drawn.shape == (32, 64, 3)
    assert abs(drawn - np.concatenate(list(wanted), 1)).mean() < 20  # webp is not exact


@pytest.mark.parametrize("path", ["tabletop/heldout?rows=", "tabletop/heldout?rows=1,900", "tabletop/other?rows=1",
                                  "cats/heldout?rows=1", f"tabletop/heldout?rows={','.join('1' * 41)}"])  # fmt: skip
def test_pictures_that_cannot_be_are_a_404_with_a_sentence(served: tuple[TestClient, Hub], path: str) -> None:
    answer = served[0].get(f"{stream.BASE}/cells/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]


def test_what_can_be_taken_away_is_listed_and_comes_under_its_name(served: tuple[TestClient, Hub]) -> None:
    client, _ = served
    kinds = client.get(f"{stream.BASE}/races/race/take").json()["kinds"]
    assert set(kinds) | {"onnx"} == set(FILES)
    answer = client.get(f"{stream.BASE}/races/race/take/curves")
    assert answer.headers["content-type"].startswith("text/csv")
    assert FILES["curves"].name in answer.headers["content-disposition"]
    exact = [row for row in map(json.loads, _ENDED[0].rows) if row["event"] == "Evaluated"]
    assert len(answer.text.splitlines()) == 1 + len(exact)


@pytest.mark.parametrize("path", ["none/take", "none/take/curves", "race/take/nothing"])
def test_a_file_that_cannot_be_made_is_a_404_with_a_sentence(served: tuple[TestClient, Hub], path: str) -> None:
    answer = served[0].get(f"{stream.BASE}/races/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]


@pytest.mark.parametrize("path", ["take", "take/script", "take/report"])
def test_of_a_race_that_ended_before_it_began_there_is_a_sentence_and_no_file(
    served: tuple[TestClient, Hub], path: str
) -> None:
    client, hub = served
    hub._logs["early"] = Log(Plan(), "ann", "ended", [json.dumps({"event": "Ended", "reason": "stopped"})])
    answer = client.get(f"{stream.BASE}/races/early/{path}?lang=ja")
    assert answer.status_code == 404
    assert "終わったため" in answer.json()["error"]


def test_a_race_on_ones_own_pictures_is_given_to_its_owner_alone(
    served: tuple[TestClient, Hub],
    secret: str,  # noqa: F811
) -> None:
    client, hub = served
    log = Log(Plan(task=secret), "ann", "ended", list(_ENDED[0].rows), is_private=True)
    hub._logs["hers"] = log
    assert client.get(f"{stream.BASE}/races/hers/take").status_code == 404
    assert client.get(f"{stream.BASE}/races/hers/take/curves?visitor=bob").status_code == 404
    assert client.get(f"{stream.BASE}/races/hers/take/curves?visitor=ann").status_code == 200
    assert hub.trained("hers", "bob") is None


def test_one_visitors_pictures_are_kept_nowhere_on_the_way(served: tuple[TestClient, Hub], secret: str) -> None:  # noqa: F811
    theirs = served[0].get(f"{stream.BASE}/cells/{secret}/heldout?rows=0&examples=4")
    assert theirs.headers["cache-control"] == "private, no-store"
    assert files._joined.cache_info().currsize == 0
