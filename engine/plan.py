"""Everything a race depends on, as one frozen value. Knows no task, no backbone and no machine.

Every range is stated here once, with its reason; the sliders, the terminal and the API read it from here. What depends
on the pictures or the network (how many examples there are, how many stages) is checked where those are known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal, get_args
from urllib.parse import parse_qsl, urlencode

from engine.errors import PlanError
from engine.strings import Line

Budget = Literal["epochs", "seconds"]
Optimizer = Literal["adamw", "sgd", "muon"]
Normalisation = Literal["own", "imagenet", "symmetric", "raw"]
LaneName = Literal["scratch", "transfer", "random", "frozen", "top", "all"]
LANES: tuple[LaneName, ...] = get_args(LaneName)
RIVALS: tuple[LaneName, ...] = LANES[:2]  # in every race; the verdict is between them
EXTRAS: tuple[LaneName, ...] = LANES[2:]  # may join on the same chart
MOST_LANES = 5
TOP_STAGES = 2  # that learn in the lane "top": the head and the one below it


@dataclass(frozen=True)
class Range:
    """What a number may be, the step of its slider, and why it may not be more or less."""

    low: float
    high: float
    step: float
    why: Line


RANGES: Mapping[str, Range] = {
    "examples": Range(2, 5000, 1, Line("range.examples")),
    "learning_stages": Range(1, 64, 1, Line("range.learning_stages")),
    "epochs": Range(1, 500, 1, Line("range.epochs")),
    "seconds": Range(2, 1800, 1, Line("range.seconds")),
    "scratch_rate": Range(0.0, 1.0, 1e-5, Line("range.scratch_rate")),
    "head_rate": Range(1e-5, 1.0, 1e-5, Line("range.head_rate")),
    "backbone_rate": Range(0.0, 1.0, 1e-7, Line("range.backbone_rate")),
    "head_share": Range(0.0, 0.9, 0.05, Line("range.head_share")),
    "depth_factor": Range(0.05, 1.0, 0.05, Line("range.depth_factor")),
    "px": Range(0, 512, 1, Line("range.px")),
    "patches": Range(1, 512, 1, Line("range.patches")),
    "label_noise": Range(0.0, 1.0, 0.05, Line("range.label_noise")),
    "batch_size": Range(4, 128, 4, Line("range.batch_size")),
    "seed": Range(0, 2**31 - 1, 1, Line("range.seed")),
}


@dataclass(frozen=True)
class Lane:
    """One racer's share of a plan. A network that is neither pretrained nor learning is frozen as it was born."""

    name: LaneName
    pretrained: bool
    learning_stages: int  # counted from the head down; 0 = all of them


@dataclass(frozen=True)
class Plan:
    """A race. Raises PlanError, with the range and the reason, where a setting cannot be raced."""

    task: str = "tabletop"
    backbone: str = "resnet10"
    examples: int = 20  # training pictures a class
    learning_stages: int = 3  # of the pretrained racer, counted from the head down: 1 = the head only
    budget: Budget = "epochs"  # what both racers get the same of
    epochs: int = 50
    seconds: float = 30.0  # of a racer's own compute time, evaluation excluded
    scratch_optimizer: Optimizer = "adamw"
    scratch_rate: float = 0.0  # 0 = the architecture's own (zoo.py says which were tuned)
    head_rate: float = 1e-2
    backbone_rate: float = 0.0  # of the last backbone stage; 0 = the network's own
    depth_factor: float = 0.5  # each stage further down learns at this share of the rate above it (discriminative rates)
    head_share: float = 0.3  # of the race: head first, then unfreeze (LP-FT, Kumar et al. 2022)
    batch_size: int = 32
    augmented: bool = True
    px: int = 0  # side of what the networks see; 0 = what the weights were made for
    extra_lanes: tuple[LaneName, ...] = ()  # further racers beside the two
    patches: int = 1  # a side: the pictures are cut into patches x patches, which change places, the same way in all
    inverted: bool = False  # colours as in a negative
    label_noise: float = 0.0  # share of the training labels that are shuffled among themselves
    normalisation: Normalisation = "own"  # "own" = as the weights want it; anything else is what they were not made for
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            wanted = type(field.default)
            if wanted is float and type(value) is int:
                object.__setattr__(self, field.name, float(value))
            elif wanted is tuple:
                object.__setattr__(self, field.name, _read_lanes(field.name, value))
            elif type(value) is not wanted:
                raise PlanError("refusal.plan.kind", name=field.name, value=repr(value), kind=_KINDS[wanted])
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise PlanError("refusal.plan.choice", name=name, value=repr(value), choices=", ".join(choices))
        for name, allowed in RANGES.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and allowed.low <= value <= allowed.high):
                low, high = allowed.low, allowed.high
                raise PlanError("refusal.plan.range", name=name, value=value, low=low, high=high, why=allowed.why)

    def lanes(self) -> tuple[Lane, ...]:
        """The two racers: everything learns in the one from scratch, the top stages in the pretrained one; then extras."""
        every = {
            "scratch": Lane("scratch", False, 0),
            "transfer": Lane("transfer", True, self.learning_stages),
            "random": Lane("random", False, 1),
            "frozen": Lane("frozen", True, 1),
            "top": Lane("top", True, TOP_STAGES),
            "all": Lane("all", True, 0),
        }
        return tuple(every[name] for name in (*RIVALS, *self.extra_lanes))

    def to_json(self) -> str:
        """All settings as a JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that `to_json` wrote. Raises PlanError for anything else."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise PlanError("refusal.plan.json", error=error) from None
        if not isinstance(values, dict):
            raise PlanError("refusal.plan.object")
        return cls.from_mapping(values)

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> Plan:
        """A plan from settings by name; the ones left out are the defaults."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise PlanError("refusal.plan.unknown", name=repr(unknown[0]), names=", ".join(sorted(known)))
        return replace(cls(), **values)  # type: ignore[arg-type]  # __post_init__ checks every type

    def to_query(self) -> str:
        """The settings that differ from the defaults, as the query of a link: `examples=50&seed=3`."""
        default = asdict(Plan())
        changed = {name: value for name, value in asdict(self).items() if value != default[name]}
        return urlencode({name: ",".join(v) if isinstance(v, tuple) else v for name, v in changed.items()})

    @classmethod
    def from_query(cls, query: str) -> Plan:
        """The plan of a link; settings that are not a plan's own are left to others. Raises PlanError."""
        kinds = {field.name: type(field.default) for field in fields(cls)}
        return cls.from_mapping({k: read_setting(k, v, kinds[k]) for k, v in parse_qsl(query) if k in kinds})


_KINDS: Mapping[object, Line] = {kind: Line(f"kind.{kind.__name__}") for kind in (int, float, bool, str, tuple)}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "budget": get_args(Budget),
    "scratch_optimizer": get_args(Optimizer),
    "normalisation": get_args(Normalisation),
}


def _read_lanes(name: str, value: object) -> tuple[LaneName, ...]:
    """Extra lanes in their own order, each once. Raises PlanError."""
    if not isinstance(value, list | tuple) or any(v not in EXTRAS for v in value):
        raise PlanError("refusal.plan.lanes", name=name, value=repr(value), choices=", ".join(EXTRAS))
    chosen = tuple(lane for lane in EXTRAS if lane in value)
    if len(chosen) > MOST_LANES - len(RIVALS):
        raise PlanError("refusal.plan.many_lanes", name=name, n=len(chosen), most=MOST_LANES - len(RIVALS))
    return chosen


def read_setting(name: str, text: str, kind: type) -> object:
    """The value of a setting written as text. Raises PlanError where it is not one of that kind."""
    if kind is bool:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
    elif kind is str:
        return text
    elif kind is tuple:
        return tuple(part for part in text.split(",") if part)
    else:
        try:
            return kind(text)
        except ValueError:
            pass
    raise PlanError("refusal.plan.kind", name=name, value=repr(text), kind=_KINDS[kind])
