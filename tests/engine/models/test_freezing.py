"""What is frozen does not change; BatchNorm, dropout and the head start as each racer needs them."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.data import augmentation
from engine.models import freezing, pretrained
from engine.models.architectures import ARCHITECTURES
from engine.race.inputs import RaceInputs
from engine.training.features import FreshInputs
from engine.workspace import Workspace
from tests.conftest import CPU, checkpoint
from tests.helpers.training import network, steps


def state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in module.state_dict().items()}


@pytest.mark.parametrize("trainable_stages", [1, 2, 4])
def test_frozen_stages_do_not_move_batchnorm_included(drawn: RaceInputs, trainable_stages: int) -> None:
    model = network(drawn)
    frozen, learning = freezing.split(model, trainable_stages)
    freezing.freeze(frozen)
    before, head_before = state(frozen), state(learning)
    inputs = FreshInputs(frozen, drawn.data, drawn.preprocessing, True, 0, CPU)
    steps(model, trainable_stages, inputs, drawn.data)
    for name, value in state(frozen).items():
        assert torch.equal(value, before[name]), name
    assert any(not torch.equal(v, head_before[k]) for k, v in state(learning).items())


def test_batchnorm_of_a_pretrained_network_keeps_its_statistics_while_its_filters_learn(drawn: RaceInputs) -> None:
    model = network(drawn)
    before = state(model)
    steps(model, 0, FreshInputs(model[:0], drawn.data, drawn.preprocessing, True, 0, CPU), drawn.data)
    moved = {name for name, value in state(model).items() if not torch.equal(value, before[name])}
    assert not [name for name in moved if "running" in name or "num_batches" in name]
    assert {"stem.conv1.weight", "stem.bn1.weight", "head.weight"} <= moved


def test_batchnorm_of_a_network_from_scratch_learns_its_statistics(drawn: RaceInputs) -> None:
    model = pretrained.build(drawn.backbone, 3, 0, False)
    freezing.unfreeze(model, pretrained=False)
    before = model[0].bn1.running_mean.clone()  # type: ignore[union-attr]
    model(FreshInputs(model[:0], drawn.data, drawn.preprocessing, True, 0, CPU).batch(torch.arange(6), 0))
    assert not torch.equal(model[0].bn1.running_mean, before)  # type: ignore[union-attr]


@pytest.mark.parametrize("count", [1, 4, 6])
def test_the_two_parts_are_the_whole_network(count: int, drawn: RaceInputs) -> None:
    model = copy.deepcopy(network(drawn)).eval()
    frozen, learning = freezing.split(model, count)
    x = torch.randn(2, 3, 32, 32)
    assert len(learning) == count
    with torch.no_grad():
        assert torch.equal(learning(frozen(x)), model(x))


@pytest.mark.parametrize(("image_size", "pictures"), [(32, 50), (64, 50), (96, 22), (128, 12), (224, 4), (512, 4)])
def test_a_chunk_holds_fewer_pictures_the_larger_they_are(image_size: int, pictures: int) -> None:
    assert freezing.chunk(image_size) == pictures


def test_a_network_that_never_learnt_takes_its_statistics_from_the_training_pictures(drawn: RaceInputs) -> None:
    model = pretrained.build(drawn.backbone, 3, seed=0, pretrained=False)
    frozen, _ = freezing.split(model, 1)
    freezing.calibrate_batchnorm(frozen, drawn.data, drawn.preprocessing, CPU)
    pixels = freezing.normalise(augmentation.resize(drawn.data.training, 32), drawn.preprocessing)
    with torch.no_grad():
        seen = model[0].conv1(pixels)  # type: ignore[union-attr,operator]
    torch.testing.assert_close(model[0].bn1.running_mean, seen.mean((0, 2, 3)))  # type: ignore[union-attr]
    torch.testing.assert_close(model[0].bn1.running_var, seen.var((0, 2, 3)))  # type: ignore[union-attr]


def test_calibration_resets_gains_and_keeps_the_filters(drawn: RaceInputs) -> None:
    """Zero-initialised residual branches get a gain of 1; all other parameters keep their initialisation."""
    kind = ARCHITECTURES["resnet50"]  # its residuals begin at zero
    model = torch.nn.Sequential(kind.split(kind.build(3)))
    initial = copy.deepcopy(model)
    frozen, _ = freezing.split(model, 1)
    freezing.calibrate_batchnorm(frozen, drawn.data, drawn.preprocessing, CPU)
    before, after = dict(initial.named_parameters()), dict(model.named_parameters())
    gains = [name for name in after if name.endswith("bn3.weight")]
    assert len(gains) == 16
    assert not any(before[name].any() for name in gains)
    assert all((after[name] == 1).all() for name in gains)
    assert all(torch.equal(value, before[name]) for name, value in after.items() if name not in gains)


def test_statistics_do_not_depend_on_labels(drawn: RaceInputs) -> None:
    settled = []
    for labels in (drawn.data.training_labels, drawn.data.training_labels.flip(0)):
        model = pretrained.build(drawn.backbone, 3, 0, False)
        freezing.calibrate_batchnorm(model[:-1], replace(drawn.data, training_labels=labels), drawn.preprocessing, CPU)
        settled.append(state(model))
    assert all(torch.equal(value, settled[1][name]) for name, value in settled[0].items())


def test_a_zero_head_has_logits_of_zero(drawn: RaceInputs) -> None:
    model = network(drawn)
    before = state(model[:-1])
    freezing.zero_init_head(model[-1])
    with torch.no_grad():
        answers = model.eval()(freezing.normalise(augmentation.resize(drawn.data.heldout, 32), drawn.preprocessing))
    assert not answers.any()
    assert all(torch.equal(value, before[name]) for name, value in state(model[:-1]).items())


def test_a_lone_head_learns_without_dropout_and_with_company_it_has_it(
    drawn: RaceInputs, workspace: Workspace, tmp_path: Path
) -> None:
    name = workspace.backbones.add(checkpoint(tmp_path), "squeezenet1_1", image_size=32)
    model = pretrained.build(workspace.backbones.find(name), 3, 0, pretrained=True)
    x = torch.randn(4, 512)
    for count, is_steady in ((1, True), (2, False)):
        _, learning = freezing.split(model, count)
        freezing.unfreeze(learning, pretrained=True)
        assert torch.equal(model[-1](x), model[-1](x)) == is_steady
