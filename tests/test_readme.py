"""The READMEs are right: every command is valid, the example runs, every variable is named, every link leads to a file."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

from demo.server.limits import Limits
from engine.cli.main import parser

HOME = Path(__file__).parents[1]
TEXT = (HOME / "README.md").read_text(encoding="utf-8")
HOSTING = (HOME / ".docker" / "README.md").read_text(encoding="utf-8")
READMES = [path for path in HOME.glob("**/README.md") if ".venv" not in str(path) and "node_modules" not in str(path)]
COMMANDS = sorted(
    {
        command.split("  #")[0].strip()
        for path in READMES
        for command in re.findall(r"(?:^|`)python -m engine ([^`\n]+)", path.read_text(encoding="utf-8"), re.M)
        if not re.search(r"[…]|COMMAND", command)
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_valid(command: str) -> None:
    assert parser().parse_args(shlex.split(command)).run


def test_both_commands_are_in_the_readme_and_ci_runs_the_tests() -> None:
    assert "pip install -r requirements.txt && python app.py" in TEXT
    assert "pip install -r requirements.txt && python -m pytest" in TEXT
    script = (HOME / ".ci" / "run").read_text()
    assert "pip install -q -r requirements.txt\npython -m pytest\n" in script


def test_the_example_for_a_notebook_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = (block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "run_race" in block)
    assert "epochs=10" in example
    exec(example.replace("epochs=10", "epochs=1, trainable_stages=1"), {})
    assert "Verdict(" in capsys.readouterr().out


def test_the_readme_is_short() -> None:
    assert len(TEXT.splitlines()) <= 180


def test_every_environment_variable_is_named() -> None:
    sources = [HOME / "app.py", *HOME.glob("engine/**/*.py"), *HOME.glob("demo/**/*.py")]
    names = {name for path in sources for name in re.findall(r"HEADSTART_[A-Z]+", path.read_text(encoding="utf-8"))}
    names |= {f"HEADSTART_{field.name.upper()}" for field in fields(Limits)}
    assert {name for name in names if name not in HOSTING} == set()


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.relative_to(HOME).as_posix())
def test_every_linked_file_exists(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
