"""Head Start's engine: two real trainings side by side. This is its front door: what a page, a notebook or a test uses."""

from engine.album import Album, from_groups, survey
from engine.backbones import Backbone, Stage, stages
from engine.backbones import add as add_backbone
from engine.backbones import add_text as add_backbone_text
from engine.backbones import find as find_backbone
from engine.backbones import is_here as weights_are_here
from engine.backbones import names as backbone_names
from engine.cost import Prober
from engine.device import Machine, this_machine
from engine.device import borrow as borrow_gpu
from engine.device import forgo as forgo_gpu
from engine.device import is_lent as gpu_is_lent
from engine.embedded import sheets as load_embedded
from engine.errors import DataError, HeadStartError, PlanError, UnavailableError
from engine.events import KINDS as EVENTS
from engine.events import (
    Evaluated,
    Event,
    Finished,
    PhaseStarted,
    Prepared,
    Progressed,
    RaceFinished,
    RaceStarted,
    Stepped,
    finish,
    from_row,
    to_row,
)
from engine.export import KINDS as FILES
from engine.export import Record, can_take, look_at, take
from engine.export.gallery import Gallery, gallery
from engine.export.settings import command as race_command
from engine.fetch import Address, home, obtainable
from engine.headswap import HeadVerdict
from engine.headswap import check as check_head
from engine.headswap import ending as model_ending
from engine.huggingface import is_installed as hub_is_installed
from engine.huggingface import open_set
from engine.metrics import wilson
from engine.pictures import read as read_picture
from engine.plan import EXTRAS, LANES, RANGES, RIVALS, Lane, Plan, Range
from engine.race import Race, cells, check, draw, prepare, run_race, side, strip
from engine.recording import Stamp, record, replay
from engine.scoreboard import TARGETS, Curve, Scoreboard, Verdict
from engine.strings import LANGUAGES, Line, best_language, said, say
from engine.tasks import Task
from engine.tasks import add as add_task
from engine.tasks import find as find_task
from engine.tasks import names as task_names
from engine.tasks import remove as remove_task
from engine.tasks import source as task_source
from engine.telling import detail as say_detail
from engine.telling import fact as say_fact
from engine.telling import network as say_network
from engine.telling import progress as say_progress
from engine.telling import verdict as say_verdict
from engine.trained import Answer, Embedding, Trained, nearest, project
from engine.trained import methods as map_methods

__all__ = [
    "EVENTS",
    "EXTRAS",
    "FILES",
    "LANES",
    "LANGUAGES",
    "RANGES",
    "RIVALS",
    "TARGETS",
    "Address",
    "Album",
    "Answer",
    "Backbone",
    "Curve",
    "DataError",
    "Embedding",
    "Evaluated",
    "Event",
    "Finished",
    "Gallery",
    "HeadStartError",
    "HeadVerdict",
    "Lane",
    "Line",
    "Machine",
    "PhaseStarted",
    "Plan",
    "PlanError",
    "Prepared",
    "Prober",
    "Progressed",
    "Race",
    "RaceFinished",
    "RaceStarted",
    "Range",
    "Record",
    "Scoreboard",
    "Stage",
    "Stamp",
    "Stepped",
    "Task",
    "Trained",
    "UnavailableError",
    "Verdict",
    "add_backbone",
    "add_backbone_text",
    "add_task",
    "backbone_names",
    "best_language",
    "borrow_gpu",
    "can_take",
    "cells",
    "check",
    "check_head",
    "draw",
    "find_backbone",
    "find_task",
    "finish",
    "forgo_gpu",
    "from_groups",
    "from_row",
    "gallery",
    "gpu_is_lent",
    "home",
    "hub_is_installed",
    "load_embedded",
    "look_at",
    "map_methods",
    "model_ending",
    "nearest",
    "obtainable",
    "open_set",
    "prepare",
    "project",
    "race_command",
    "read_picture",
    "record",
    "remove_task",
    "replay",
    "run_race",
    "said",
    "say",
    "say_detail",
    "say_fact",
    "say_network",
    "say_progress",
    "say_verdict",
    "side",
    "stages",
    "strip",
    "survey",
    "take",
    "task_names",
    "task_source",
    "this_machine",
    "to_row",
    "weights_are_here",
    "wilson",
]
