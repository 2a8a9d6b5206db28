"""The settings of a race, as one frozen value.

Every range is stated here once, with its reason; the sliders, the terminal and the API read it from here. What depends
on the pictures or the network (how many examples there are, how many stages) is checked in `race/validate.py`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal, get_args
from urllib.parse import parse_qsl, urlencode

from engine.errors import PlanError
from engine.i18n.messages import Message
from engine.jsontext import JsonError, parse_json

Budget = Literal["epochs", "seconds"]
Normalisation = Literal["own", "imagenet", "symmetric", "raw"]
RacerName = Literal["scratch", "pretrained", "random", "frozen", "top", "all"]
RACERS: tuple[RacerName, ...] = get_args(RacerName)
MAIN_RACERS: tuple[RacerName, ...] = RACERS[:2]  # in every race; the verdict is between them
EXTRA_RACERS: tuple[RacerName, ...] = RACERS[2:]  # may join on the same chart
MAX_RACERS = 5
SHOWN = 100  # characters of an invalid value in an error; a link may hold thousands
TOP_STAGES = 2  # trained in the racer "top": the head and the stage below it


@dataclass(frozen=True)
class Range:
    """The range of a number (both ends allowed), the step of its slider, and the reason for the range."""

    low: float
    high: float
    step: float
    reason: Message


RANGES: Mapping[str, Range] = {
    "examples_per_class": Range(2, 5000, 1, Message("range.examples_per_class")),
    "trainable_stages": Range(1, 64, 1, Message("range.trainable_stages")),
    "epochs": Range(1, 500, 1, Message("range.epochs")),
    "seconds": Range(2, 1800, 1, Message("range.seconds")),
    "scratch_lr": Range(0.0, 1.0, 1e-5, Message("range.scratch_lr")),
    "head_lr": Range(1e-5, 1.0, 1e-5, Message("range.head_lr")),
    "backbone_lr": Range(0.0, 1.0, 1e-7, Message("range.backbone_lr")),
    "head_only_fraction": Range(0.0, 0.9, 0.05, Message("range.head_only_fraction")),
    "layer_decay": Range(0.05, 1.0, 0.05, Message("range.layer_decay")),
    "image_size": Range(0, 512, 1, Message("range.image_size")),
    "shuffle_grid": Range(1, 512, 1, Message("range.shuffle_grid")),
    "label_noise": Range(0.0, 1.0, 0.05, Message("range.label_noise")),
    "batch_size": Range(4, 128, 4, Message("range.batch_size")),
    "seed": Range(0, 2**31 - 1, 1, Message("range.seed")),
}


@dataclass(frozen=True)
class Racer:
    """One racer of a plan. Stages that are neither pretrained nor trained keep their random initialisation."""

    name: RacerName
    pretrained: bool
    trainable_stages: int  # counted from the head down; 0 = all of them


@dataclass(frozen=True)
class Plan:
    """The settings of a race. Raises PlanError, with the range and the reason, where one is out of range."""

    task: str = "tabletop"
    backbone: str = "resnet10"
    examples_per_class: int = 20  # training pictures per class
    trainable_stages: int = 3  # of the pretrained racer, counted from the head down: 1 = the head only
    budget: Budget = "epochs"  # what is equal for all racers
    epochs: int = 50
    seconds: float = 30.0  # of a racer's own compute time, evaluation excluded
    scratch_lr: float = 0.0  # 0 = the architecture's default (architectures.py says which were tuned)
    head_lr: float = 1e-2
    backbone_lr: float = 0.0  # of the last backbone stage; 0 = the architecture's default
    layer_decay: float = 0.5  # learning rate of a stage, relative to the stage above it (discriminative learning rates)
    head_only_fraction: float = 0.3  # of the race: the head alone, before the stages below (LP-FT, Kumar et al. 2022)
    batch_size: int = 32
    augment: bool = True
    image_size: int = 0  # side of the networks' input in pixels; 0 = that of the pretrained weights
    extra_racers: tuple[RacerName, ...] = ()  # in addition to the two main racers
    shuffle_grid: int = 1  # n: n x n patches of every picture are permuted, in the same way in all; 1 = not shuffled
    invert_colors: bool = False
    label_noise: float = 0.0  # fraction of the training labels that are shuffled among themselves
    normalisation: Normalisation = "own"  # "own" = that of the pretrained weights; any other one does not match them
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            expected = type(field.default)
            if expected is tuple:
                object.__setattr__(self, field.name, _read_racers(field.name, value))
            elif type(value) is not expected and (type(value), expected) != (int, float):
                raise PlanError("refusal.plan.type", name=field.name, value=_shown(value), type=_TYPE_NAMES[expected])
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise PlanError("refusal.plan.choice", name=name, value=_shown(value), choices=", ".join(choices))
        for name, allowed in RANGES.items():
            value = getattr(self, name)
            if not allowed.low <= value <= allowed.high:  # NaN is in no range
                low, high = allowed.low, allowed.high
                raise PlanError(
                    "refusal.plan.range", name=name, value=_number(value), low=low, high=high, why=allowed.reason
                )
            if type(getattr(Plan, name)) is float:
                object.__setattr__(self, name, float(value))  # after the check: an int may be larger than any float

    def racers(self) -> tuple[Racer, ...]:
        """The main racers (scratch: all stages are trained; pretrained: the top ones), then the extra racers."""
        by_name = {
            "scratch": Racer("scratch", False, 0),
            "pretrained": Racer("pretrained", True, self.trainable_stages),
            "random": Racer("random", False, 1),
            "frozen": Racer("frozen", True, 1),
            "top": Racer("top", True, TOP_STAGES),
            "all": Racer("all", True, 0),
        }
        return tuple(by_name[name] for name in (*MAIN_RACERS, *self.extra_racers))

    def to_json(self) -> str:
        """All settings as a JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that `to_json` wrote. Raises PlanError for anything else."""
        try:
            values = parse_json(text)
        except JsonError as error:
            raise PlanError("refusal.plan.json", error=error.reason) from None
        if not isinstance(values, dict):
            raise PlanError("refusal.plan.object")
        return cls.from_mapping(values)

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> Plan:
        """A plan from settings by name; the ones left out have their defaults. Raises PlanError."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise PlanError("refusal.plan.unknown", name=_shown(unknown[0]), names=", ".join(sorted(known)))
        return replace(cls(), **values)  # type: ignore[arg-type]  # __post_init__ checks every type

    def to_query(self) -> str:
        """The settings that differ from the defaults, as the query of a link: `examples_per_class=50&seed=3`."""
        default = asdict(Plan())
        changed = {name: value for name, value in asdict(self).items() if value != default[name]}
        return urlencode({name: ",".join(v) if isinstance(v, tuple) else v for name, v in changed.items()})

    @classmethod
    def from_query(cls, query: str) -> Plan:
        """The plan of a link; parameters that are not settings of a plan are ignored. Raises PlanError."""
        types = {field.name: type(field.default) for field in fields(cls)}
        return cls.from_mapping({k: read_setting(k, v, types[k]) for k, v in parse_qsl(query) if k in types})


_TYPE_NAMES: Mapping[object, Message] = {t: Message(f"type.{t.__name__}") for t in (int, float, bool, str, tuple)}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "budget": get_args(Budget),
    "normalisation": get_args(Normalisation),
}


def _read_racers(name: str, value: object) -> tuple[RacerName, ...]:
    """Extra racers in the order of EXTRA_RACERS, each once. Raises PlanError."""
    if not isinstance(value, list | tuple) or any(v not in EXTRA_RACERS for v in value):
        raise PlanError("refusal.plan.racers", name=name, value=_shown(value), choices=", ".join(EXTRA_RACERS))
    chosen = tuple(racer for racer in EXTRA_RACERS if racer in value)
    if len(chosen) > MAX_RACERS - len(MAIN_RACERS):
        raise PlanError("refusal.plan.many_racers", name=name, n=len(chosen), most=MAX_RACERS - len(MAIN_RACERS))
    return chosen


def read_setting(name: str, text: str, setting_type: type) -> object:
    """The value of a setting written as text. Raises PlanError where the text is no value of that type."""
    if setting_type is bool:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
    elif setting_type is str:
        return text
    elif setting_type is tuple:
        return tuple(part for part in text.split(",") if part)
    else:
        try:
            return setting_type(text)
        except ValueError:
            pass
    raise PlanError("refusal.plan.type", name=name, value=_shown(text), type=_TYPE_NAMES[setting_type])


def _number(value: float) -> str:
    """A number as an error shows it: six digits, or its power of ten where it is larger than any float."""
    try:
        return f"{value:g}"
    except OverflowError:
        return f"{'-' * (value < 0)}1e+{math.floor(math.log10(abs(value)))}"


def _shown(value: object) -> str:
    """A value as an error shows it: the first SHOWN characters of its repr, or its type where repr fails."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # thousands of digits, or deeply nested lists
        text = f"<{type(value).__name__}>"
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
