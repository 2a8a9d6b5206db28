"""The program of the terminal: help, versions, consoles that are not UTF-8, and closed pipes."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import torch

import engine
from engine.cli.main import main, parser
from engine.workspace import Workspace
from tests.helpers.recorded import STAMP, race


class ClosedPipe(io.StringIO):
    """A pipe whose reader has closed it."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def console(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "race.jsonl"
    list(engine.record(iter(race()), path, STAMP))
    return path


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "race a network from scratch against a pretrained one" in err


def test_an_unknown_command_is_refused_with_a_list_of_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["rice"])
    assert stopped.value.code == 2
    err = capsys.readouterr().err
    assert "rice" in err
    assert "race" in err


def test_the_version_is_shown_with_that_of_torch(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"Head Start {engine.__version__}, PyTorch {torch.__version__}, Python ")


@pytest.mark.parametrize("encoding", ["ascii", "cp932", "cp437"])
def test_a_console_that_is_not_utf8_is_no_error(workspace: Workspace, recording: Path, encoding: str) -> None:
    for arguments in (["tasks"], ["backbones"], ["replay", str(recording), "--speed", "0"], ["race", "--task", "näh/↯.zip"]):
        out, err = console(encoding), console(encoding)
        with redirect_stdout(out), redirect_stderr(err):
            assert main(arguments, workspace) == (3 if arguments[0] == "race" else 0)
        for stream in (out, err):
            stream.flush()
        printed = (out.buffer.getvalue() + err.buffer.getvalue()).decode(encoding)  # type: ignore[attr-defined]
        assert len(printed) > 30


@pytest.mark.parametrize("command", ["race", "sweep", "replay", "export", "gallery", "pretrain", "tabletop", "bench"])
def test_help_is_shown_on_a_console_that_is_not_utf8(command: str) -> None:
    with redirect_stdout(console("ascii")), pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0


@pytest.mark.parametrize("measurement", ["recipes", "speed", "transfer"])
def test_every_measurement_of_the_bench_can_be_named(measurement: str) -> None:
    assert parser().parse_args(["bench", measurement]).measurement == measurement


@pytest.mark.parametrize("arguments", [["tasks"], ["backbones"], ["replay", "--json"], ["replay", "--speed", "0"]])
def test_a_closed_pipe_is_no_error(workspace: Workspace, recording: Path, arguments: list[str]) -> None:
    with redirect_stdout(ClosedPipe()):
        assert main([*arguments, str(recording)] if arguments[0] == "replay" else arguments, workspace) == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other pipes")
@pytest.mark.parametrize("arguments", ["tasks", "race --help"])
def test_a_pipe_closed_by_the_shell_is_no_error(arguments: str) -> None:
    command = f"'{sys.executable}' -m engine {arguments} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, env={"LANG": "C"})
    assert done.stdout == "0\n"
    assert done.stderr == ""
