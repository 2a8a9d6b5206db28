"""The measurements measure real trainings, and choose on pictures that are neither drawn nor held out."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from conftest import CPU, checkpoint
from visitors import TWO, look, zipped

from engine import Plan, PlanError, backbones, race, run_race, tasks
from engine.bench import naive, recipes, speed, transfer
from engine.bench.transfer import Row
from engine.errors import DataError
from engine.events import Finished, finish
from engine.plan import Lane

SHORT = Plan(examples=3, epochs=2, batch_size=6)


def test_candidates_are_chosen_on_undrawn_training_pictures(tiny: Path) -> None:
    pictures = finish(race.draw(SHORT))
    everything = finish(tasks.draw("tabletop", 8, 0, 32))
    asked = recipes.with_undrawn(pictures, SHORT)
    extra = asked.heldout[len(pictures.heldout) :]
    as_bytes = lambda images: {i.numpy().tobytes() for i in images}  # noqa: E731
    assert len(extra) == 3 * (8 - 3)
    assert as_bytes(extra) <= as_bytes(everything["training"])
    assert not as_bytes(extra) & as_bytes(pictures.training)
    assert torch.equal(asked.heldout[: len(pictures.heldout)], pictures.heldout)


def test_every_candidate_is_a_plan_that_can_be_raced(tiny: Path) -> None:
    for plan in [*recipes.SCRATCH.values(), *recipes.TRANSFER.values()]:
        race.check(replace(plan, examples=3))


@pytest.mark.slow
def test_a_candidate_is_trained_for_real(tiny: Path) -> None:
    (tried,) = recipes.run({"x": SHORT}, False, 1, 3)
    assert 0 <= tried.heldout <= 1
    assert tried.seconds > 0


@pytest.mark.slow
def test_a_race_is_timed_from_its_events(tiny: Path) -> None:
    timed = speed.time_race(replace(SHORT, learning_stages=1))
    assert 0 < timed.first_accuracy <= timed.transfer_done <= timed.whole
    assert timed.scratch_done <= timed.whole
    assert all(0 < share < 1 for share in timed.evaluation_share.values())


@pytest.mark.slow
@pytest.mark.parametrize("is_frozen", [True, False])
def test_the_baseline_trains(tiny: Path, is_frozen: bool) -> None:
    assert naive.epoch_seconds(SHORT, finish(race.draw(SHORT)), is_frozen, epochs=1) > 0


ROW = Row("cats.zip", "resnet10", 64, 5, 0, 1, heldout=200, scratch=100, frozen=150, tuned=160, logistic=149, seconds=9.0)


def test_the_table_of_transfer_is_means_over_seeds_with_their_deviation() -> None:
    rows = [ROW, replace(ROW, seed=1, scratch=120, frozen=150, tuned=180, logistic=151), replace(ROW, examples=20)]
    lines = transfer.table(rows).splitlines()[2:]
    assert lines == [  # 50 % and 60 %: the mean is 55 %, the deviation 10 % / sqrt(2)
        "| cats.zip | ResNet-10, 64 px | 5 | 200 | 55.0% ± 7.1% | 75.0% ± 0.0% | 75.0% ± 0.7% | 85.0% ± 7.1% | 2 |",
        "| cats.zip | ResNet-10, 64 px | 20 | 200 | 50.0% ± 0.0% | 75.0% ± 0.0% | 74.5% ± 0.0% | 80.0% ± 0.0% | 1 |",
    ]


def test_a_network_that_is_no_longer_here_keeps_its_row() -> None:
    assert "| mobilenet_v2+gone |" in transfer.table([replace(ROW, network="mobilenet_v2+gone")])


def test_numbers_of_pictures_that_a_set_lacks_are_skipped(guests: None, tmp_path: Path) -> None:
    name = tasks.add("set.zip", look(zipped(tmp_path, TWO)))  # its smaller class has 6 to learn from
    planned = list(transfer.plans([name, "tabletop"], ["resnet10", "resnet18"], seeds=2, epochs=7))
    assert [(p.task, p.backbone, p.examples, p.seed) for p in planned] == [
        (task, network, examples, seed)
        for network in ("resnet10", "resnet18")
        for task, counts in ((name, [5]), ("tabletop", [5, 20, 50]))
        for examples in counts
        for seed in (0, 1)
    ]
    assert {p.epochs for p in planned} == {7}


def test_a_checkpoint_is_named_with_its_side_and_normalisation(guests: None, tmp_path: Path) -> None:
    path = checkpoint(tmp_path)
    assert backbones.add_text(f"squeezenet1_1={path}:48:symmetric") == "squeezenet1_1+mine"
    found = backbones.find("squeezenet1_1+mine")
    assert (found.px, found.mean) == (48, (0.5, 0.5, 0.5))
    backbones.add_text(f"squeezenet1_1={path}")
    assert backbones.find("squeezenet1_1+mine").px == 224
    with pytest.raises(PlanError, match="write ARCHITECTURE=FILE"):
        backbones.add_text(f"squeezenet1_1={path}:large")


def test_what_was_measured_is_not_measured_again(
    tiny: Path, guests: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, pictures = tmp_path / "rows.jsonl", zipped(tmp_path, TWO)
    out.write_text(json.dumps(asdict(replace(ROW, task="set.zip", px=32))) + "\n")
    monkeypatch.setattr(transfer, "measure", lambda plan: replace(ROW, task=plan.task, seed=plan.seed, scratch=120))
    assert transfer.main([pictures], [], seeds=2, epochs=1, out=out) == 0
    rows = [Row(**json.loads(line)) for line in out.read_text().splitlines()]
    assert [(row.seed, row.scratch) for row in rows] == [(0, 100), (1, 120)]
    assert "55.0% ± 7.1%" in capsys.readouterr().out


def test_a_racer_without_an_end_is_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = [Finished(lane, "done", 9, 1.0, 9, 1.0, 5, 9, "110000111", "") for lane in ("scratch", "transfer")]
    ends.append(replace(ends[0], lane="frozen", reason="failed", correct=0, answers="", message="out of memory"))
    monkeypatch.setattr(transfer, "run_race", lambda _: iter(ends))
    with pytest.raises(DataError, match=r"^tabletop with resnet10, 5 a class, seed 3: frozen failed \(out of memory\)"):
        transfer.measure(Plan(examples=5, seed=3))


@pytest.mark.slow
def test_transfer_on_ones_own_pictures_is_measured_by_real_races(tiny: Path, guests: None, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    name = tasks.add("set.zip", look(zipped(tmp_path, TWO)))
    row = transfer.measure(Plan(task=name, examples=5, epochs=2))
    assert (row.task, row.network, row.px, row.examples, row.heldout) == ("set.zip", "resnet10", 32, 5, 5)
    assert all(0 <= count <= 5 for count in (row.scratch, row.frozen, row.tuned, row.logistic))
    assert row.seconds > 0


@pytest.mark.slow
def test_the_frozen_racer_is_as_good_as_scikit_learns_classifier_on_its_features() -> None:
    """Within 3 points on the embedded pictures at 20 a class; the held-out count gives each an interval of about ±4."""
    pytest.importorskip("sklearn")
    plan = Plan(examples=20)
    (end,) = [e for e in run_race(plan, lanes=(Lane("frozen", True, 1),)) if isinstance(e, Finished)]
    assert end.correct / end.total == pytest.approx(transfer.logistic(plan, CPU) / end.total, abs=0.03)
