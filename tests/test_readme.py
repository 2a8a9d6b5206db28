"""The README says what is there, and its commands are understood."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

from demo.limits import Limits
from engine.__main__ import _parser

HOME = Path(__file__).parents[1]
TEXT = (HOME / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted({m.split("  #")[0].strip() for m in re.findall(r"^python -m engine (.+)$", TEXT, re.M)})


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one_the_terminal_knows(command: str) -> None:
    parsed, rest = _parser().parse_known_args(shlex.split(command))
    assert rest == []
    assert parsed.run


def test_the_two_commands_are_there_and_ci_calls_the_test_one() -> None:
    assert "pip install -r requirements.txt && python app.py" in TEXT
    assert "pip install -r requirements.txt && python -m pytest" in TEXT
    script = (HOME / ".ci" / "run").read_text()
    assert "pip install -q -r requirements.txt\npython -m pytest\n" in script


def test_the_tree_names_every_file_of_the_house() -> None:
    tree = TEXT[TEXT.index("app.py               builds") :]
    for package in ("engine", "demo"):
        for path in sorted((HOME / package).iterdir()):
            if path.suffix in (".py", ".js", ".css") and path.stem != "__init__":
                assert re.search(rf"\b{re.escape(path.name)}\b", tree), f"{path.name} is not in the README's tree"
    for name in re.findall(r"^  ([\w./]+\.(?:py|js|css))", tree, re.M):
        assert (HOME / "engine" / name).exists() or (HOME / "demo" / name).exists(), name


def test_every_variable_that_the_environment_may_set_is_named() -> None:
    sources = [HOME / "app.py", *HOME.glob("engine/**/*.py"), *HOME.glob("demo/*.py")]
    named = {name for path in sources for name in re.findall(r"HEADSTART_[A-Z]+", path.read_text(encoding="utf-8"))}
    named |= {f"HEADSTART_{field.name.upper()}" for field in fields(Limits)}
    assert {name for name in named if name not in TEXT} == set()


def test_every_file_it_links_to_is_there() -> None:
    for target in re.findall(r"\]\((assets/[^)]+)\)", TEXT):
        assert (HOME / target).exists(), target
