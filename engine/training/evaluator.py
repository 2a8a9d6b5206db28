"""Evaluation of one racer on the held-out pictures while it trains, and the clock that leaves evaluation out."""

from __future__ import annotations

from collections import Counter, deque
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

EVALUATION_SHARE = 0.11  # planned share of a racer's time; with the first and the last point it stays below 0.15
BACKWARD_FACTOR = 3  # a training step costs about as much as three forward passes of the same pictures
FULL_SHARE = 0.65  # of that for full evaluations, the rest for rolling estimates
MOST_POINTS = 600  # evaluations of a racer that are reported; a chart cannot show more
SHOWN = 10  # held-out pictures whose predictions are reported at every full evaluation
WEIGHT_PROBES = 12  # probes of a network's weights during a race; its filters take a few thousand bytes each time
ROLLING_BATCH = 10  # held-out pictures that one step of a rolling estimate adds


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
    """Evaluates a racer: on all held-out pictures at times, and by a rolling estimate in between.

    When it evaluates depends on counts, never on a clock, so that a seed has one curve. A forward pass is taken as a third
    of a training step for the same pictures; every trained picture earns an allowance, so that evaluation stays within
    its share of the racer's time. A head alone on cached features is evaluated fully after every epoch, which costs next
    to nothing.

    rolling_minimum: least number of predictions in a rolling estimate; rolling_window: largest number, the latest ones
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
        rolling_minimum: int = 60,
        rolling_window: int = 200,
    ):
        self._racer, self._data, self._preprocessing = racer, data, preprocessing
        self._machine, self._epoch_steps = machine, epoch_steps
        self._clock = Stopwatch(now)
        self._order = torch.randperm(len(data.heldout), generator=generator(seed, 6))
        self._shown = torch.tensor(choose_preview_rows(data.heldout_labels, seed), dtype=torch.long)
        self._rolling_minimum = rolling_minimum
        self._recent: deque[bool] = deque(maxlen=rolling_window)
        self._next, self._for_full, self._for_rolling, self._reported, self._probed = 0, 0.0, 0.0, 0.0, -1.0
        self._predicted, self._confidence = torch.empty(0, dtype=torch.long), torch.empty(0)  # (held-out,), latest full one
        self.pictures_seen = 0  # trained on so far, counting repeats

    def watch(self, model: nn.Sequential) -> None:
        """Remember these weights as the ones the racer starts with."""
        self._weight_probe = WeightProbe(model)

    def set_inputs(self, learning: nn.Sequential, inputs: FreshInputs | CachedInputs) -> None:
        """Evaluate these stages on these inputs from now on."""
        self._learning, self._inputs = learning, inputs
        self._is_cheap = len(learning) == 1 and isinstance(inputs, CachedInputs)

    def around(self, work: Iterator[None]) -> Iterator[None]:
        """Count this work as evaluation."""
        return self._clock.around(work)

    def trained_on(self, pictures: int) -> None:
        """Count pictures that were trained on."""
        self.pictures_seen += pictures
        if not self._is_cheap:
            earned = pictures * BACKWARD_FACTOR * EVALUATION_SHARE / (1 - EVALUATION_SHARE)
            self._for_full += earned * FULL_SHARE
            self._for_rolling += earned * (1 - FULL_SHARE)

    def evaluate_after_step(self, step: int, seconds: float, progress: float, is_end: bool) -> Iterator[Event | None]:
        """The evaluation that is due after a step: on all held-out pictures, on a few, or none."""
        total, is_epoch_end = len(self._data.heldout), step % self._epoch_steps == 0
        if is_end or (self._is_cheap and is_epoch_end and progress >= self._reported + 2 / MOST_POINTS):
            self._reported = progress
            yield from self.evaluate_full(step, seconds, progress)
        elif is_epoch_end and self._for_full >= total:
            self._for_full -= total
            yield from self.evaluate_full(step, seconds, progress)
        elif self._for_rolling >= ROLLING_BATCH:
            yield from self.evaluate_subset(step, seconds, progress)

    def evaluate_full(self, step: int, seconds: float, progress: float) -> Iterator[Event | None]:
        """Evaluate all held-out pictures; also reports the predictions on the pictures shown, and probes the weights."""
        total, predicted, confidences = len(self._data.heldout), [], []
        size = total if self._is_cheap else chunk(self._preprocessing.image_size)
        for first in range(0, total, size):
            classes, confidence = self._predict(slice(first, first + size))
            predicted.append(classes)
            confidences.append(confidence)
            yield None
        self._predicted, self._confidence = torch.cat(predicted), torch.cat(confidences)
        yield self._evaluated(step, seconds, int(self._is_correct().sum()), total, True)
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

    def evaluate_subset(self, step: int, seconds: float, progress: float) -> Iterator[Event]:
        """Evaluate the next few held-out pictures; reports the accuracy of the latest predictions."""
        rows = self._order[torch.arange(self._next, self._next + ROLLING_BATCH) % len(self._order)]
        self._next += ROLLING_BATCH
        self._for_rolling -= ROLLING_BATCH
        self._recent.extend((self._predict(rows)[0] == self._data.heldout_labels.cpu()[rows]).tolist())
        if len(self._recent) >= self._rolling_minimum and progress >= self._reported + 1 / MOST_POINTS:
            self._reported = progress
            yield self._evaluated(step, seconds, sum(self._recent), len(self._recent), False)

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

    def _evaluated(self, step: int, seconds: float, correct: int, total: int, is_exact: bool) -> Evaluated:
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
    """The rows of the SHOWN held-out pictures whose predictions are reported during a race, spread over the classes.

    labels: (N,) int64
    """
    counts: Counter[int] = Counter()  # rows so far, by class
    ranked = []  # (rank within the class, row)
    for row in torch.randperm(len(labels), generator=generator(seed, 10)).tolist():
        label = int(labels[row])
        ranked.append((counts[label], row))
        counts[label] += 1
    first = sorted(ranked, key=lambda pair: pair[0])[:SHOWN]  # sorting is stable: rows of equal rank stay shuffled
    return tuple(sorted(row for _, row in first))


def _rounded(probabilities: Tensor) -> tuple[float, ...]:
    return tuple(round(probability, 3) for probability in probabilities.tolist())
