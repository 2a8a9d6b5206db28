"""Checks whether a plan can be raced here: its task, its network and the memory it needs."""

from __future__ import annotations

from collections.abc import Sequence

from engine.data.sampling import check_examples
from engine.device import Machine
from engine.errors import PlanError
from engine.models.pretrained import check_weights
from engine.models.stages import Stage, stages
from engine.plan import Plan
from engine.workspace import Workspace

MEMORY_SHARE = 0.7  # of the free memory that a race may take


def validate(plan: Plan, workspace: Workspace, machine: Machine) -> None:
    """Raise PlanError or UnavailableError where this plan cannot be raced here; loads and fetches nothing."""
    task, backbone = workspace.tasks.find(plan.task), workspace.backbones.find(plan.backbone)
    check_examples(task, plan.examples_per_class)
    facts = stages(backbone, len(task.classes), input_size(plan, workspace))
    count = len(facts)
    for racer in plan.racers():
        if racer.trainable_stages > count:
            raise PlanError("refusal.race.stages", n=racer.trainable_stages, network=backbone.title, count=count)
        if racer.name != "pretrained" and racer.pretrained and (racer.trainable_stages or count) == plan.trainable_stages:
            raise PlanError("refusal.race.twin", racer=repr(racer.name))
    needed, free = memory(plan, facts), machine.free_memory()
    if needed > MEMORY_SHARE * free:
        raise PlanError(
            "refusal.race.memory",
            network=backbone.title,
            image_size=input_size(plan, workspace),
            racers=len(plan.racers()),
            need=needed / 1e9,
            free=free / 1e9,
        )
    check_weights(backbone)


def memory(plan: Plan, facts: Sequence[Stage]) -> int:
    """Approximate bytes that the networks of all racers take during training.

    Weights, a copy of the initial weights, gradients, AdamW's two moments, and activations, all fp32.
    """
    total = 0
    for racer in plan.racers():
        learning = facts[-racer.trainable_stages :] if racer.trainable_stages else facts
        total += 8 * sum(stage.parameters for stage in facts) + 12 * sum(stage.parameters for stage in learning)
        total += 4 * plan.batch_size * sum(stage.activations for stage in learning)
    return total


def input_size(plan: Plan, workspace: Workspace) -> int:
    """Side of the input of this plan's networks, in pixels. Raises PlanError for an unknown backbone."""
    return plan.image_size or workspace.backbones.find(plan.backbone).image_size
