"""Recipes, speed and transfer are measured by real training; recipes are chosen on pictures neither drawn nor held out."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from engine import Plan, PlanError, run_race
from engine.bench import naive, recipes, speed, transfer
from engine.bench.transfer import Row
from engine.data.sampling import sample_data
from engine.device import this_machine
from engine.errors import DataError
from engine.events import Finished
from engine.models.registry import BackboneRegistry
from engine.plan import Racer
from engine.progress import run_to_end
from engine.race.inputs import sample_inputs
from engine.race.validate import validate
from engine.workspace import Workspace
from tests.conftest import CPU, checkpoint
from tests.helpers.pictures import TWO, look, zipped

SHORT = Plan(examples_per_class=3, epochs=2, batch_size=6)


def test_candidates_are_chosen_on_undrawn_training_pictures(workspace: Workspace) -> None:
    pictures = run_to_end(sample_inputs(SHORT, workspace)).data
    everything = run_to_end(sample_data(workspace.tasks, "tabletop", 8, 0, 32))
    extended = recipes.with_undrawn(pictures, SHORT, workspace)
    extra = extended.heldout[len(pictures.heldout) :]
    as_bytes = lambda images: {i.numpy().tobytes() for i in images}  # noqa: E731
    assert len(extra) == 3 * (8 - 3)
    assert as_bytes(extra) <= as_bytes(everything.training)
    assert not as_bytes(extra) & as_bytes(pictures.training)
    assert torch.equal(extended.heldout[: len(pictures.heldout)], pictures.heldout)


def test_every_candidate_is_a_plan_that_can_be_raced(workspace: Workspace) -> None:
    for plan in [*recipes.SCRATCH.values(), *recipes.TRANSFER.values()]:
        validate(replace(plan, examples_per_class=3), workspace, CPU)


@pytest.mark.slow
def test_a_candidate_is_trained_for_real(workspace: Workspace) -> None:
    (result,) = recipes.run({"x": SHORT}, False, 1, 3, workspace, CPU)
    assert 0 <= result.heldout <= 1
    assert result.seconds > 0


@pytest.mark.slow
def test_a_race_is_timed_from_its_events(workspace: Workspace) -> None:
    times = speed.time_race(replace(SHORT, trainable_stages=1), workspace, CPU)
    assert 0 < times.first_accuracy <= times.pretrained_done <= times.whole
    assert times.scratch_done <= times.whole
    assert all(0 < share < 1 for share in times.evaluation_share.values())


@pytest.mark.slow
@pytest.mark.parametrize("is_frozen", [True, False])
def test_the_baseline_trains(workspace: Workspace, is_frozen: bool) -> None:
    assert naive.epoch_seconds(SHORT, run_to_end(sample_inputs(SHORT, workspace)), is_frozen, epochs=1) > 0


ROW = Row("cats.zip", "resnet10", 64, 5, 0, 1, heldout=200, scratch=100, frozen=150, tuned=160, logistic=149, seconds=9.0)


def test_the_table_of_transfer_is_means_over_seeds_with_their_deviation() -> None:
    rows = [ROW, replace(ROW, seed=1, scratch=120, frozen=150, tuned=180, logistic=151), replace(ROW, examples_per_class=20)]
    lines = transfer.table(rows, BackboneRegistry()).splitlines()[2:]
    assert lines == [  # 50 % and 60 %: the mean is 55 %, the deviation 10 % / sqrt(2)
        "| cats.zip | ResNet-10, 64 px | 5 | 200 | 55.0% ± 7.1% | 75.0% ± 0.0% | 75.0% ± 0.7% | 85.0% ± 7.1% | 2 |",
        "| cats.zip | ResNet-10, 64 px | 20 | 200 | 50.0% ± 0.0% | 75.0% ± 0.0% | 74.5% ± 0.0% | 80.0% ± 0.0% | 1 |",
    ]


def test_a_network_that_is_not_registered_keeps_its_row() -> None:
    assert "| mobilenet_v2+gone |" in transfer.table([replace(ROW, network="mobilenet_v2+gone")], BackboneRegistry())


def test_numbers_of_pictures_that_a_set_does_not_have_are_skipped(tmp_path: Path) -> None:
    workspace = Workspace()
    name = workspace.tasks.add("set.zip", look(zipped(tmp_path, TWO)))  # its smaller class has 6 training pictures
    plans = list(transfer.plans([name, "tabletop"], ["resnet10", "resnet18"], seeds=2, epochs=7, workspace=workspace))
    assert [(p.task, p.backbone, p.examples_per_class, p.seed) for p in plans] == [
        (task, network, examples_per_class, seed)
        for network in ("resnet10", "resnet18")
        for task, counts in ((name, [5]), ("tabletop", [5, 20, 50]))
        for examples_per_class in counts
        for seed in (0, 1)
    ]
    assert {p.epochs for p in plans} == {7}


def test_a_checkpoint_is_added_with_its_image_size_and_normalisation(tmp_path: Path) -> None:
    path, backbones = checkpoint(tmp_path), BackboneRegistry()
    assert backbones.add_text(f"squeezenet1_1={path}:48:symmetric") == "squeezenet1_1+mine"
    backbone = backbones.find("squeezenet1_1+mine")
    assert (backbone.image_size, backbone.mean) == (48, (0.5, 0.5, 0.5))
    backbones.add_text(f"squeezenet1_1={path}")
    assert backbones.find("squeezenet1_1+mine").image_size == 224
    with pytest.raises(PlanError, match="write ARCHITECTURE=FILE"):
        backbones.add_text(f"squeezenet1_1={path}:large")


def test_a_race_that_the_file_has_is_not_measured_again(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, pictures = tmp_path / "rows.jsonl", zipped(tmp_path, TWO)
    out.write_text(json.dumps(asdict(replace(ROW, task="set.zip", image_size=32))) + "\n")
    monkeypatch.setattr(transfer, "measure", lambda plan, *_: replace(ROW, task=plan.task, seed=plan.seed, scratch=120))
    assert transfer.main(workspace, [pictures], [], seeds=2, epochs=1, out=out) == 0
    rows = [Row(**json.loads(line)) for line in out.read_text().splitlines()]
    assert [(row.seed, row.scratch) for row in rows] == [(0, 100), (1, 120)]
    assert "55.0% ± 7.1%" in capsys.readouterr().out


@pytest.mark.parametrize("line", ['{"task": "set.zip", "px": 32}', "not json", "3"])
def test_results_of_something_else_are_refused_with_a_sentence(workspace: Workspace, tmp_path: Path, line: str) -> None:
    out = tmp_path / "rows.jsonl"
    out.write_text(line + "\n")
    with pytest.raises(DataError, match=r"rows\.jsonl does not hold results of this version: move it away"):
        transfer.main(workspace, [], [], seeds=1, epochs=1, out=out)


def test_a_racer_that_failed_gives_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = [
        Finished(
            racer=racer,
            reason="done",
            step=9,
            epoch=1.0,
            pictures=9,
            seconds=1.0,
            correct=5,
            total=9,
            answers="110000111",
            message="",
        )
        for racer in ("scratch", "pretrained")
    ]
    ends.append(replace(ends[0], racer="frozen", reason="failed", correct=0, answers="", message="out of memory"))
    monkeypatch.setattr(transfer, "run_race", lambda *_: iter(ends))
    with pytest.raises(DataError, match=r"^tabletop with resnet10, 5 per class, seed 3: frozen failed \(out of memory\)"):
        transfer.measure(Plan(examples_per_class=5, seed=3), Workspace(), CPU)


@pytest.mark.slow
def test_transfer_on_given_pictures_is_measured_by_real_races(workspace: Workspace, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    name = workspace.tasks.add("set.zip", look(zipped(tmp_path, TWO)))
    row = transfer.measure(Plan(task=name, examples_per_class=5, epochs=2), workspace, CPU)
    assert (row.task, row.network, row.image_size, row.examples_per_class, row.heldout) == ("set.zip", "resnet10", 32, 5, 5)
    assert all(0 <= count <= 5 for count in (row.scratch, row.frozen, row.tuned, row.logistic))
    assert row.seconds > 0


@pytest.mark.slow
def test_the_frozen_racer_is_as_good_as_scikit_learns_classifier_on_its_features() -> None:
    """Within 3 points on the embedded pictures at 20 per class; each accuracy has a 95 % interval of about ±4 points."""
    pytest.importorskip("sklearn")
    plan, workspace = Plan(examples_per_class=20), Workspace()
    (end,) = [
        e for e in run_race(plan, workspace, this_machine(), racers=(Racer("frozen", True, 1),)) if isinstance(e, Finished)
    ]
    assert end.correct / end.total == pytest.approx(transfer.logistic(plan, workspace, CPU) / end.total, abs=0.03)
