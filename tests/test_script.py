"""The script of a race: it holds what the race held, nothing breaks out of it, and on its own it comes to the same end."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Clock, checkpoint
from PIL import Image

from engine import Plan, backbones, race, run_race
from engine.events import Finished, RaceStarted, finish
from engine.export import script as scripts
from engine.tasks import Drawn
from engine.zoo import ARCHITECTURES

HOSTILE = ("a'; import os", "../x", "<b>", '"""\nimport os', "{{seed}}", "\u202eright", "猫")


def begun(plan: Plan, classes: tuple[str, ...] = ("round", "square", "stripes")) -> RaceStarted:
    """The start of a race of this plan."""
    network = backbones.find(plan.backbone).description
    return RaceStarted(
        plan.to_json(), classes, (0, 1, 2), (0,), 12, 18, plan.px or 32, network, "test", precision="fp32", threads=1
    )


def imported(code: str) -> set[str]:
    """The packages that a script imports."""
    nodes = list(ast.walk(ast.parse(code)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.split(".")[0] for name in names}


def code_cells(text: str) -> list[str]:
    """The code of a notebook, cell by cell."""
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]


def test_the_default_race_is_a_script_that_needs_nothing_of_ours() -> None:
    code = scripts.script(Plan(), begun(Plan()))
    compile(code, "race.py", "exec")
    assert imported(code) == {"argparse", "math", "time", "torch", "torchvision", "safetensors"}


def test_the_script_is_the_same_every_time_and_short_enough_to_read() -> None:
    code = scripts.script(Plan(), begun(Plan()))
    assert code == scripts.script(Plan(), begun(Plan()))
    assert len(code.splitlines()) < 300
    assert max(map(len, code.splitlines())) <= 125
    assert "{{" not in code
    assert "#if" not in code


def test_the_lines_that_differ_between_the_racers_are_marked() -> None:
    marked = [line for line in scripts.script(Plan(), begun(Plan())).splitlines() if re.search(r"# <--", line)]
    assert any("weights.safetensors" in line for line in marked)
    assert any("fine-tuning" in line for line in marked)
    assert 10 < len(marked) < 25


def test_a_script_holds_only_what_its_plan_needs() -> None:
    usual, odd = Plan(), Plan(patches=4, label_noise=0.3, inverted=True, scratch_optimizer="muon", extra_lanes=("random",))
    code, broken = scripts.script(usual, begun(usual)), scripts.script(odd, begun(odd))
    for word in ("Muon", "PLACES", "settle", "inverted", "shuffled on purpose"):
        assert word not in code
        assert word in broken
    compile(broken, "race.py", "exec")


@pytest.mark.parametrize(
    "plan",
    [
        Plan(augmented=False),
        Plan(budget="seconds", scratch_optimizer="sgd"),
        Plan(head_share=0.0, learning_stages=6),
        Plan(learning_stages=1, extra_lanes=("top", "all")),
        Plan(backbone="resnet18", normalisation="raw"),
        Plan(backbone="vit_b_16", px=224),
        Plan(backbone="inception_v3", px=96),
        Plan(backbone="mobilenet_v3_small", px=64),
    ],
    ids=Plan.to_query,
)
def test_every_kind_of_plan_compiles(plan: Plan) -> None:
    compile(scripts.script(plan, begun(plan)), "race.py", "exec")


def test_what_a_visitor_wrote_stays_a_quoted_string() -> None:
    plan = Plan()
    start = replace(begun(plan, HOSTILE), network='x"""\nimport os\n#')
    code = scripts.script(plan, start)
    assert imported(code) == imported(scripts.script(plan, begun(plan)))
    values = {
        t.id: n.value for n in ast.parse(code).body if isinstance(n, ast.Assign) for t in n.targets if hasattr(t, "id")
    }
    assert tuple(ast.literal_eval(values["CLASSES"])) == HOSTILE
    assert "\u202e" not in code
    assert code_cells(scripts.notebook(plan, start))[1].startswith("# %% settings")


def test_a_folder_of_a_class_is_safe_and_sorts_as_the_classes_do() -> None:
    names = scripts.folder_names([*HOSTILE, *(f"b/{k}" for k in range(9))])
    assert names == sorted(names)
    assert names[1] == "01____x"
    assert all(re.fullmatch(r"\d+_\w+", name) for name in names)


def test_the_notebook_is_the_script_in_cells() -> None:
    plan = Plan(patches=3, extra_lanes=("random",))
    cells = code_cells(scripts.notebook(plan, begun(plan)))
    assert "\n".join(cells) + "\n" == scripts.script(plan, begun(plan))
    for cell in cells:
        compile(cell, "cell", "exec")


def test_the_notebook_says_before_each_part_what_it_is() -> None:
    whole = json.loads(scripts.notebook(Plan(), begun(Plan())))
    assert (whole["nbformat"], whole["nbformat_minor"]) == (4, 5)
    assert [cell["cell_type"] for cell in whole["cells"]] == ["markdown", "code"] * 7
    assert len({cell["id"] for cell in whole["cells"]}) == 14


def test_the_zip_holds_the_drawn_pictures_bit_by_bit_and_is_the_same_every_time(drawn: Drawn) -> None:
    plan = Plan(examples=4)
    data = scripts.archive(plan, begun(plan), drawn)
    assert data == scripts.archive(plan, begun(plan), drawn)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        names = file.namelist()
        assert {"README.txt", "race.py", "race.ipynb", "weights.safetensors"} <= set(names)
        seen = [n for n in names if n.startswith("pictures/train/")]
        assert len(seen) == len(drawn.training)
        assert seen[0] == "pictures/train/0_round/01.webp"
        with file.open(seen[5]) as one:
            assert np.array_equal(np.asarray(Image.open(one)), drawn.training[5].permute(1, 2, 0).numpy())


def test_the_readme_tells_network_and_licence_in_each_language(drawn: Drawn) -> None:
    plan = Plan(examples=4)
    with zipfile.ZipFile(io.BytesIO(scripts.archive(plan, begun(plan), drawn))) as file:
        english, japanese = file.read("README.txt").decode().split("Head Startのレース")
    assert f"Network: {backbones.find('resnet10').description}" in english
    assert "ネットワーク: ResNet-10、ImageNet の 200 クラス" in japanese
    assert "学習用12枚" in japanese


def test_a_picture_lies_in_the_folder_of_the_label_it_was_trained_on(drawn: Drawn) -> None:
    plan = Plan(examples=4)
    wrong = replace(drawn, training_labels=drawn.training_labels.flip(0))
    with zipfile.ZipFile(io.BytesIO(scripts.archive(plan, begun(plan), wrong))) as file:
        assert "pictures/train/2_stripes/01.webp" in file.namelist()


def unpacked(plan: Plan, home: Path) -> tuple[dict[str, Finished], int]:
    """Race this plan with the engine and unpack its zip; what each racer came to, and the number of held-out pictures."""
    events = list(run_race(plan))
    (start,) = (e for e in events if isinstance(e, RaceStarted))
    with zipfile.ZipFile(io.BytesIO(scripts.archive(plan, start, finish(race.draw(plan))))) as file:
        file.extractall(home)
    return {e.lane: e for e in events if isinstance(e, Finished)}, start.heldout


def run(home: Path, *arguments: str) -> dict[str, int]:
    """Run a program of its own there; how many pictures each racer names right."""
    done = subprocess.run([sys.executable, *arguments], cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {lane: int(right) for lane, right in re.findall(r"^ *(\w+): (\d+) = ", done.stdout, re.M)}


@pytest.mark.slow
def test_the_script_comes_within_two_points_of_the_race(tmp_path: Path) -> None:
    ends, asked = unpacked(Plan(examples=5, epochs=8, seed=1), tmp_path)
    found = run(tmp_path, "race.py")
    assert asked == 600
    for lane, end in ends.items():
        assert abs(found[lane] - end.correct) / asked <= 0.02, (lane, found, end)


@pytest.mark.slow
@pytest.mark.parametrize(
    "plan",
    [
        Plan(examples=8, epochs=6, learning_stages=1, extra_lanes=("random", "top", "all")),
        Plan(examples=8, epochs=6, patches=4, inverted=True, label_noise=0.5, scratch_optimizer="muon"),
        Plan(examples=8, epochs=6, augmented=False, scratch_optimizer="sgd", px=48, head_share=0.0),
    ],
    ids=["heads", "broken", "plain"],
)
def test_a_small_race_of_every_kind_comes_to_the_same_end(plan: Plan, tiny: Path, tmp_path: Path) -> None:
    ends, _ = unpacked(plan, tmp_path)
    found = run(tmp_path, "race.py")
    assert set(found) == set(ends)
    for lane, end in ends.items():
        assert abs(found[lane] - end.correct) <= 1, (lane, found, end)


@pytest.mark.slow
def test_a_checkpoint_of_ones_own_goes_along_and_one_racer_can_be_run_alone(
    tiny: Path, guests: None, tmp_path: Path
) -> None:
    name = backbones.add(checkpoint(tmp_path), "squeezenet1_1", 64)
    ends, _ = unpacked(Plan(backbone=name, examples=4, epochs=2), tmp_path / "race")
    found = run(tmp_path / "race", "race.py", "--only", "transfer")
    assert set(found) == {"transfer"}
    assert ends["transfer"].reason == "done"


@pytest.mark.slow
def test_a_race_by_the_clock_and_its_notebook_run(tiny: Path, tmp_path: Path) -> None:
    unpacked(Plan(examples=4, budget="seconds", seconds=2.0), tmp_path)
    program = (
        "import json; names = {'__name__': '__main__'}\n"
        "with open('race.ipynb', encoding='utf-8') as file: cells = json.load(file)['cells']\n"
        "for cell in cells:\n"
        "    if cell['cell_type'] == 'code': exec(''.join(cell['source']), names)\n"
    )
    assert set(run(tmp_path, "-c", program, "-f", "kernel.json")) == {"scratch", "transfer"}


class Paid(Clock):
    """A clock that a script looks at, and the work that is said to have taken long."""

    def slow(self, work: Callable[..., object], seconds: float) -> Callable[..., object]:
        def done(*given: object) -> object:
            self.time += seconds
            return work(*given)

        return done


@pytest.fixture
def timed(drawn: Drawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], Paid]:
    """What a script of a race by the clock, of 10 s, defines, and its clock: a step takes 0.5 s."""
    plan, clock = Plan(examples=4, learning_stages=1, budget="seconds", seconds=10.0), Paid(0.5)
    with zipfile.ZipFile(io.BytesIO(scripts.archive(plan, begun(plan), drawn))) as file:
        file.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["race.py"])
    names: dict[str, Any] = {}
    exec("\n".join(scripts._cells(scripts.script(plan, begun(plan)))[:-1]), names)
    names["time"] = SimpleNamespace(perf_counter=clock)
    return names, clock


def test_the_learning_rate_sets_out_after_the_features_are_computed(timed: tuple[dict[str, Any], Paid]) -> None:
    names, clock = timed
    schedule, asked = names["schedule"], list[float]()
    names["keep"] = clock.slow(names["keep"], 5.0)

    def noted(progress: float) -> float:
        asked.append(progress)
        return schedule(progress)  # type: ignore[no-any-return]

    names["schedule"] = noted
    names["train"]("transfer")
    assert asked[::2] == pytest.approx([k / 9 for k in range(9)])  # 4.5 s are left; weights and biases are a group each


def test_where_the_time_is_used_up_before_the_first_step_there_is_no_result(
    timed: tuple[dict[str, Any], Paid], capsys: pytest.CaptureFixture[str]
) -> None:
    names, clock = timed
    names["keep"] = clock.slow(names["keep"], 99.0)
    assert names["train"]("transfer") is None
    assert "used up before the first step" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_scripts_network_is_the_engines(name: str) -> None:
    plan = Plan(backbone=name, px=ARCHITECTURES[name].smallest, seed=3)
    parts = scripts._cells(scripts.script(plan, begun(plan)))
    names: dict[str, object] = {}
    exec("\n".join([parts[0], parts[1], parts[4]]), names)
    theirs = names["build"]("scratch").eval()  # type: ignore[operator]
    ours = backbones.build(name, 3, 3, pretrained=False).eval()
    x = torch.rand(1, 3, plan.px, plan.px)
    assert [len(list(stage.parameters())) for stage in theirs] == [len(list(stage.parameters())) for stage in ours]
    with torch.no_grad():
        assert torch.allclose(theirs(x), ours(x), atol=1e-5)
    momenta = [[m.momentum for m in net.modules() if hasattr(m, "momentum")] for net in (theirs, ours)]
    assert momenta[0] == momenta[1]
