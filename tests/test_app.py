"""Starting the app where something is in the way: it helps itself, or says what is wrong in a sentence."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1]
pytestmark = pytest.mark.slow  # each starts a program of its own


def test_missing_pictures_are_named_with_the_command_that_remakes_them(tmp_path: Path) -> None:
    code = f"import pathlib, sys, engine.embedded; engine.embedded.ASSETS = pathlib.Path({str(tmp_path)!r})\n"
    code += "import app; sys.exit(app.main())"
    done = subprocess.run([sys.executable, "-c", code], cwd=HOME, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("Head Start cannot start: ")
    assert "tabletop.json is missing; `python -m engine tabletop" in sentence


def test_where_the_port_is_taken_the_next_one_is_used_and_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        env = {**os.environ, "GRADIO_SERVER_PORT": str(busy)}
        with subprocess.Popen([sys.executable, "app.py"], cwd=HOME, env=env, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            said = next(line for line in process.stdout if "Running on" in line)
            process.terminate()
        port = re.search(r":(\d+)$", said.strip())
        assert port
        assert int(port[1]) != busy
