"""What is frozen stays still, and a cache changes nothing but the time."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import CPU, checkpoint

from engine import augment, backbones, freezing
from engine.tasks import Drawn


def state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in module.state_dict().items()}


def network() -> torch.nn.Sequential:
    return backbones.build("resnet10", 3, seed=0, pretrained=True)


def steps(model: torch.nn.Sequential, learning_stages: int, inputs: object, pictures: Drawn, count: int = 6) -> None:
    """A few plain SGD steps of the learning part."""
    _, learning = freezing.split(model, learning_stages)
    freezing.learn(learning, pretrained=True)
    optimizer = torch.optim.SGD(learning.parameters(), lr=0.05, momentum=0.9)
    for step in range(count):
        rows = torch.randperm(len(pictures.training), generator=augment.generator(step))[:6]
        loss = torch.nn.functional.cross_entropy(
            learning(inputs.batch(rows, step // 2)),  # type: ignore[attr-defined]
            pictures.training_labels[rows],
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize("learning_stages", [1, 2, 4])
def test_frozen_stages_do_not_move_batchnorm_included(drawn: Drawn, learning_stages: int) -> None:
    model = network()
    frozen, learning = freezing.split(model, learning_stages)
    freezing.freeze(frozen)
    before, head_before = state(frozen), state(learning)
    inputs = freezing.FreshInputs(frozen, drawn, True, 0, CPU)
    steps(model, learning_stages, inputs, drawn)
    for name, value in state(frozen).items():
        assert torch.equal(value, before[name]), name
    assert any(not torch.equal(v, head_before[k]) for k, v in state(learning).items())


def test_batchnorm_of_a_pretrained_network_keeps_its_statistics_while_its_filters_learn(drawn: Drawn) -> None:
    model = network()
    before = state(model)
    steps(model, 0, freezing.FreshInputs(model[:0], drawn, True, 0, CPU), drawn)
    moved = {name for name, value in state(model).items() if not torch.equal(value, before[name])}
    assert not [name for name in moved if "running" in name or "num_batches" in name]
    assert {"stem.conv1.weight", "stem.bn1.weight", "head.weight"} <= moved


def test_batchnorm_of_a_network_from_scratch_learns_its_statistics(drawn: Drawn) -> None:
    model = backbones.build("resnet10", 3, 0, False)
    freezing.learn(model, pretrained=False)
    before = model[0].bn1.running_mean.clone()  # type: ignore[union-attr]
    model(freezing.FreshInputs(model[:0], drawn, True, 0, CPU).batch(torch.arange(6), 0))
    assert not torch.equal(model[0].bn1.running_mean, before)  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.parametrize("learning_stages", [1, 2, 3])
@pytest.mark.parametrize("augmented", [True, False])
def test_cached_training_gives_the_same_learning_part_as_running_the_whole_network(
    drawn: Drawn, learning_stages: int, augmented: bool
) -> None:
    plain, quick = network(), network()
    for model, kind in ((plain, freezing.FreshInputs), (quick, freezing.CachedInputs)):
        frozen, _ = freezing.split(model, learning_stages)
        freezing.freeze(frozen)
        inputs = kind(frozen, drawn, augmented, 0, CPU)
        list(inputs.prepare())
        steps(model, learning_stages, inputs, drawn)
    for (name, a), b in zip(plain.state_dict().items(), quick.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4, msg=lambda text, name=name: f"{name}: {text}")


def test_cached_held_out_pictures_are_what_the_frozen_part_says_of_them(drawn: Drawn) -> None:
    frozen, _ = freezing.split(network(), 2)
    freezing.freeze(frozen)
    fresh = freezing.FreshInputs(frozen, drawn, True, 0, CPU)
    cached = freezing.CachedInputs(frozen, drawn, True, 0, CPU)
    list(cached.prepare_heldout())
    torch.testing.assert_close(cached.heldout(slice(None)), fresh.heldout(slice(None)), atol=1e-5, rtol=1e-4)


def test_both_racers_see_the_same_crops_whoever_asks_first(drawn: Drawn) -> None:
    rows = torch.tensor([3, 1, 7])
    one = freezing.FreshInputs(network()[:0], drawn, True, 4, CPU)
    other = freezing.FreshInputs(network()[:0], drawn, True, 4, CPU)
    other.batch(torch.arange(10), 0)
    other.batch(torch.arange(10), 2)
    assert torch.equal(one.batch(rows, 2), other.batch(rows, 2))
    assert not torch.equal(one.batch(rows, 2), one.batch(rows, 3))


def test_without_augmentation_every_epoch_is_the_same(drawn: Drawn) -> None:
    inputs = freezing.FreshInputs(network()[:0], drawn, False, 0, CPU)
    assert torch.equal(inputs.batch(torch.arange(4), 0), inputs.batch(torch.arange(4), 5))


@pytest.mark.parametrize("count", [1, 4, 6])
def test_the_two_parts_are_the_whole_network(count: int, drawn: Drawn) -> None:
    model = copy.deepcopy(network()).eval()
    frozen, learning = freezing.split(model, count)
    x = torch.randn(2, 3, 32, 32)
    assert len(learning) == count
    with torch.no_grad():
        assert torch.equal(learning(frozen(x)), model(x))


@pytest.mark.parametrize(("px", "pictures"), [(32, 50), (64, 50), (96, 22), (128, 12), (224, 4), (512, 4)])
def test_a_chunk_holds_fewer_pictures_the_larger_they_are(px: int, pictures: int) -> None:
    assert freezing.chunk(px) == pictures


@pytest.mark.parametrize("px", [32, 320])
def test_a_cache_filled_chunk_by_chunk_holds_every_picture(drawn: Drawn, px: int) -> None:
    pictures = replace(drawn, px=px)
    frozen, _ = freezing.split(network(), 6)  # nothing is frozen: the cache holds the pictures themselves
    inputs = freezing.CachedInputs(frozen, pictures, False, 0, CPU)
    parts = len(list(inputs.prepare()))
    assert parts == -(-12 // freezing.chunk(px))
    wanted = freezing.normalise(augment.resize(drawn.training, px), pictures)
    assert torch.equal(inputs.views[0], wanted)


@pytest.mark.parametrize(("learning_stages", "numbers", "augmented"), [(1, 512, True), (3, 128 * 4 * 4, False)])
def test_the_memory_of_a_cache_is_known_before_it_is_filled(
    drawn: Drawn, learning_stages: int, numbers: int, augmented: bool
) -> None:
    frozen, _ = freezing.split(network(), learning_stages)
    freezing.freeze(frozen)
    needed = freezing.cache_bytes(frozen, drawn, augmented, CPU)
    assert needed == 4 * numbers * ((24 if augmented else 12) + 18)  # fp32
    inputs = freezing.CachedInputs(frozen, drawn, augmented, 0, CPU)
    list(inputs.prepare())
    list(inputs.prepare_heldout())
    assert needed == inputs.views.nbytes + inputs.heldout(slice(None)).nbytes


def test_the_size_of_the_features_is_the_same_from_a_cache(drawn: Drawn) -> None:
    frozen, _ = freezing.split(network(), 1)
    freezing.freeze(frozen)
    fresh, cached = (kind(frozen, drawn, True, 0, CPU) for kind in (freezing.FreshInputs, freezing.CachedInputs))
    list(cached.prepare())
    assert cached.size() == pytest.approx(fresh.size(), rel=1e-4)
    assert fresh.size() == pytest.approx(float(fresh.batch(torch.arange(12), 0).abs().sum() / 12), rel=1e-4)


def test_a_network_that_never_learnt_takes_its_statistics_from_the_training_pictures(drawn: Drawn) -> None:
    model = backbones.build("resnet10", 3, seed=0, pretrained=False)
    frozen, _ = freezing.split(model, 1)
    freezing.settle(frozen, drawn, CPU)
    pixels = freezing.normalise(augment.resize(drawn.training, 32), drawn)
    with torch.no_grad():
        seen = model[0].conv1(pixels)  # type: ignore[union-attr,operator]
    torch.testing.assert_close(model[0].bn1.running_mean, seen.mean((0, 2, 3)))  # type: ignore[union-attr]
    torch.testing.assert_close(model[0].bn1.running_var, seen.var((0, 2, 3)))  # type: ignore[union-attr]


def test_random_features_are_no_straw_man(drawn: Drawn) -> None:
    """Residual branches that begin silent are heard, and the filters stay as they were born."""
    model, born = (backbones.build("resnet10", 3, seed=0, pretrained=False) for _ in range(2))
    frozen, _ = freezing.split(model, 1)
    freezing.settle(frozen, drawn, CPU)
    before, after = dict(born.named_parameters()), dict(model.named_parameters())
    gains = [name for name in after if name.endswith("bn2.weight")]
    assert len(gains) == 4
    assert not any(before[name].any() for name in gains)
    assert all((after[name] == 1).all() for name in gains)
    assert all(torch.equal(value, before[name]) for name, value in after.items() if name not in gains)


def test_statistics_do_not_depend_on_labels(drawn: Drawn) -> None:
    settled = []
    for labels in (drawn.training_labels, drawn.training_labels.flip(0)):
        model = backbones.build("resnet10", 3, 0, False)
        freezing.settle(model[:-1], replace(drawn, training_labels=labels), CPU)
        settled.append(state(model))
    assert all(torch.equal(value, settled[1][name]) for name, value in settled[0].items())


def test_a_blank_head_answers_nothing(drawn: Drawn) -> None:
    model = network()
    before = state(model[:-1])
    freezing.blank(model[-1])
    with torch.no_grad():
        answers = model.eval()(freezing.normalise(augment.resize(drawn.heldout, 32), drawn))
    assert not answers.any()
    assert all(torch.equal(value, before[name]) for name, value in state(model[:-1]).items())


def test_a_lone_head_learns_without_dropout_and_with_company_it_has_it(drawn: Drawn, guests: None, tmp_path: Path) -> None:
    name = backbones.add(checkpoint(tmp_path), "squeezenet1_1", px=32)
    model = backbones.build(name, 3, 0, pretrained=True)
    x = torch.randn(4, 512)
    for count, is_steady in ((1, True), (2, False)):
        _, learning = freezing.split(model, count)
        freezing.learn(learning, pretrained=True)
        assert torch.equal(model[-1](x), model[-1](x)) == is_steady
