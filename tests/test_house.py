"""The rules of the code: which folder may import which, no state in modules, a README per folder, and no old words."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1]
SOURCES = sorted([*HOME.glob("engine/**/*.py"), *HOME.glob("demo/**/*.py"), HOME / "app.py"])
SCRIPTS = sorted([*HOME.glob("engine/**/*.js"), *HOME.glob("demo/**/*.js")])
TOP = {"app.py", "requirements.txt", "README.md", "demo", "engine", "tests", "assets"}

# Files and folders of a package, lowest first: each imports from those before it, never from those after it
LAYERS = {
    "engine": [
        *(
            "i18n",
            "errors",
            "jsontext",
            "metrics",
            "palette",
            "plan",
            "events",
            "device",
            "progress",
            "rng",
            "download",
            "scoreboard",
            "recording",
            "sentences",
        ),
        *("data", "models", "workspace", "analysis", "training", "race", "study", "build", "export", "bench", "cli"),
        *("__init__", "__main__"),
    ],
    "demo": [
        *("__init__", "i18n", "theme", "markup", "controls", "server", "uploads", "components", "classroom"),
        *("handlers", "page", "load"),
    ],
}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> set[str]:
    """The dotted names that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def relative(path: Path) -> str:
    return path.relative_to(HOME).as_posix()


def layer_of(path: Path) -> str:
    """The file or folder directly below `engine` or `demo` that contains a source file."""
    return path.relative_to(HOME).with_suffix("").parts[1]


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_every_file_has_a_docstring(path: Path) -> None:
    assert ast.get_docstring(tree(path))


@pytest.mark.parametrize("path", [p for p in SOURCES if "engine" in p.parts], ids=relative)
def test_the_engine_does_not_import_the_page(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}
    assert not roots & {"gradio", "plotly", "demo", "app"}


@pytest.mark.parametrize("path", [p for p in SOURCES if "demo" in p.parts or p.name == "app.py"], ids=relative)
def test_the_page_uses_the_engines_front_door_only(path: Path) -> None:
    names = imports(path)
    assert not {name.split(".")[0] for name in names} & {"torch", "torchvision"}
    import engine

    behind = {name for name in names if name.startswith("engine.")}
    assert {name.split(".", 1)[1] for name in behind} <= set(engine.__all__)


@pytest.mark.parametrize("package", LAYERS)
def test_dependencies_point_one_way(package: str) -> None:
    level = {layer: k for k, layer in enumerate(LAYERS[package])}
    for path in sorted((HOME / package).rglob("*.py")):
        layer = layer_of(path)
        assert layer in level, f"{relative(path)} is missing in LAYERS"
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == package and len(parts) > 1 and parts[1] in level:
                assert level[parts[1]] <= level[layer], f"{relative(path)} imports {name}, which comes after it in LAYERS"


@pytest.mark.parametrize("path", SCRIPTS, ids=relative)
def test_a_script_imports_shared_modules_only(path: Path) -> None:
    """A component's script may import modules of its own folder and of `lib/`, not of another component."""
    for target in re.findall(r'^\s*import\b[^;]*?["\']([^"\']+)["\']', path.read_text(encoding="utf-8"), re.M):
        assert target.startswith("."), f"{relative(path)} imports {target} from outside"
        module = (path.parent / target).resolve()
        assert module.exists(), f"{relative(path)} imports {target}, which does not exist"
        assert module.parent == path.parent or module.parent.name == "lib", f"{relative(path)} imports {target}"


def test_scoreboard_and_recording_import_only_plan_and_events() -> None:
    for stem in ("scoreboard", "recording"):
        layers = {name.split(".")[1] for name in imports(HOME / "engine" / f"{stem}.py") if name.startswith("engine.")}
        assert layers <= {"plan", "events", "errors", "jsontext"}


@pytest.mark.parametrize("path", [p for p in SOURCES if "engine" in p.parts], ids=relative)
def test_no_yield_inside_a_torch_mode(path: Path) -> None:
    """A generator may be resumed on another thread, and the mode would apply to the other racer too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.With) and any("no_grad" in (t := ast.unparse(i)) or "autocast" in t for i in node.items):
            assert not [n for n in ast.walk(node) if isinstance(n, ast.Yield | ast.YieldFrom)]


MUTATORS = {
    *("append", "appendleft", "extend", "insert", "add", "update", "setdefault", "move_to_end"),
    *("pop", "popleft", "popitem", "remove", "discard", "clear", "cache_clear", "sort", "reverse"),
}
MEASURES = {HOME / "demo" / "load" / "server.py"}  # watches a server from inside, in a process of its own


def stateful_classes() -> set[str]:
    """The classes of the project whose methods change their instance."""
    classes = [node for path in SOURCES for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef)]
    return {
        node.name
        for node in classes
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name != "__init__" and changed(method, {"self"})
    }


def changed(tree: ast.AST, names: set[str]) -> set[str]:
    """Those of these names whose attributes or contents change: `x.y = 1`, `x[0] = 1`, `x.clear()`."""
    changes = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
            changes.add(root(node.func.value))
        elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            changes.add(root(node.value))
    return changes & names


def root(node: ast.AST) -> str:
    """`x` of `x.y[0].z`."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def parsed(path: Path) -> ast.Module:
    return tree(path)


def module_state(tree: ast.Module, stateful: set[str]) -> set[str]:
    """The names in which a module keeps state: those that its code changes or binds again, here or in another module,
    and instances of stateful classes.
    """
    held, imported, state = set(), set(), set()
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
            held |= names
            if isinstance(node.value, ast.Call) and ast.unparse(node.value.func).split(".")[-1] in stateful:
                state |= names
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imported |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            state |= set(node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            state |= {root(node)} & imported
    state |= changed(tree, held)
    return state


@pytest.fixture(scope="module")
def stateful() -> set[str]:
    return stateful_classes()


@pytest.mark.parametrize("path", [path for path in SOURCES if path not in MEASURES], ids=relative)
def test_no_module_keeps_state(path: Path, stateful: set[str]) -> None:
    """Registries, caches and limits are objects made in app.py, a command or a test, and passed as arguments."""
    assert module_state(parsed(path), stateful) == set()


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("KNOWN = {}\ndef add(k): KNOWN[k] = 1", {"KNOWN"}),
        ("_open = OrderedDict()\ndef add(k): _open.setdefault(k, 1)", {"_open"}),
        ("_is_lent = False\ndef borrow():\n    global _is_lent\n    _is_lent = True", {"_is_lent"}),
        ("gauge = Gauge()\ndef note(): gauge.learn(1)", {"gauge"}),
        ("import torch\ndef forgo(): torch.cuda.is_available = lambda: False", {"torch"}),
        ("SIDES = [1, 2]\nLOCK = Lock()\ndef f():\n    with LOCK: return SIDES[0]", set()),
    ],
)
def test_state_of_a_module_is_detected(source: str, names: set[str]) -> None:
    assert module_state(ast.parse(source), {"Gauge"}) == names


def test_the_engines_public_names_are_sorted_and_exist() -> None:
    import engine

    assert engine.__all__ == sorted(engine.__all__, key=lambda n: (n.islower(), n.upper() != n, n))
    assert all(hasattr(engine, name) for name in engine.__all__)


def test_the_top_level_has_only_the_files_of_the_task() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=HOME, capture_output=True, text=True, check=False).stdout.split("\n")
    assert {name.split("/")[0] for name in tracked if name and not name.startswith(".")} <= TOP


def test_no_file_is_too_large() -> None:
    sizes = {p: p.stat().st_size for p in (HOME / "assets").rglob("*") if p.is_file()}
    assert max(sizes.values(), default=0) < 10_000_000
    assert sum(sizes.values()) < 40_000_000


@pytest.mark.parametrize("path", sorted({p.parent for p in SOURCES if p.parent != HOME}), ids=relative)
def test_every_folder_has_a_readme(path: Path) -> None:
    """Ten lines: what is in it, what it may import, how to run its tests. The folders of components share their parent's."""
    assert any((folder / "README.md").exists() for folder in (path, path.parent))


# Words of earlier versions -> the words of the field that replace them
OLD_WORDS = {
    **dict.fromkeys(("told", "said", "asked", "looked", "answered"), "message, reported, requested or the event's name"),
    **dict.fromkeys(("found", "mine"), "a name for what it is, such as path, match or rows"),
    **dict.fromkeys(("kind", "kinds"), "class_index, event_type, architecture, dtype, file_format or field_type"),
    **dict.fromkeys(("lane", "lanes", "rival", "rivals"), "racer"),
    **dict.fromkeys(("judge", "judged", "turn_to"), "evaluator, predicted or set_inputs"),
    **dict.fromkeys(("zoo", "openers", "album", "look_through"), "architectures, loaders, dataset or build_dataset"),
    **dict.fromkeys(("tryit", "scribe", "diary", "prober"), "try_picture, log_writer, room_feed or cost_estimator"),
    **dict.fromkeys(("haunt", "hang"), "set_ghosts or render"),
    "batches_an_epoch": "steps_per_epoch",
    "learning_stages": "trainable_stages",
    "lens": "weight_probe",
    "sure": "confidence",
    "telling": "sentence",
}
ALLOWED_NAMES = {"_not_found"}  # HTTP 404


def defined_names(path: Path) -> set[str]:
    """The names that a Python or JavaScript file defines: functions, classes, arguments, variables, attributes."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".js":
        destructured = re.findall(r"\b(?:const|let)\s*[{\[]([^}\]=]*)[}\]]", source)
        single = re.findall(r"\b(?:const|let|function|class)\s+([\w$]+)", source)
        return {*single, *(name for names in destructured for name in re.findall(r"[\w$]+", names))}
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.id if isinstance(node, ast.Name) else node.attr)
        elif isinstance(node, ast.alias | ast.ExceptHandler):
            names.add((node.asname if isinstance(node, ast.alias) else node.name) or "")
    return names


@pytest.mark.parametrize("path", [*SOURCES, *SCRIPTS], ids=relative)
def test_no_name_uses_an_old_word(path: Path) -> None:
    mistakes = []
    for name in sorted(defined_names(path) - ALLOWED_NAMES):
        snake_case = "_".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)).lower()
        words = [word for word in OLD_WORDS if f"_{word}_" in f"_{snake_case}_"]
        mistakes += [f"`{name}` uses the old word `{word}`; use {OLD_WORDS[word]}" for word in words]
    assert not mistakes, f"{relative(path)}: " + "; ".join(mistakes)
