"""Head Start's engine: two real trainings side by side. These are its public names, for the page, a notebook or a test."""

from engine.analysis.trained import Answer, Embedding, Trained, nearest, project
from engine.data.dataset import Dataset, from_groups, scan
from engine.data.huggingface import datasets_is_installed, open_set
from engine.data.image import read_image
from engine.data.registry import Task
from engine.device import Machine, gpu_is_lent, this_machine
from engine.download.fetch import Address, obtainable
from engine.download.mirrors import Reachability, home
from engine.errors import DataError, HeadStartError, PlanError, UnavailableError
from engine.events import (
    EVENT_TYPES,
    Evaluated,
    Event,
    Finished,
    PhaseStarted,
    Prepared,
    Progressed,
    RaceFinished,
    RaceStarted,
    Stepped,
    from_row,
    to_row,
)
from engine.export import EXPORT_FILES, Record, can_export, export_file, previews_or_none
from engine.export.gallery.gallery import Gallery, gallery
from engine.export.modules import inline_modules
from engine.export.settings import race_command
from engine.export.templates import content_policy, render_page
from engine.i18n.messages import LANGUAGES, Message, best_language, messages_under, translate
from engine.metrics import wilson_interval
from engine.models.head_check import HeadVerdict, check_head, model_ending
from engine.models.pretrained import Backbone, weights_are_here
from engine.models.stages import Stage, stages
from engine.palette import PAGE_INKS, PALETTE, Ink, palette_css
from engine.plan import EXTRA_RACERS, MAIN_RACERS, RACERS, RANGES, Plan, Racer, Range
from engine.progress import run_to_end
from engine.race.cost import CostEstimator
from engine.race.inputs import RaceInputs, prepare, sample_inputs
from engine.race.previews import class_preview, evaluation_previews
from engine.race.race import Race, run_prepared, run_race
from engine.race.validate import input_size, validate
from engine.recording import Stamp, record, replay
from engine.scoreboard import TARGETS, Curve, Scoreboard, Verdict
from engine.sentences import detail_sentence, fact_sentence, progress_sentence, verdict_sentence
from engine.workspace import Workspace

__version__ = "0.1.0"

__all__ = [
    "EVENT_TYPES",
    "EXPORT_FILES",
    "EXTRA_RACERS",
    "LANGUAGES",
    "MAIN_RACERS",
    "PAGE_INKS",
    "PALETTE",
    "RACERS",
    "RANGES",
    "TARGETS",
    "Address",
    "Answer",
    "Backbone",
    "CostEstimator",
    "Curve",
    "DataError",
    "Dataset",
    "Embedding",
    "Evaluated",
    "Event",
    "Finished",
    "Gallery",
    "HeadStartError",
    "HeadVerdict",
    "Ink",
    "Machine",
    "Message",
    "PhaseStarted",
    "Plan",
    "PlanError",
    "Prepared",
    "Progressed",
    "Race",
    "RaceFinished",
    "RaceInputs",
    "RaceStarted",
    "Racer",
    "Range",
    "Reachability",
    "Record",
    "Scoreboard",
    "Stage",
    "Stamp",
    "Stepped",
    "Task",
    "Trained",
    "UnavailableError",
    "Verdict",
    "Workspace",
    "best_language",
    "can_export",
    "check_head",
    "class_preview",
    "content_policy",
    "datasets_is_installed",
    "detail_sentence",
    "evaluation_previews",
    "export_file",
    "fact_sentence",
    "from_groups",
    "from_row",
    "gallery",
    "gpu_is_lent",
    "home",
    "inline_modules",
    "input_size",
    "messages_under",
    "model_ending",
    "nearest",
    "obtainable",
    "open_set",
    "palette_css",
    "prepare",
    "previews_or_none",
    "progress_sentence",
    "project",
    "race_command",
    "read_image",
    "record",
    "render_page",
    "replay",
    "run_prepared",
    "run_race",
    "run_to_end",
    "sample_inputs",
    "scan",
    "stages",
    "this_machine",
    "to_row",
    "translate",
    "validate",
    "verdict_sentence",
    "weights_are_here",
    "wilson_interval",
]
