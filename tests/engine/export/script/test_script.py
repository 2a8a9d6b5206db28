"""The script of a race: it needs no engine, quotes visitors' texts, and gives the same results as the race."""

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
from PIL import Image

from engine import Plan, run_race
from engine.device import this_machine
from engine.events import Finished, RaceStarted
from engine.export.script.archive import archive, folder_names
from engine.export.script.notebook import code_cells, notebook
from engine.export.script.script import script
from engine.models import pretrained
from engine.models.architectures import ARCHITECTURES
from engine.models.registry import BackboneRegistry
from engine.progress import run_to_end
from engine.race.inputs import RaceInputs, sample_inputs
from engine.workspace import Workspace
from tests.conftest import Clock, checkpoint

HOSTILE = ("a'; import os", "../x", "<b>", '"""\nimport os', "{{seed}}", "\u202eright", "猫")


def started_event(plan: Plan, classes: tuple[str, ...] = ("round", "square", "stripes")) -> RaceStarted:
    """The RaceStarted event of a race with this plan."""
    network = BackboneRegistry().find(plan.backbone).description
    return RaceStarted(
        plan=plan.to_json(),
        classes=classes,
        labels=(0, 1, 2),
        shown=(0,),
        training=12,
        heldout=18,
        image_size=plan.image_size or 32,
        network=network,
        machine="test",
        precision="fp32",
        threads=1,
    )


def code_of(plan: Plan, started: RaceStarted | None = None) -> str:
    """The script of a race of this plan."""
    return script(plan, started or started_event(plan), BackboneRegistry().find(plan.backbone))


def zip_of(plan: Plan, started: RaceStarted, inputs: RaceInputs) -> bytes:
    """The zip of a race of this plan."""
    return archive(plan, started, inputs, "CC0-1.0")


def imported(code: str) -> set[str]:
    """The packages that a script imports."""
    nodes = list(ast.walk(ast.parse(code)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.split(".")[0] for name in names}


def cells_of(text: str) -> list[str]:
    """The code of a notebook, cell by cell."""
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]


def test_the_default_race_is_a_script_that_does_not_import_the_engine() -> None:
    code = code_of(Plan())
    compile(code, "race.py", "exec")
    assert imported(code) == {"argparse", "math", "time", "torch", "torchvision", "safetensors"}


def test_the_script_is_the_same_every_time_and_short_enough_to_read() -> None:
    code = code_of(Plan())
    assert code == code_of(Plan())
    assert len(code.splitlines()) < 360
    assert max(map(len, code.splitlines())) <= 125
    assert "{{" not in code
    assert "{%" not in code


def test_the_lines_that_differ_between_the_racers_are_marked() -> None:
    marked = [line for line in code_of(Plan()).splitlines() if re.search(r"# <--", line)]
    assert any("weights.safetensors" in line for line in marked)
    assert any("fine-tuning" in line for line in marked)
    assert 10 < len(marked) < 25


def test_a_script_holds_only_what_its_plan_needs() -> None:
    usual, odd = Plan(), Plan(shuffle_grid=4, label_noise=0.3, invert_colors=True, extra_racers=("random",))
    code, broken = code_of(usual), code_of(odd)
    for word in ("PATCH_ORDER", "calibrate_batchnorm", "inverted", "shuffled on purpose"):
        assert word not in code
        assert word in broken
    compile(broken, "race.py", "exec")


@pytest.mark.parametrize(
    "plan",
    [
        Plan(augment=False),
        Plan(budget="seconds"),
        Plan(head_only_fraction=0.0, trainable_stages=6),
        Plan(trainable_stages=1, extra_racers=("top", "all")),
        Plan(backbone="resnet18", normalisation="raw"),
        Plan(backbone="vit_b_16", image_size=224),
        Plan(backbone="inception_v3", image_size=96),
        Plan(backbone="mobilenet_v3_small", image_size=64),
    ],
    ids=Plan.to_query,
)
def test_the_script_of_a_plan_compiles(plan: Plan) -> None:
    compile(code_of(plan), "race.py", "exec")


def test_visitors_text_stays_a_quoted_string() -> None:
    plan = Plan()
    start = replace(started_event(plan, HOSTILE), network='x"""\nimport os\n#')
    code = code_of(plan, start)
    assert imported(code) == imported(code_of(plan))
    values = {
        t.id: n.value for n in ast.parse(code).body if isinstance(n, ast.Assign) for t in n.targets if hasattr(t, "id")
    }
    assert tuple(ast.literal_eval(values["CLASSES"])) == HOSTILE
    assert "\u202e" not in code
    assert cells_of(notebook(code_of(plan, start)))[1].startswith("# %% settings")


def test_the_folder_names_of_classes_are_valid_and_sort_as_the_classes_do() -> None:
    names = folder_names([*HOSTILE, *(f"b/{k}" for k in range(9))])
    assert names == sorted(names)
    assert names[1] == "01____x"
    assert all(re.fullmatch(r"\d+_\w+", name) for name in names)


def test_the_notebook_is_the_script_in_cells() -> None:
    plan = Plan(shuffle_grid=3, extra_racers=("random",))
    cells = cells_of(notebook(code_of(plan)))
    assert "\n".join(cells) + "\n" == code_of(plan)
    for cell in cells:
        compile(cell, "cell", "exec")


def test_the_notebook_explains_each_part_before_it() -> None:
    document = json.loads(notebook(code_of(Plan())))
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    assert [cell["cell_type"] for cell in document["cells"]] == ["markdown", "code"] * 7
    assert len({cell["id"] for cell in document["cells"]}) == 14


def test_the_zip_holds_the_drawn_pictures_bit_by_bit_and_is_the_same_every_time(drawn: RaceInputs) -> None:
    plan = Plan(examples_per_class=4)
    data = zip_of(plan, started_event(plan), drawn)
    assert data == zip_of(plan, started_event(plan), drawn)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        names = file.namelist()
        assert {"README.txt", "race.py", "race.ipynb", "weights.safetensors"} <= set(names)
        training = [n for n in names if n.startswith("pictures/train/")]
        assert len(training) == len(drawn.data.training)
        assert training[0] == "pictures/train/0_round/01.webp"
        with file.open(training[5]) as one:
            assert np.array_equal(np.asarray(Image.open(one)), drawn.data.training[5].permute(1, 2, 0).numpy())


def test_the_readme_names_network_and_licence_in_each_language(drawn: RaceInputs) -> None:
    plan = Plan(examples_per_class=4)
    with zipfile.ZipFile(io.BytesIO(zip_of(plan, started_event(plan), drawn))) as file:
        english, japanese = file.read("README.txt").decode().split("Head Startのレース")
    assert f"Network: {BackboneRegistry().find('resnet10').description}" in english
    assert "ネットワーク: ResNet-10、ImageNet の 200 クラス" in japanese
    assert "学習用12枚" in japanese


def test_a_picture_is_in_the_folder_of_its_training_label(drawn: RaceInputs) -> None:
    plan = Plan(examples_per_class=4)
    wrong = replace(drawn, data=replace(drawn.data, training_labels=drawn.data.training_labels.flip(0)))
    with zipfile.ZipFile(io.BytesIO(zip_of(plan, started_event(plan), wrong))) as file:
        assert "pictures/train/2_stripes/01.webp" in file.namelist()


def unpacked(plan: Plan, workspace: Workspace, home: Path, precision: str | None = None) -> tuple[dict[str, Finished], int]:
    """Race this plan and unpack its zip; returns each racer's Finished event, and the number of held-out pictures.

    In fp32 a race and its script compute the same; in bf16 the race's faster convolutions and crops round differently.
    """
    machine = this_machine()
    events = list(run_race(plan, workspace, replace(machine, precision=precision or machine.precision)))
    (start,) = (e for e in events if isinstance(e, RaceStarted))
    with zipfile.ZipFile(io.BytesIO(zip_of(plan, start, run_to_end(sample_inputs(plan, workspace))))) as file:
        file.extractall(home)
    return {e.racer: e for e in events if isinstance(e, Finished)}, start.heldout


def run(home: Path, *arguments: str) -> dict[str, int]:
    """Run a program there; returns each racer's number of correct predictions."""
    done = subprocess.run([sys.executable, *arguments], cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {racer: int(correct) for racer, correct in re.findall(r"^ *(\w+): (\d+) = ", done.stdout, re.M)}


@pytest.mark.slow
def test_the_script_comes_within_two_points_of_the_race(tmp_path: Path) -> None:
    ends, heldout = unpacked(Plan(examples_per_class=5, epochs=8, seed=1), Workspace(), tmp_path)
    correct = run(tmp_path, "race.py")
    assert heldout == 600
    for racer, end in ends.items():
        assert abs(correct[racer] - end.correct) / heldout <= 0.02, (racer, correct, end)


@pytest.mark.slow
@pytest.mark.parametrize(
    "plan",
    [
        Plan(examples_per_class=8, epochs=6, trainable_stages=1, extra_racers=("random", "top", "all")),
        Plan(examples_per_class=8, epochs=6, shuffle_grid=4, invert_colors=True, label_noise=0.5),
        Plan(examples_per_class=8, epochs=6, augment=False, image_size=48, head_only_fraction=0.0),
    ],
    ids=["heads", "broken", "plain"],
)
def test_the_script_gives_the_same_result_as_the_race(plan: Plan, workspace: Workspace, tmp_path: Path) -> None:
    ends, _ = unpacked(plan, workspace, tmp_path, precision="fp32")
    correct = run(tmp_path, "race.py")
    assert correct == {racer: end.correct for racer, end in ends.items()}


@pytest.mark.slow
def test_a_visitors_checkpoint_is_in_the_zip_and_one_racer_can_run_alone(workspace: Workspace, tmp_path: Path) -> None:
    name = workspace.backbones.add(checkpoint(tmp_path), "squeezenet1_1", 64)
    ends, _ = unpacked(Plan(backbone=name, examples_per_class=4, epochs=2), workspace, tmp_path / "race")
    correct = run(tmp_path / "race", "race.py", "--only", "pretrained")
    assert set(correct) == {"pretrained"}
    assert ends["pretrained"].reason == "done"


@pytest.mark.slow
def test_a_race_by_the_clock_and_its_notebook_run(workspace: Workspace, tmp_path: Path) -> None:
    unpacked(Plan(examples_per_class=4, budget="seconds", seconds=2.0), workspace, tmp_path)
    program = (
        "import json; names = {'__name__': '__main__'}\n"
        "with open('race.ipynb', encoding='utf-8') as file: cells = json.load(file)['cells']\n"
        "for cell in cells:\n"
        "    if cell['cell_type'] == 'code': exec(''.join(cell['source']), names)\n"
    )
    assert set(run(tmp_path, "-c", program, "-f", "kernel.json")) == {"scratch", "pretrained"}


class SlowClock(Clock):
    """A clock for a script, which functions can be made to advance."""

    def slow(self, work: Callable[..., object], seconds: float) -> Callable[..., object]:
        def slow_work(*arguments: object) -> object:
            self.time += seconds
            return work(*arguments)

        return slow_work


@pytest.fixture
def timed(drawn: RaceInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], SlowClock]:
    """The names that the script of a race of 10 s defines, and its clock, by which a step takes 0.5 s."""
    plan, clock = Plan(examples_per_class=4, trainable_stages=1, budget="seconds", seconds=10.0), SlowClock(0.5)
    with zipfile.ZipFile(io.BytesIO(zip_of(plan, started_event(plan), drawn))) as file:
        file.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["race.py"])
    names: dict[str, Any] = {}
    exec("\n".join(code_cells(code_of(plan))[:-1]), names)
    names["time"] = SimpleNamespace(perf_counter=clock)
    return names, clock


def test_the_learning_rate_schedule_starts_after_the_features_are_cached(timed: tuple[dict[str, Any], SlowClock]) -> None:
    names, clock = timed
    schedule, progresses = names["schedule"], list[float]()
    names["cache_features"] = clock.slow(names["cache_features"], 5.0)

    def recorded_schedule(progress: float) -> float:
        progresses.append(progress)
        return schedule(progress)  # type: ignore[no-any-return]

    names["schedule"] = recorded_schedule
    names["train"]("pretrained")
    assert progresses[::2] == pytest.approx([k / 9 for k in range(9)])  # 4.5 s are left; weights and biases are a group each


def test_a_race_whose_time_is_used_up_before_the_first_step_has_no_result(
    timed: tuple[dict[str, Any], SlowClock], capsys: pytest.CaptureFixture[str]
) -> None:
    names, clock = timed
    names["cache_features"] = clock.slow(names["cache_features"], 99.0)
    assert names["train"]("pretrained") is None
    assert "used up before the first step" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_network_of_the_script_is_that_of_the_engine(name: str) -> None:
    plan = Plan(backbone=name, image_size=ARCHITECTURES[name].smallest, seed=3)
    parts = code_cells(code_of(plan))
    names: dict[str, object] = {}
    exec("\n".join([parts[0], parts[1], parts[4]]), names)
    theirs = names["build"]("scratch").eval()  # type: ignore[operator]
    ours = pretrained.build(BackboneRegistry().find(name), 3, 3, pretrained=False).eval()
    x = torch.rand(1, 3, plan.image_size, plan.image_size)
    assert [len(list(stage.parameters())) for stage in theirs] == [len(list(stage.parameters())) for stage in ours]
    with torch.no_grad():
        assert torch.allclose(theirs(x), ours(x), atol=1e-5)
    momenta = [[m.momentum for m in net.modules() if hasattr(m, "momentum")] for net in (theirs, ours)]
    assert momenta[0] == momenta[1]
