"""Shared fixtures: tiny real pictures, a tiny real network, a clock set by hand, and no access to other machines."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from engine.data.registry import TaskRegistry
from engine.data.tabletop import Tabletop
from engine.device import Machine
from engine.models import architectures, pretrained
from engine.models.registry import BackboneRegistry
from engine.plan import Plan
from engine.progress import run_to_end
from engine.race.inputs import RaceInputs, sample_inputs
from engine.workspace import Workspace
from tests.helpers.browsing import CHROMIUM, FLAGS

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
torch.set_num_threads(1)  # on cores that others use too, two threads would wait for each other
CLASSES = ("round", "square", "stripes")
TRAIN, HELDOUT, CELL = 8, 6, 32
CPU = Machine("cpu", "test", 1, "fp32")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that connects to another machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else "unix"
        if host not in ("127.0.0.1", "::1", "localhost", "unix"):
            raise AssertionError(f"a test connected to {host}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


class Clock:
    """A clock whose `time` is set by the test; every reading adds `tick` seconds."""

    def __init__(self, tick: float = 0.0):
        self.time, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.time += self.tick
        return self.time


def picture(label: int, rng: np.random.Generator) -> np.ndarray:
    """A disc, a square or stripes (label 0, 1 or 2) of a random colour on a random background: (32, 32, 3) uint8."""
    y, x = np.mgrid[:CELL, :CELL] - CELL / 2 + rng.uniform(-4, 4, (2, 1, 1))
    size = rng.uniform(7, 12)
    mask = [np.hypot(x, y) < size, np.maximum(abs(x), abs(y)) < size, np.sin(x) > 0][label]
    colours = rng.uniform(0, 255, (2, 3))
    return np.where(mask[..., None], colours[0], colours[1]).astype(np.uint8)


def write_task(home: Path) -> None:
    """Write sheets of pictures and their list, as the generator of "tabletop" does."""
    home.mkdir(parents=True)
    rng, sums = np.random.default_rng(0), {}
    for label, name in enumerate(CLASSES):
        for split, count in (("train", TRAIN), ("heldout", HELDOUT)):
            columns = 4
            sheet = np.zeros((-(-count // columns) * CELL, columns * CELL, 3), np.uint8)
            for k in range(count):
                row, column = divmod(k, columns)
                sheet[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = picture(label, rng)
            path = home / f"{name}-{split}.webp"
            Image.fromarray(sheet).save(path, lossless=True)
            sums[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    card = {
        "classes": CLASSES,
        "per_class": {"train": TRAIN, "heldout": HELDOUT},
        "cell": CELL,
        "columns": 4,
        "licence": "CC0-1.0",
        "sha256": sums,
    }
    (home / "tabletop.json").write_text(json.dumps(card))


@pytest.fixture(scope="session")
def tiny_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny pictures in place of "tabletop" and random weights in place of "resnet10"."""
    home = tmp_path_factory.mktemp("assets")
    write_task(home / "tabletop")
    torch.manual_seed(7)
    state = {k: v.half() if v.is_floating_point() else v for k, v in architectures.resnet10(2).state_dict().items()}
    (home / "backbone").mkdir()
    save_file({k: v for k, v in state.items() if not k.startswith("fc.")}, home / "backbone" / "resnet10.safetensors")
    return home


@pytest.fixture
def workspace(tiny_files: Path) -> Workspace:
    """A workspace with the tiny pictures and weights at 32 px under the embedded names; its code is the real one."""
    weights = tiny_files / "backbone" / "resnet10.safetensors"
    backbone = replace(pretrained.embedded(), image_size=32, weights=weights)
    return Workspace(TaskRegistry(Tabletop(tiny_files / "tabletop")), BackboneRegistry([backbone]))


@pytest.fixture
def drawn(workspace: Workspace) -> RaceInputs:
    """The inputs of a small race: backbone, pictures and preprocessing."""
    return run_to_end(sample_inputs(Plan(examples_per_class=4), workspace))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; skips the test where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def clock() -> Clock:
    """A clock that the test sets."""
    return Clock()


def checkpoint(home: Path, architecture: str = "squeezenet1_1", name: str = "mine.pth") -> Path:
    """Write a file with random weights of this architecture and a head of five classes."""
    torch.manual_seed(7)
    torch.save(architectures.ARCHITECTURES[architecture].build(5).state_dict(), home / name)
    return home / name


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache folder, and none of this machine's settings."""
    for name in ("HEADSTART_MIRROR", "HEADSTART_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEADSTART_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "*")


def shared(*parts: str) -> Path:
    """A file of the shared folder; skips the test where it is missing."""
    home = Path(os.environ.get("HEADSTART_SHARED", Path(__file__).parents[2] / "shared"))
    path = home.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not here; set HEADSTART_SHARED")
    return path


def pytest_sessionfinish() -> None:
    """Wait for the threads of race queues: one that is inside torch when the program ends makes it end with an error."""
    for thread in threading.enumerate():
        if thread.name.startswith("race"):
            thread.join(5)
