"""Evaluation: which pictures are counted and when, outside of the racer's clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from engine.events import Evaluated, Finished, PhaseStarted, Predicted, PreviewPredicted, Stepped, WeightsProbed
from engine.metrics import wilson_interval
from engine.plan import Racer
from engine.race.inputs import RaceInputs
from engine.training.evaluator import (
    BACKWARD_FACTOR,
    SHOWN,
    SUBSET_SHARE,
    WEIGHT_PROBES,
    Evaluator,
    Stopwatch,
    choose_preview_rows,
    stratified_rows,
)
from engine.training.features import FreshInputs
from tests.conftest import CPU, Clock
from tests.helpers.training import SCRATCH, SHORT, TRANSFER, network, of, run, run_to_network


@pytest.mark.parametrize("racer", [SCRATCH, TRANSFER], ids=["scratch", "pretrained"])
def test_an_exact_point_counts_the_whole_held_out_set(racer: Racer, drawn: RaceInputs) -> None:
    exact = [e for e in of(run(racer, SHORT, drawn), Evaluated) if e.is_exact]
    assert exact[0].step == 0
    assert exact[-1].step == 9
    for point in exact:
        assert point.total == len(drawn.data.heldout)
        assert (point.low, point.high) == wilson_interval(point.correct, point.total)


@pytest.mark.parametrize("racer", [SCRATCH, TRANSFER], ids=["scratch", "pretrained"])
def test_the_shown_pictures_are_answered_at_every_exact_point(racer: Racer, drawn: RaceInputs) -> None:
    events = run(racer, SHORT, drawn)
    exact, previews, predictions = (
        [e for e in of(events, Evaluated) if e.is_exact],
        of(events, PreviewPredicted),
        of(events, Predicted)[0],
    )
    assert [p.step for p in previews] == [e.step for e in exact]
    rows = choose_preview_rows(drawn.data.heldout_labels, SHORT.seed)
    assert previews[-1].predicted == tuple(predictions.predicted[row] for row in rows)
    assert previews[-1].confidence == tuple(predictions.confidence[row] for row in rows)
    assert previews[0].confidence == (round(1 / 3, 3),) * len(rows) or racer is SCRATCH  # a zero head is uniform


def test_the_final_predictions_are_the_softmax_of_the_trained_network(drawn: RaceInputs) -> None:
    events, model = run_to_network(SCRATCH, SHORT, drawn)
    predictions, finished = of(events, Predicted)[0], of(events, Finished)[0]
    inputs = FreshInputs(model[:0], drawn.data, drawn.preprocessing, False, 0, CPU)
    with torch.no_grad():
        confidence, predicted = model.eval()(inputs.heldout(slice(None))).double().softmax(1).max(1)
    assert predictions.predicted == tuple(predicted.tolist())
    assert predictions.confidence == pytest.approx(confidence.tolist(), abs=6e-4)
    answers = "".join(
        "1" if n == y else "0" for n, y in zip(predictions.predicted, drawn.data.heldout_labels.tolist(), strict=True)
    )
    assert finished.answers == answers


def test_a_frozen_stage_does_not_change_and_its_filters_are_reported_once(drawn: RaceInputs) -> None:
    probes = of(run(TRANSFER, SHORT, drawn), WeightsProbed)
    assert probes[-1].step == 9
    assert all(probe.relative_weight_change[:-1] == (0.0,) * 5 for probe in probes)
    assert (probes[0].relative_weight_change[-1], probes[-1].relative_weight_change[-1]) == (0.0, 1.0)
    assert [bool(probe.filters) for probe in probes] == [True] + [False] * (len(probes) - 1)
    assert len(probes) <= WEIGHT_PROBES + 2


def test_the_shown_pictures_are_spread_over_the_classes() -> None:
    labels = torch.arange(600) // 60
    rows = choose_preview_rows(labels, 0)
    assert len(rows) == SHOWN
    assert labels[list(rows)].tolist() == list(range(10))
    assert choose_preview_rows(labels, 1) != rows
    assert len(choose_preview_rows(torch.arange(3), 0)) == 3


def test_between_full_evaluations_the_same_stratified_subset_is_evaluated(drawn: RaceInputs) -> None:
    evaluator = Evaluator("scratch", drawn.data, drawn.preprocessing, CPU, Clock(), 0, epoch_steps=1000, subset_size=7)
    model = network(drawn)
    inputs = FreshInputs(model[:0], drawn.data, drawn.preprocessing, False, 0, CPU)
    asked: list[torch.Tensor] = []
    inputs.heldout = lambda rows: (asked.append(rows), FreshInputs.heldout(inputs, rows))[1]  # type: ignore[method-assign]
    evaluator.set_inputs(model, inputs)
    for step in range(1, 5):
        evaluator.trained_on(1000)
        events = [e for e in evaluator.evaluate_after_step(step, 0.0, step / 10, is_end=False) if e is not None]
        rows, (point,) = torch.cat(asked), of(events, Evaluated)
        with torch.no_grad():
            predicted = model.eval()(FreshInputs.heldout(inputs, rows)).argmax(1)
        assert (point.total, point.is_exact) == (7, False)
        assert point.correct == int((predicted == drawn.data.heldout_labels[rows]).sum())
        assert (point.low, point.high) == wilson_interval(point.correct, 7)
        assert rows.tolist() == list(stratified_rows(drawn.data.heldout_labels, 0, 6, 7))
        asked.clear()
        torch.nn.init.normal_(model[-1].weight)  # type: ignore[arg-type]


def test_all_held_out_pictures_are_evaluated_where_the_number_of_epochs_doubles(drawn: RaceInputs) -> None:
    plan = replace(SHORT, epochs=9)
    events = run(SCRATCH, plan, drawn)
    assert [p.epoch for p in of(events, Evaluated) if p.is_exact] == [0, 1, 2, 4, 8, 9]


def test_all_held_out_pictures_are_evaluated_where_stages_are_unfrozen(drawn: RaceInputs) -> None:
    events = run(Racer("pretrained", True, 3), replace(SHORT, epochs=10, head_only_fraction=0.5), drawn)
    unfrozen = next(e.epoch for e in of(events, PhaseStarted) if e.phase == "fine-tuning")
    exact = [p.epoch for p in of(events, Evaluated) if p.is_exact]
    assert exact == [0, 1, 2, 3, 4, 5, 8, 10]  # the head alone: after every epoch
    assert unfrozen == 5


def test_the_subset_is_counted_at_every_full_evaluation_too(drawn: RaceInputs) -> None:
    for racer in (SCRATCH, TRANSFER):
        points = of(run(racer, replace(SHORT, epochs=9), drawn), Evaluated)
        subset = {p.step: p for p in points if not p.is_exact}
        assert {p.step for p in points if p.is_exact} <= set(subset)
        assert len({p.total for p in subset.values()}) == 1
        steps = [(p.step, p.is_exact) for p in points]
        assert steps == sorted(steps)  # a full one is the latest of its step
        assert len(steps) == len(set(steps))


def test_a_head_alone_is_always_evaluated_on_all_held_out_pictures(drawn: RaceInputs) -> None:
    points = of(run(TRANSFER, SHORT, drawn), Evaluated)
    assert {p.total for p in points} == {len(drawn.data.heldout)}


def test_the_last_evaluation_is_full(drawn: RaceInputs) -> None:
    evaluator = Evaluator("scratch", drawn.data, drawn.preprocessing, CPU, Clock(), 0, epoch_steps=1000)
    evaluator.watch(model := network(drawn))
    evaluator.set_inputs(model, FreshInputs(model[:0], drawn.data, drawn.preprocessing, False, 0, CPU))
    events = [event for event in evaluator.evaluate_after_step(7, 0.0, 1.0, is_end=True) if event is not None]
    assert [type(event) for event in events] == [Evaluated, Evaluated, PreviewPredicted, WeightsProbed]
    assert (of(events, Evaluated)[1].total, of(events, Evaluated)[1].is_exact) == (len(drawn.data.heldout), True)


def test_the_clock_stands_still_during_evaluation(drawn: RaceInputs) -> None:
    """Every reading of the clock takes a second, so the racer's seconds count its own readings: one to find nothing to
    prepare, then one a step."""
    events = run(SCRATCH, SHORT, drawn, Clock(1.0))
    assert [s.seconds for s in of(events, Stepped)] == list(range(2, 11))
    assert of(events, Evaluated)[-1].evaluation_seconds > 0


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [4, 12])
def test_the_subset_takes_its_share_of_forward_passes(drawn: RaceInputs, batch_size: int) -> None:
    events = run(SCRATCH, replace(SHORT, epochs=400, batch_size=batch_size), drawn)
    points = of(events, Evaluated)
    full = {p.step for p in points if p.is_exact}
    evaluated = sum(p.total for p in points if p.step not in full)
    allowed = SUBSET_SHARE / (1 - SUBSET_SHARE) * BACKWARD_FACTOR * points[-1].pictures
    assert 0.8 * allowed < evaluated <= allowed + len(drawn.data.heldout)


@pytest.mark.slow
def test_a_long_race_reports_no_more_than_a_chart_can_show(drawn: RaceInputs) -> None:
    plan = replace(SHORT, budget="seconds", seconds=900.0, trainable_stages=1)
    events = run(TRANSFER, plan, drawn, Clock(1.0))
    assert len(of(events, Stepped)) <= 602
    assert len(of(events, Evaluated)) <= 602
    assert of(events, Evaluated)[-1].step == of(events, Stepped)[-1].step == of(events, Finished)[0].step


def test_a_stopwatch_runs_for_each_piece_of_work_and_stands_still_between_them() -> None:
    clock = Clock()
    stopwatch = Stopwatch(clock)

    def work() -> Iterator[None]:
        for _ in range(2):
            clock.time += 1.0
            yield

    for _ in stopwatch.around(work()):
        clock.time += 10.0
    assert stopwatch.seconds == 2.0
