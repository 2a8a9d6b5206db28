"""Pictures of a race over HTTP: the requested ones; private pictures are cached nowhere."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from demo.server.http import BASE
from demo.server.previews import PreviewRoutes
from engine import Plan, evaluation_previews
from engine.workspace import Workspace


@pytest.fixture
def previews(workspace: Workspace) -> PreviewRoutes:
    return PreviewRoutes(workspace)


@pytest.fixture
def client(previews: PreviewRoutes) -> TestClient:
    return TestClient(Starlette(routes=previews.routes()))


def test_a_class_preview_shows_its_sampled_pictures(client: TestClient) -> None:
    answer = client.get(f"{BASE}/pictures/tabletop/1?examples_per_class=4&seed=0")
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.size == (4 * 32, 32)


@pytest.mark.parametrize(
    "path",
    ["tabletop/9?examples_per_class=4", "cats/0?examples_per_class=4", "tabletop/0?examples_per_class=999", "tabletop/0"],
)
def test_an_invalid_class_preview_is_a_404_with_a_sentence(client: TestClient, path: str) -> None:
    answer = client.get(f"{BASE}/pictures/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]


def test_pictures_are_side_by_side_in_the_requested_order(client: TestClient, workspace: Workspace) -> None:
    answer = client.get(f"{BASE}/cells/tabletop/heldout?rows=7,2&examples_per_class=4&seed=0")
    assert answer.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(answer.content)) as picture:
        received = np.asarray(picture.convert("RGB")).astype(int)
    expected = evaluation_previews(Plan(examples_per_class=4), workspace, "heldout", [7, 2])
    assert received.shape == (32, 64, 3)
    assert abs(received - np.concatenate(list(expected), 1)).mean() < 20  # webp is not exact


@pytest.mark.parametrize("path", ["tabletop/heldout?rows=", "tabletop/heldout?rows=1,900", "tabletop/other?rows=1",
                                  "cats/heldout?rows=1", f"tabletop/heldout?rows={','.join('1' * 41)}"])  # fmt: skip
def test_invalid_rows_are_a_404_with_a_sentence(client: TestClient, path: str) -> None:
    answer = client.get(f"{BASE}/cells/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "path", ["pictures/{task}/1?examples_per_class=4", "cells/{task}/heldout?rows=0&examples_per_class=4"]
)
def test_private_pictures_are_cached_nowhere(client: TestClient, previews: PreviewRoutes, secret: str, path: str) -> None:
    private = client.get(f"{BASE}/{path.format(task=secret)}")
    assert private.status_code == 200
    assert private.headers["cache-control"] == "private, no-store"
    assert previews.cache_size == 0
    public = client.get(f"{BASE}/{path.format(task='tabletop')}")
    assert public.headers["cache-control"].startswith("public")
    assert previews.cache_size == 1


@pytest.mark.parametrize("path", ["pictures/tabletop/0", "cells/tabletop/heldout"])
def test_the_routes_only_read(client: TestClient, path: str) -> None:
    assert client.post(f"{BASE}/{path}").status_code == 405
