"""The rules of the house, read from the imports themselves (README, "The house")."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1]
SOURCES = sorted([*HOME.glob("engine/**/*.py"), *HOME.glob("demo/**/*.py"), HOME / "app.py"])
TOP = {"app.py", "requirements.txt", "README.md", "demo", "engine", "tests", "assets"}

# Who may take from whom, lowest first; a file sees its own row and the rows before it
ENGINE_ROWS = [
    {"errors", "plan", "events", "metrics", "strings"},
    {"augment", "device", "places", "naming", "optimizers", "chance", "zoo", "lens"},
    {"fetch", "pictures", "listing", "duplicates", "album"},
    {"openers", "catalogue", "embedded", "huggingface", "backbones"},
    {"tasks", "freezing", "breaking"},
    {"training", "trained", "pretrain", "headswap"},
    {"race", "cost"},
    {"scoreboard", "recording", "sweep", "telling"},
    {"export"},
    {"bench", "terminal", "__init__", "__main__"},
]
DEMO_ROWS = [
    {"look", "words", "part", "language"},
    {"offer", "shelf", "controls", "charts", "network", "views", "why", "compare", "limits"},
    {"zero"},
    {"log"},
    {"hub"},
    {"stream", "photos"},
    {"room"},
    {"rooms"},
    {
        "live",
        "own",
        "files",
        "takeaway",
        "tryit",
        "embedding",
        "lesson",
        "bets",
        "locks",
        "classroom",
        "viewer",
        "api",
        "load",
    },
    {"page"},
]


def imports(path: Path) -> set[str]:
    """The dotted names a file imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def relative(path: Path) -> str:
    return path.relative_to(HOME).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_file_opens_by_saying_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", [p for p in SOURCES if "engine" in p.parts], ids=relative)
def test_the_engine_knows_no_page(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & {"gradio", "plotly", "demo", "app"}


@pytest.mark.parametrize("path", [p for p in SOURCES if "demo" in p.parts or p.name == "app.py"], ids=relative)
def test_the_page_uses_the_engines_front_door_only(path: Path) -> None:
    names = imports(path)
    assert not {name.split(".")[0] for name in names} & {"torch", "torchvision"}
    import engine

    behind = {name for name in names if name.startswith("engine.")}
    assert {name.split(".", 1)[1] for name in behind} <= set(engine.__all__)


@pytest.mark.parametrize("rows", [ENGINE_ROWS, DEMO_ROWS], ids=["engine", "demo"])
def test_dependencies_point_one_way(rows: list[set[str]]) -> None:
    package = "engine" if rows is ENGINE_ROWS else "demo"
    level = {name: k for k, row in enumerate(rows) for name in row}
    for path in sorted((HOME / package).glob("*.py")):
        if path.stem == "__init__":
            continue
        assert path.stem in level, f"{relative(path)} has no place in the house"
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == package and len(parts) > 1 and parts[1] in level:
                assert level[parts[1]] <= level[path.stem], f"{relative(path)} looks up to {name}"


def test_scoreboard_and_recording_see_only_plan_and_events() -> None:
    for stem in ("scoreboard", "recording"):
        mine = {name.split(".")[1] for name in imports(HOME / "engine" / f"{stem}.py") if name.startswith("engine.")}
        assert mine <= {"plan", "events", "errors"}


@pytest.mark.parametrize("path", [p for p in SOURCES if "engine" in p.parts], ids=relative)
def test_no_yield_inside_a_torch_mode(path: Path) -> None:
    """The page may resume a generator on another thread, and the mode would leak to the rival."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.With) and any("no_grad" in (t := ast.unparse(i)) or "autocast" in t for i in node.items):
            assert not [n for n in ast.walk(node) if isinstance(n, ast.Yield | ast.YieldFrom)]


def test_the_front_door_is_sorted_and_real() -> None:
    import engine

    assert engine.__all__ == sorted(engine.__all__, key=lambda n: (n.islower(), n.upper() != n, n))
    assert all(hasattr(engine, name) for name in engine.__all__)


def test_the_top_level_is_what_the_customer_listed() -> None:
    import subprocess

    tracked = subprocess.run(["git", "ls-files"], cwd=HOME, capture_output=True, text=True, check=False).stdout.split("\n")
    assert {name.split("/")[0] for name in tracked if name and not name.startswith(".")} <= TOP


def test_no_file_is_too_large() -> None:
    sizes = {p: p.stat().st_size for p in (HOME / "assets").rglob("*") if p.is_file()}
    assert max(sizes.values(), default=0) < 10_000_000
    assert sum(sizes.values()) < 40_000_000


@pytest.mark.parametrize("path", [p for p in SOURCES if "tabletop" not in p.parts], ids=relative)
def test_every_file_has_its_tests(path: Path) -> None:
    if path.name in ("__init__.py", "look.py", "errors.py", "app.py"):
        return
    stem = {"__main__": "main"}.get(path.stem, path.stem)
    if "bench" in path.parts:
        stem = "bench"
    assert (HOME / "tests" / f"test_{stem}.py").exists()
