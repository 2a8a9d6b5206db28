"""Evaluation of one racer on the held-out pictures while it trains, and the clock that leaves evaluation out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from types import TracebackType

import torch
from torch import Tensor, nn

from engine.data.preprocessing import Preprocessing
from engine.data.sampling import RaceData
from engine.device import Machine
from engine.events import Evaluated, Event, Finished, Predicted, PreviewPredicted, WeightsProbed
from engine.metrics import wilson_interval
from engine.models.freezing import chunk
from engine.rng import generator
from engine.training.features import CachedInputs, FreshInputs
from engine.training.probes import WeightProbe

SUBSET = 150  # held-out pictures, at most, that are evaluated between the full evaluations
SUBSET_SHARE = 0.035  # of a racer's time, planned for evaluations of the subset
BACKWARD_FACTOR = 4  # a training step costs about as much as so many forward passes of the same pictures
FIRST_SUBSET = 64  # training pictures after which the subset is evaluated for the first time
MOST_POINTS = 300  # full evaluations of a racer, and of the subset, that are reported; a chart cannot show more
SHOWN = 10  # held-out pictures whose predictions are reported at every full evaluation
WEIGHT_PROBES = 12  # probes of a network's weights during a race; its filters take a few thousand bytes each time


class Stopwatch:
    """A racer's own compute time in seconds, counted inside of `with stopwatch:`; it stands still during evaluation."""

    def __init__(self, now: Callable[[], float]):
        self._now, self.seconds, self._began = now, 0.0, 0.0

    def __enter__(self) -> None:
        self._began = self._now()

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds += self._now() - self._began

    def around(self, work: Iterator[None]) -> Iterator[None]:
        """Run for each piece of `work`, and stand still between the pieces."""
        while True:
            with self:
                try:
                    next(work)
                except StopIteration:
                    return
            yield


class Evaluator:
    """Evaluates a racer on all held-out pictures at times, and in between on a fixed subset of them.

    All of them: before the first step, after epochs 1, 2, 4, 8, …, where stages are unfrozen, and at the end; where that
    costs next to nothing (a head alone on cached features, a GPU), after every epoch. The subset, the same pictures every
    time and stratified by class, is evaluated as often as its share of the racer's time allows, on the network as it is
    then. When that is depends on counts, never on a clock, so that a seed has one curve: every picture trained on earns an
    allowance of forward passes.

    subset_size: None = all held-out pictures, for a racer whose every evaluation is cheap
    """

    def __init__(
        self,
        racer: str,
        data: RaceData,
        preprocessing: Preprocessing,
        machine: Machine,
        now: Callable[[], float],
        seed: int,
        epoch_steps: int,
        subset_size: int | None = SUBSET,
    ):
        self._racer, self._data, self._preprocessing = racer, data, preprocessing
        self._machine, self._epoch_steps = machine, epoch_steps
        self._clock = Stopwatch(now)
        self._subset = torch.tensor(
            stratified_rows(data.heldout_labels, seed, 6, subset_size or len(data.heldout)), dtype=torch.long
        )
        self._shown = torch.tensor(choose_preview_rows(data.heldout_labels, seed), dtype=torch.long)
        self._allowance = float(len(self._subset))  # forward passes; enough for the first time
        self._latest_full, self._next_full = -1, 1  # a step, an epoch
        self._reported, self._probed = 0.0, -1.0  # progress
        self._predicted, self._confidence = torch.empty(0, dtype=torch.long), torch.empty(0)  # (held-out,), latest full one
        self.pictures_seen = 0  # trained on so far, counting repeats

    def watch(self, model: nn.Sequential) -> None:
        """Remember these weights as the ones the racer starts with."""
        self._weight_probe = WeightProbe(model)

    def set_inputs(self, learning: nn.Sequential, inputs: FreshInputs | CachedInputs) -> None:
        """Evaluate these stages on these inputs from now on."""
        self._learning, self._inputs = learning, inputs
        is_head_alone = len(learning) == 1 and isinstance(inputs, CachedInputs)
        self._is_cheap = is_head_alone or self._machine.device == "cuda"

    def around(self, work: Iterator[None]) -> Iterator[None]:
        """Count this work as evaluation."""
        return self._clock.around(work)

    def trained_on(self, pictures: int) -> None:
        """Count pictures that were trained on."""
        self.pictures_seen += pictures
        if not self._is_cheap:
            self._allowance += pictures * BACKWARD_FACTOR * SUBSET_SHARE / (1 - SUBSET_SHARE)

    def evaluate_after_step(self, step: int, seconds: float, progress: float, is_end: bool) -> Iterator[Event | None]:
        """The evaluation that is due after a step: on all held-out pictures, on the subset, or none."""
        is_epoch_end, is_due = step % self._epoch_steps == 0, progress >= self._reported + 1 / MOST_POINTS
        is_full = is_epoch_end and (step // self._epoch_steps == self._next_full or (self._is_cheap and is_due))
        if is_end or is_full:
            yield from self.evaluate_full(step, seconds, progress)
        elif is_due and self.pictures_seen >= FIRST_SUBSET and self._allowance >= len(self._subset):
            yield from self.evaluate_subset(step, seconds, progress)

    def evaluate_full(self, step: int, seconds: float, progress: float) -> Iterator[Event | None]:
        """Evaluate all held-out pictures; also reports the predictions on the pictures shown, and probes the weights.

        Nothing where that was done after the same step.
        """
        if step == self._latest_full:
            return
        self._reported, self._latest_full = progress, step
        while self._next_full <= step // self._epoch_steps:
            self._next_full *= 2
        total, predicted, confidences = len(self._data.heldout), [], []
        size = total if self._is_cheap else chunk(self._preprocessing.image_size)
        for first in range(0, total, size):
            classes, confidence = self._predict(slice(first, first + size))
            predicted.append(classes)
            confidences.append(confidence)
            yield None
        self._predicted, self._confidence = torch.cat(predicted), torch.cat(confidences)
        is_correct = self._is_correct()
        yield self._evaluated(step, seconds, is_correct[self._subset], is_exact=False)
        yield self._evaluated(step, seconds, is_correct, is_exact=True)
        yield PreviewPredicted(
            racer=self._racer,
            step=step,
            epoch=step / self._epoch_steps,
            seconds=seconds,
            predicted=tuple(self._predicted[self._shown].tolist()),
            confidence=_rounded(self._confidence[self._shown]),
        )
        if progress >= min(1.0, self._probed + 1 / WEIGHT_PROBES):
            self._probed = progress
            yield self._probe_weights(step, seconds)

    def evaluate_subset(self, step: int, seconds: float, progress: float) -> Iterator[Event | None]:
        """Evaluate the subset of the held-out pictures."""
        self._reported = progress
        self._allowance -= len(self._subset)
        is_correct = []
        for rows in self._subset.split(chunk(self._preprocessing.image_size)):
            is_correct.append(self._predict(rows)[0] == self._data.heldout_labels.cpu()[rows])
            yield None
        yield self._evaluated(step, seconds, torch.cat(is_correct), is_exact=False)

    def final_predictions(self) -> Predicted:
        """The predictions of the latest full evaluation for every held-out picture."""
        return Predicted(racer=self._racer, predicted=tuple(self._predicted.tolist()), confidence=_rounded(self._confidence))

    def finished(self, step: int, seconds: float) -> Finished:
        """The end of a racer that completed its training, with the result of the latest full evaluation."""
        answers = "".join("1" if correct else "0" for correct in self._is_correct().tolist())
        return Finished(
            racer=self._racer,
            reason="done",
            step=step,
            epoch=step / self._epoch_steps,
            pictures=self.pictures_seen,
            seconds=seconds,
            correct=answers.count("1"),
            total=len(answers),
            answers=answers,
            message="",
        )

    def _is_correct(self) -> Tensor:
        return self._predicted == self._data.heldout_labels.cpu()

    def _predict(self, rows: slice | Tensor) -> tuple[Tensor, Tensor]:
        """The predicted class of these held-out pictures, (n,) int64, and its probability, (n,) float32."""
        with self._clock:
            modes = [module.training for module in self._learning.modules()]
            self._learning.eval()
            with torch.no_grad(), self._machine.autocast():
                logits = self._learning(self._inputs.heldout(rows))
            for module, mode in zip(self._learning.modules(), modes, strict=True):
                module.training = mode
            confidence, predicted = logits.float().softmax(1).max(1)
            return predicted.cpu(), confidence.cpu()  # .cpu() waits for the GPU

    def _probe_weights(self, step: int, seconds: float) -> WeightsProbed:
        with self._clock:
            changes, (count, side, filters) = self._weight_probe.relative_weight_change(), self._weight_probe.filters()
        return WeightsProbed(
            racer=self._racer,
            step=step,
            epoch=step / self._epoch_steps,
            seconds=seconds,
            stages=self._weight_probe.stages,
            relative_weight_change=tuple(float(f"{change:.4g}") for change in changes),
            count=count,
            side=side,
            filters=filters,
        )

    def _evaluated(self, step: int, seconds: float, is_correct: Tensor, is_exact: bool) -> Evaluated:
        correct, total = int(is_correct.sum()), len(is_correct)
        low, high = wilson_interval(correct, total)
        return Evaluated(
            racer=self._racer,
            step=step,
            epoch=step / self._epoch_steps,
            pictures=self.pictures_seen,
            seconds=seconds,
            correct=correct,
            total=total,
            low=low,
            high=high,
            is_exact=is_exact,
            evaluation_seconds=self._clock.seconds,
        )


def choose_preview_rows(labels: Tensor, seed: int) -> tuple[int, ...]:
    """The rows of the SHOWN held-out pictures whose predictions are reported during a race. labels: (N,) int64"""
    return stratified_rows(labels, seed, 10, SHOWN)


def stratified_rows(labels: Tensor, seed: int, purpose: int, count: int) -> tuple[int, ...]:
    """`count` random rows, or all where there are fewer, with as many of every class as of any other that has enough.

    labels: (N,) int64; purpose: a part of the random generator's key, another one for every use
    """
    counts: Counter[int] = Counter()  # rows so far, by class
    ranked = []  # (rank within the class, row)
    for row in torch.randperm(len(labels), generator=generator(seed, purpose)).tolist():
        label = int(labels[row])
        ranked.append((counts[label], row))
        counts[label] += 1
    first = sorted(ranked, key=lambda pair: pair[0])[:count]  # sorting is stable: rows of equal rank stay shuffled
    return tuple(sorted(row for _, row in first))


def _rounded(probabilities: Tensor) -> tuple[float, ...]:
    return tuple(round(probability, 3) for probability in probabilities.tolist())
