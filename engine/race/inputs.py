"""The inputs of a race: its backbone, its pictures and their preprocessing."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from engine.data import corruptions
from engine.data.preprocessing import Preprocessing
from engine.data.sampling import RaceData, sample_data
from engine.events import Progressed
from engine.models.pretrained import Backbone, fetch_weights
from engine.plan import Plan
from engine.race.validate import input_size
from engine.workspace import Workspace


@dataclass(frozen=True)
class RaceInputs:
    """The inputs of a race. They can be pickled, so that the race may run in another process."""

    backbone: Backbone
    data: RaceData
    preprocessing: Preprocessing


def sample_inputs(plan: Plan, workspace: Workspace) -> Generator[Progressed, None, RaceInputs]:
    """Sample the pictures of this race and their preprocessing; yields the progress of fetching and decoding.

    Raises PlanError, UnavailableError or DataError.
    """
    backbone, image_size = workspace.backbones.find(plan.backbone), input_size(plan, workspace)
    data = yield from sample_data(workspace.tasks, plan.task, plan.examples_per_class, plan.seed, image_size)
    preprocessing = corruptions.preprocessing(plan, image_size, (backbone.mean, backbone.std))
    return RaceInputs(backbone, corruptions.corrupt(plan, data), preprocessing)


def prepare(plan: Plan, workspace: Workspace) -> Generator[Progressed, None, RaceInputs]:
    """Fetch the weights, then sample the pictures; yields the progress. Raises PlanError, UnavailableError or DataError."""
    yield from fetch_weights(workspace.backbones.find(plan.backbone))
    return (yield from sample_inputs(plan, workspace))
