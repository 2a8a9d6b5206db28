"""Starting the app where files are missing or its port is in use."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

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
            process.terminate()
        port = re.search(r":(\d+)$", printed.strip())
        assert port
        assert int(port[1]) != busy
