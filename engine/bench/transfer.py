"""What pretraining buys on pictures of one's own: scratch, frozen and fine-tuned, beside scikit-learn on the same features.

`python -m engine bench transfer --pictures A.zip B.zip --weights mobilenet_v2=FILE …` writes one JSON line a race, so that
an interrupted run goes on, and prints the table. Knows no page.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from engine import album, backbones, freezing, race, tasks
from engine.device import Machine, this_machine
from engine.errors import DataError, UnavailableError
from engine.events import Finished, finish
from engine.plan import Plan
from engine.race import run_race
from engine.strings import Line

EXAMPLES = (5, 20, 50)


@dataclass(frozen=True)
class Row:
    """One race's end, and the linear classifier on its frozen features: held-out pictures named right, of all."""

    task: str
    network: str
    px: int
    examples: int
    seed: int
    epochs: int
    heldout: int
    scratch: int
    frozen: int
    tuned: int
    logistic: int
    seconds: float


def measure(plan: Plan) -> Row:
    """Race scratch, fine-tuned and frozen, then fit scikit-learn's logistic regression.

    Raises UnavailableError, or DataError where a racer did not reach its end.
    """
    began = time.monotonic()
    lanes = replace(plan, extra_lanes=("frozen",))
    ends = {event.lane: event for event in run_race(lanes) if isinstance(event, Finished)}
    for end in ends.values():
        if end.reason != "done":
            raise DataError(
                "refusal.terminal.bench",
                task=plan.task,
                network=plan.backbone,
                examples=plan.examples,
                seed=plan.seed,
                lane=end.lane,
                reason=end.reason,
                why=end.message or Line("refusal.terminal.wordless"),
            )
    total = max(end.total for end in ends.values())
    named = logistic(plan, this_machine().shared_by(3))
    return Row(
        task=plan.task,
        network=plan.backbone,
        px=race.side(plan),
        examples=plan.examples,
        seed=plan.seed,
        epochs=plan.epochs,
        heldout=total,
        scratch=ends["scratch"].correct,
        frozen=ends["frozen"].correct,
        tuned=ends["transfer"].correct,
        logistic=named,
        seconds=time.monotonic() - began,
    )


def logistic(plan: Plan, machine: Machine) -> int:
    """Held-out pictures that logistic regression (scikit-learn's defaults) names right on the features of a frozen racer.

    Both views of every training picture, as the racer has them. Raises UnavailableError without scikit-learn.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise UnavailableError("refusal.terminal.sklearn") from None
    drawn = finish(race.draw(plan)).to(machine.device)
    model = backbones.build(plan.backbone, len(drawn.classes), plan.seed, pretrained=True).to(machine.device)
    frozen, _ = freezing.split(model, 1)
    freezing.freeze(frozen)
    inputs = freezing.CachedInputs(frozen, drawn, plan.augmented, plan.seed, machine)
    list(inputs.prepare())
    list(inputs.prepare_heldout())
    views, held = inputs.views.float().cpu(), inputs.heldout(slice(None)).float().cpu()
    labels = drawn.training_labels.cpu().repeat(len(views))
    fitted = LogisticRegression(max_iter=5000).fit(views.flatten(0, 1).numpy(), labels.numpy())
    return int((torch.from_numpy(fitted.predict(held.numpy())) == drawn.heldout_labels.cpu()).sum())


def plans(names: Sequence[str], networks: Iterable[str], seeds: int, epochs: int) -> Iterator[Plan]:
    """Every set, network, number of pictures that the set has, and seed."""
    for network in networks:
        for name in names:
            for examples in EXAMPLES:
                for seed in range(seeds):
                    if examples <= tasks.find(name).training:
                        yield Plan(task=name, backbone=network, examples=examples, seed=seed, epochs=epochs)


def table(rows: Sequence[Row]) -> str:
    """Means over seeds ± standard deviation, as Markdown."""

    def share(some: Sequence[Row], field: str) -> str:
        values = [getattr(row, field) / row.heldout for row in some]
        return f"{statistics.fmean(values):.1%} ± {statistics.stdev(values) if len(values) > 1 else 0:.1%}"

    lines = [
        "| pictures | network | a class | held out | from scratch | frozen | logistic regression | fine-tuned | seeds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, str, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.task, row.network, row.examples), []).append(row)
    for (task, network, examples), some in groups.items():
        cells = [share(some, field) for field in ("scratch", "frozen", "logistic", "tuned")]
        title = f"{backbones.find(network).title}, {some[0].px} px" if network in backbones.names() else network
        lines.append(f"| {task} | {title} | {examples} | {some[0].heldout} | {' | '.join(cells)} | {len(some)} |")
    return "\n".join(lines)


def main(pictures: Sequence[Path], weights: Sequence[str], seeds: int, epochs: int, out: Path) -> int:
    """Measure what `out` does not hold yet, a line a race, then print the table.

    weights: ARCHITECTURE=FILE, =FILE:px or =FILE:px:symmetric. Raises PlanError, DataError or UnavailableError.
    """
    networks = ["resnet10", *map(backbones.add_text, weights)]
    names = [tasks.add(path.name, finish(album.survey(path, path.stem))) for path in pictures]
    rows = [Row(**json.loads(line)) for line in out.read_text().splitlines()] if out.exists() else []
    done = {(row.task, row.network, row.px, row.examples, row.seed, row.epochs) for row in rows}
    every = plans(names, networks, seeds, epochs)
    left = [p for p in every if (p.task, p.backbone, race.side(p), p.examples, p.seed, p.epochs) not in done]
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("a") as file:
        for number, plan in enumerate(left, 1):
            row = measure(plan)
            rows.append(row)
            print(json.dumps(asdict(row)), file=file, flush=True)
            print(f"{number}/{len(left)}  {row}", flush=True)
    print(table(rows))
    return 0
