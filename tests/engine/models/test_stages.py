"""The stages of a network: their names, shapes and sizes."""

from __future__ import annotations

from engine.models.registry import BackboneRegistry
from engine.models.stages import stages


def test_the_values_that_training_keeps_are_counted() -> None:
    stem, layer1, *_, head = stages(BackboneRegistry().find("resnet10"), 10)
    assert stem.activations == 2 * 64 * 32 * 32 + 64 * 16 * 16  # convolution, BatchNorm and max pool; ReLU works in place
    assert layer1.activations == 4 * 64 * 16 * 16
    assert head.activations == 10


def test_efficientnet_lite0_halves_its_maps_where_a_stage_begins() -> None:
    shapes = {stage.name: stage.shape for stage in stages(BackboneRegistry().find("efficientnet_lite0"), 10)}
    assert shapes == {
        "stem": (16, 49, 49),
        "stage1": (24, 25, 25),
        "stage2": (40, 13, 13),
        "stage3": (112, 7, 7),
        "stage4": (1280,),
        "head": (10,),
    }
