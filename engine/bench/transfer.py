"""Measures what pretraining gains on given pictures: scratch, frozen, fine-tuned, and scikit-learn on the frozen features.

`python -m engine bench transfer --pictures A.zip B.zip --weights mobilenet_v2=FILE …` writes one JSON line per race, so that
an interrupted run resumes, and prints the table.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from engine.data import dataset
from engine.device import Machine, this_machine
from engine.errors import DataError, UnavailableError
from engine.events import Finished
from engine.i18n.messages import Message
from engine.models import freezing, pretrained
from engine.models.registry import BackboneRegistry
from engine.plan import Plan
from engine.progress import run_to_end
from engine.race.inputs import sample_inputs
from engine.race.race import run_race
from engine.race.validate import input_size
from engine.training.features import CachedInputs
from engine.workspace import Workspace

EXAMPLES = (5, 20, 50)


@dataclass(frozen=True)
class Row:
    """The result of one race and of logistic regression on its frozen features. Its fields are the JSON keys."""

    task: str
    network: str
    image_size: int
    examples_per_class: int
    seed: int
    epochs: int
    heldout: int  # all held-out pictures; the next four count the correct ones
    scratch: int
    frozen: int
    tuned: int
    logistic: int
    seconds: float


def measure(plan: Plan, workspace: Workspace, machine: Machine) -> Row:
    """Race scratch, fine-tuned and frozen, then fit scikit-learn's logistic regression.

    Raises UnavailableError without scikit-learn, and DataError if a racer did not finish.
    """
    began = time.monotonic()
    racers = replace(plan, extra_racers=("frozen",))
    ends = {event.racer: event for event in run_race(racers, workspace, machine) if isinstance(event, Finished)}
    for end in ends.values():
        if end.reason != "done":
            raise DataError(
                "refusal.terminal.bench",
                task=plan.task,
                network=plan.backbone,
                examples_per_class=plan.examples_per_class,
                seed=plan.seed,
                racer=end.racer,
                reason=end.reason,
                why=end.message or Message("refusal.terminal.wordless"),
            )
    total = max(end.total for end in ends.values())
    logistic_correct = logistic(plan, workspace, machine.shared_by(3))
    return Row(
        task=plan.task,
        network=plan.backbone,
        image_size=input_size(plan, workspace),
        examples_per_class=plan.examples_per_class,
        seed=plan.seed,
        epochs=plan.epochs,
        heldout=total,
        scratch=ends["scratch"].correct,
        frozen=ends["frozen"].correct,
        tuned=ends["pretrained"].correct,
        logistic=logistic_correct,
        seconds=time.monotonic() - began,
    )


def logistic(plan: Plan, workspace: Workspace, machine: Machine) -> int:
    """Count the correct held-out pictures of logistic regression (scikit-learn's defaults) on a frozen racer's features.

    It is fitted on all cached views of every training picture. Raises UnavailableError without scikit-learn.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise UnavailableError("refusal.terminal.sklearn") from None
    inputs = run_to_end(sample_inputs(plan, workspace))
    data = inputs.data.to(machine.device)
    model = pretrained.build(inputs.backbone, len(data.classes), plan.seed, pretrained=True).to(machine.device)
    frozen, _ = freezing.split(model, 1)
    freezing.freeze(frozen)
    features = CachedInputs(frozen, data, inputs.preprocessing, plan.augment, plan.seed, machine)
    list(features.prepare())
    list(features.prepare_heldout())
    views, heldout = features.views.float().cpu(), features.heldout(slice(None)).float().cpu()
    labels = data.training_labels.cpu().repeat(len(views))
    classifier = LogisticRegression(max_iter=5000).fit(views.flatten(0, 1).numpy(), labels.numpy())
    return int((torch.from_numpy(classifier.predict(heldout.numpy())) == data.heldout_labels.cpu()).sum())


def plans(names: Sequence[str], networks: Iterable[str], seeds: int, epochs: int, workspace: Workspace) -> Iterator[Plan]:
    """A plan for every network, picture set, number of pictures per class that the set has, and seed."""
    for network in networks:
        for name in names:
            for examples_per_class in EXAMPLES:
                for seed in range(seeds):
                    if examples_per_class <= workspace.tasks.find(name).training:
                        yield Plan(
                            task=name, backbone=network, examples_per_class=examples_per_class, seed=seed, epochs=epochs
                        )


def table(rows: Sequence[Row], backbones: BackboneRegistry) -> str:
    """Mean accuracy over seeds ± standard deviation, as Markdown."""

    def accuracy(group: Sequence[Row], field: str) -> str:
        values = [getattr(row, field) / row.heldout for row in group]
        return f"{statistics.fmean(values):.1%} ± {statistics.stdev(values) if len(values) > 1 else 0:.1%}"

    lines = [
        "| pictures | network | a class | held out | from scratch | frozen | logistic regression | fine-tuned | seeds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, str, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.task, row.network, row.examples_per_class), []).append(row)
    for (task, network, examples_per_class), group in groups.items():
        texts = " | ".join(accuracy(group, field) for field in ("scratch", "frozen", "logistic", "tuned"))
        title = f"{backbones.find(network).title}, {group[0].image_size} px" if network in backbones.names() else network
        lines.append(f"| {task} | {title} | {examples_per_class} | {group[0].heldout} | {texts} | {len(group)} |")
    return "\n".join(lines)


def _read(path: Path) -> list[Row]:
    """The rows of an interrupted run. Raises DataError for a file of something else, or of another version."""
    try:
        return [Row(**json.loads(line)) for line in path.read_text().splitlines()]
    except (TypeError, ValueError):
        raise DataError("refusal.bench.rows", path=path) from None


def main(workspace: Workspace, pictures: Sequence[Path], weights: Sequence[str], seeds: int, epochs: int, out: Path) -> int:
    """Measure the races that `out` does not contain yet, a line each, then print the table.

    weights: ARCHITECTURE=FILE, =FILE:px or =FILE:px:symmetric. Raises PlanError, DataError or UnavailableError.
    """
    networks = ["resnet10", *map(workspace.backbones.add_text, weights)]
    names = [workspace.tasks.add(path.name, run_to_end(dataset.scan(path, path.stem))) for path in pictures]
    rows = _read(out) if out.exists() else []
    done = {(row.task, row.network, row.image_size, row.examples_per_class, row.seed, row.epochs) for row in rows}
    machine = this_machine()
    remaining = [
        p
        for p in plans(names, networks, seeds, epochs, workspace)
        if (p.task, p.backbone, input_size(p, workspace), p.examples_per_class, p.seed, p.epochs) not in done
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a") as file:
        for number, plan in enumerate(remaining, 1):
            row = measure(plan, workspace, machine)
            rows.append(row)
            print(json.dumps(asdict(row)), file=file, flush=True)
            print(f"{number}/{len(remaining)}  {row}", flush=True)
    print(table(rows, workspace.backbones))
    return 0
