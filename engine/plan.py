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

Budget = Literal["epochs", "seconds"]
Optimizer = Literal["adamw", "sgd", "muon"]
LaneName = Literal["scratch", "transfer"]
LANES: tuple[LaneName, ...] = get_args(LaneName)


@dataclass(frozen=True)
class Range:
    """What a number may be, the step of its slider, and why it may not be more or less."""

    low: float
    high: float
    step: float
    why: str


RANGES: Mapping[str, Range] = {
    "examples": Range(2, 5000, 1, "a class needs a few pictures, and a race should end while you watch"),
    "learning_stages": Range(1, 64, 1, "the new head always learns; there are no more stages than the network has"),
    "epochs": Range(1, 500, 1, "one epoch sees every picture once; past 500 nothing moves"),
    "seconds": Range(2, 1800, 1, "below two seconds nothing is learnt; half an hour is the longest race"),
    "scratch_rate": Range(1e-5, 1.0, 1e-5, "0 learns nothing; above 1 the first steps already diverge"),
    "head_rate": Range(1e-5, 1.0, 1e-5, "0 learns nothing; above 1 the first steps already diverge"),
    "backbone_rate": Range(1e-7, 1.0, 1e-7, "a high rate here overwrites what pretraining knew: try it"),
    "head_share": Range(0.0, 0.9, 0.05, "0 unfreezes at once; with more than 0.9 no time is left to fine-tune"),
    "depth_factor": Range(0.05, 1.0, 0.05, "1 gives every unfrozen stage the same rate; near 0 the lower ones stand still"),
    "batch_size": Range(4, 128, 4, "BatchNorm needs a few pictures at a time; larger steps are seldom and stop late"),
    "seed": Range(0, 2**31 - 1, 1, "any whole number that fits in 31 bits"),
}


@dataclass(frozen=True)
class Lane:
    """One racer's share of a plan."""

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
    scratch_rate: float = 4e-3
    head_rate: float = 1e-2
    backbone_rate: float = 1e-3  # of the last backbone stage
    depth_factor: float = 0.5  # each stage further down learns at this share of the rate above it (discriminative rates)
    head_share: float = 0.3  # of the race: head first, then unfreeze (LP-FT, Kumar et al. 2022)
    batch_size: int = 32
    augmented: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            wanted = type(field.default)
            if wanted is float and type(value) is int:
                object.__setattr__(self, field.name, float(value))
            elif type(value) is not wanted:
                raise PlanError(f"{field.name} is {value!r}; it must be {_KINDS[wanted]}")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise PlanError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(choices)}")
        for name, allowed in RANGES.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and allowed.low <= value <= allowed.high):
                raise PlanError(f"{name} is {value:g}; it must be from {allowed.low:g} to {allowed.high:g}: {allowed.why}")

    def lanes(self) -> tuple[Lane, Lane]:
        """The two racers: everything learns in the one from scratch, the top stages in the pretrained one."""
        return Lane("scratch", False, 0), Lane("transfer", True, self.learning_stages)

    def to_json(self) -> str:
        """All settings as a JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that `to_json` wrote. Raises PlanError for anything else."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise PlanError(f"this is not a plan: {error}") from None
        if not isinstance(values, dict):
            raise PlanError("this is not a plan: a JSON object of settings was expected")
        return cls.from_mapping(values)

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> Plan:
        """A plan from settings by name; the ones left out are the defaults."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise PlanError(f"unknown setting {unknown[0]!r}; there are {', '.join(sorted(known))}")
        return replace(cls(), **values)  # type: ignore[arg-type]  # __post_init__ checks every type

    def to_query(self) -> str:
        """The settings that differ from the defaults, as the query of a link: `examples=50&seed=3`."""
        default = asdict(Plan())
        return urlencode({name: value for name, value in asdict(self).items() if value != default[name]})

    @classmethod
    def from_query(cls, query: str) -> Plan:
        """The plan of a link; settings that are not a plan's own are left to others. Raises PlanError."""
        kinds = {field.name: type(field.default) for field in fields(cls)}
        return cls.from_mapping({k: read_setting(k, v, kinds[k]) for k, v in parse_qsl(query) if k in kinds})


_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a name"}
_CHOICES: Mapping[str, tuple[str, ...]] = {"budget": get_args(Budget), "scratch_optimizer": get_args(Optimizer)}


def read_setting(name: str, text: str, kind: type) -> object:
    """The value of a setting written as text. Raises PlanError where it is not one of that kind."""
    if kind is bool:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
    elif kind is str:
        return text
    else:
        try:
            return kind(text)
        except ValueError:
            pass
    raise PlanError(f"{name} is {text!r}; it must be {_KINDS[kind]}")
