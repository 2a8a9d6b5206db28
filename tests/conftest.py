"""What tests share: tiny real pictures, a tiny real network, a clock that is wound by hand, and no network."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from browsing import CHROMIUM, FLAGS
from PIL import Image
from safetensors.torch import save_file

from engine import backbones, embedded, places, race, tasks, zoo
from engine.device import Machine
from engine.events import finish

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
torch.set_num_threads(1)  # two threads on two cores that others use too wait for each other all the time
CLASSES = ("round", "square", "stripes")
TRAIN, HELDOUT, CELL = 8, 6, 32
CPU = Machine("cpu", "test", 1, "fp32")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this machine answers."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else "unix"
        if host not in ("127.0.0.1", "::1", "localhost", "unix"):
            raise AssertionError(f"a test reached for {host}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


class Clock:
    """Seconds that pass only when told, or by `tick` at every look."""

    def __init__(self, tick: float = 0.0):
        self.time, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.time += self.tick
        return self.time


def picture(kind: int, rng: np.random.Generator) -> np.ndarray:
    """A disc, a square or stripes of a random colour on a random ground: (32, 32, 3) uint8."""
    y, x = np.mgrid[:CELL, :CELL] - CELL / 2 + rng.uniform(-4, 4, (2, 1, 1))
    size = rng.uniform(7, 12)
    mask = [np.hypot(x, y) < size, np.maximum(abs(x), abs(y)) < size, np.sin(x) > 0][kind]
    colours = rng.uniform(0, 255, (2, 3))
    return np.where(mask[..., None], colours[0], colours[1]).astype(np.uint8)


def write_task(home: Path) -> None:
    """Sheets and their list, as the generator writes them."""
    home.mkdir(parents=True)
    rng, sums = np.random.default_rng(0), {}
    for kind, name in enumerate(CLASSES):
        for split, count in (("train", TRAIN), ("heldout", HELDOUT)):
            columns = 4
            sheet = np.zeros((-(-count // columns) * CELL, columns * CELL, 3), np.uint8)
            for k in range(count):
                row, column = divmod(k, columns)
                sheet[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = picture(kind, rng)
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
    """Tiny pictures under the name of the embedded task, and weights under the name of the embedded backbone."""
    home = tmp_path_factory.mktemp("assets")
    write_task(home / "tabletop")
    torch.manual_seed(7)
    state = {k: v.half() if v.is_floating_point() else v for k, v in zoo.resnet10(2).state_dict().items()}
    (home / "backbone").mkdir()
    save_file({k: v for k, v in state.items() if not k.startswith("fc.")}, home / "backbone" / "resnet10.safetensors")
    return home


@pytest.fixture
def tiny(tiny_files: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The engine on tiny pictures at 32 px; every part of it is the real one."""
    from dataclasses import replace

    weights = tiny_files / "backbone" / "resnet10.safetensors"
    small = replace(backbones._embedded(), px=32, weights=weights)
    monkeypatch.setattr(embedded, "ASSETS", tiny_files)
    monkeypatch.setattr(backbones, "_known", lambda: {"resnet10": small})
    tasks.forget()
    yield tiny_files
    tasks.forget()


@pytest.fixture
def drawn(tiny: Path):  # noqa: ANN201
    """The pictures of a small race."""
    from engine import Plan

    return finish(race.draw(Plan(examples=4)))


@pytest.fixture
def guests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures and checkpoints that a test brings along are gone after it."""
    monkeypatch.setattr(tasks, "_own", {})
    monkeypatch.setattr(backbones, "_own", {})


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium without a window; skips where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def clock() -> Clock:
    """Seconds that pass only when told."""
    return Clock()


def checkpoint(home: Path, architecture: str = "squeezenet1_1", name: str = "mine.pth") -> Path:
    """A file with random weights of this architecture and a head of five classes."""
    torch.manual_seed(7)
    torch.save(zoo.ARCHITECTURES[architecture].build(5).state_dict(), home / name)
    return home / name


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder of the test's own, and nothing of this machine's settings or of earlier answers."""
    for name in ("HEADSTART_MIRROR", "HEADSTART_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEADSTART_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "*")
    places._answers.clear()


def shared(*parts: str) -> Path:
    """A file beside the project, or a skip with the reason."""
    home = Path(os.environ.get("HEADSTART_SHARED", Path(__file__).parents[2] / "shared"))
    path = home.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not here; set HEADSTART_SHARED")
    return path


def pytest_sessionfinish() -> None:
    """Wait for what hubs still do: a thread that ends with the program, inside torch, makes it end with an error."""
    for thread in threading.enumerate():
        if thread.name.startswith(("_run_queue", "_watch_owners", "race")):
            thread.join(5)
