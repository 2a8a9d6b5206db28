"""Starting the app where files are missing or its port is in use."""

from __future__ import annotations

import gzip
import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES

HOME = Path(__file__).parents[1]
pytestmark = pytest.mark.slow  # each test starts a program


def test_missing_pictures_are_named_with_the_command_that_makes_them(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, app\n"
        "from engine import Workspace\n"
        "from engine.data.registry import TaskRegistry\n"
        "from engine.data.tabletop import Tabletop\n"
        f"workspace = Workspace(tasks=TaskRegistry(Tabletop(pathlib.Path({str(tmp_path)!r}))))\n"
        "sys.exit(app.main([], workspace))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=HOME, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("Head Start cannot start: ")
    assert "tabletop.json is missing; `python -m engine tabletop" in sentence


def test_if_the_port_is_in_use_the_next_one_is_used_and_printed() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        env = {**os.environ, "GRADIO_SERVER_PORT": str(busy)}
        env.pop("PYTHONUNBUFFERED", None)  # as in a plain shell
        with subprocess.Popen([sys.executable, "app.py"], cwd=HOME, env=env, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            printed = next(line for line in process.stdout if "Running on" in line)
            port = re.search(r":(\d+)$", printed.strip())
            assert port
            plain, packed = (page(int(port[1]), encoding) for encoding in ("identity", "gzip"))
            process.terminate()
        assert int(port[1]) != busy
        assert gzip.decompress(packed) == plain
        assert len(packed) < len(plain) / 3


def test_streams_are_never_packed() -> None:
    assert "text/event-stream" in DEFAULT_EXCLUDED_CONTENT_TYPES


def page(port: int, encoding: str) -> bytes:
    """The page as it is sent."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Accept-Encoding": encoding})
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.read()
