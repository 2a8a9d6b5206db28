"""Head Start's engine: two real trainings side by side. This is its front door: what a page, a notebook or a test uses."""

from engine.backbones import Backbone, Stage, stages
from engine.backbones import find as find_backbone
from engine.device import Machine, this_machine
from engine.errors import DataError, HeadStartError, PlanError, UnavailableError
from engine.events import (
    Evaluated,
    Event,
    Finished,
    PhaseStarted,
    Prepared,
    RaceFinished,
    RaceStarted,
    Stepped,
    from_row,
    to_row,
)
from engine.metrics import wilson
from engine.plan import LANES, RANGES, Lane, Plan, Range
from engine.race import Race, check, run_race
from engine.recording import Stamp, record, replay
from engine.scoreboard import TARGETS, Curve, Scoreboard, Verdict
from engine.tasks import Task, strip
from engine.tasks import find as find_task
from engine.tasks import load as load_pictures
from engine.tasks import names as task_names

__all__ = [
    "LANES",
    "RANGES",
    "TARGETS",
    "Backbone",
    "Curve",
    "DataError",
    "Evaluated",
    "Event",
    "Finished",
    "HeadStartError",
    "Lane",
    "Machine",
    "PhaseStarted",
    "Plan",
    "PlanError",
    "Prepared",
    "Race",
    "RaceFinished",
    "RaceStarted",
    "Range",
    "Scoreboard",
    "Stage",
    "Stamp",
    "Stepped",
    "Task",
    "UnavailableError",
    "Verdict",
    "check",
    "find_backbone",
    "find_task",
    "from_row",
    "load_pictures",
    "record",
    "replay",
    "run_race",
    "stages",
    "strip",
    "task_names",
    "this_machine",
    "to_row",
    "wilson",
]
