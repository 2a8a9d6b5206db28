"""The program `python -m engine`: its parser, its exit codes, and errors as one sentence instead of a traceback."""

from __future__ import annotations

import argparse
import io
import os
import platform
import sys
from contextlib import suppress

import torch

import engine
from engine import HeadStartError, PlanError, Workspace
from engine.cli import builds, lists, races, sweeps
from engine.cli.exit_codes import BAD_SETTING, INTERRUPTED, OK, UNAVAILABLE


def main(arguments: list[str] | None = None, workspace: Workspace | None = None) -> int:
    """Run one command and return its exit code.

    0 done, 2 a setting is not possible, 3 something is not available on this machine, 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console that is not UTF-8 shows ? for what it lacks
    try:
        try:
            return _run(arguments, workspace or Workspace())
        finally:
            sys.stdout.flush()  # here, so that a closed pipe is noticed before Python ends
    except PlanError as error:
        print(f"engine: {error}", file=sys.stderr)
        return BAD_SETTING
    except HeadStartError as error:
        print(f"engine: {error}", file=sys.stderr)
        return UNAVAILABLE
    except BrokenPipeError:  # the reader, `head` for example, closed the pipe
        with suppress(OSError):  # discard what is still buffered
            output = sys.stdout.fileno()
            os.dup2(os.open(os.devnull, os.O_WRONLY), output)
        return OK
    except OSError as error:
        print(f"engine: {error.filename or 'a file'} cannot be read or written: {error.strerror or error}", file=sys.stderr)
        return UNAVAILABLE
    except KeyboardInterrupt:
        print("engine: interrupted", file=sys.stderr)
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; `run` of its result is the function of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m engine",
        description="Two real trainings side by side: one from scratch, one pretrained.",
        epilog="`python -m engine COMMAND --help` explains the options of a command.",
    )
    version = f"Head Start {engine.__version__}, PyTorch {torch.__version__}, Python {platform.python_version()}"
    parser.add_argument("--version", action="version", version=version, help="show the versions and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    races.add_commands(commands)
    sweeps.add_command(commands)
    lists.add_commands(commands)
    builds.add_commands(commands)
    return parser


def _run(arguments: list[str] | None, workspace: Workspace) -> int:
    program = parser()
    parsed = program.parse_args(arguments)
    if parsed.command is None:
        program.print_help(sys.stderr)
        return BAD_SETTING
    return int(parsed.run(parsed, workspace))
