"""A cache changes nothing but the time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.data import augmentation
from engine.events import Finished, PhaseStarted, Stepped
from engine.models import freezing
from engine.race.inputs import RaceInputs
from engine.training.features import CachedInputs, FreshInputs, cache_bytes
from engine.workspace import Workspace
from tests.conftest import CPU, checkpoint
from tests.helpers.training import SHORT, network, of, run, steps


@pytest.mark.slow
@pytest.mark.parametrize("trainable_stages", [1, 2, 3])
@pytest.mark.parametrize("augment", [True, False])
def test_cached_training_gives_the_same_learning_part_as_running_the_whole_network(
    drawn: RaceInputs, trainable_stages: int, augment: bool
) -> None:
    plain, quick = network(drawn), network(drawn)
    for model, inputs_class in ((plain, FreshInputs), (quick, CachedInputs)):
        frozen, _ = freezing.split(model, trainable_stages)
        freezing.freeze(frozen)
        inputs = inputs_class(frozen, drawn.data, drawn.preprocessing, augment, 0, CPU)
        list(inputs.prepare())
        steps(model, trainable_stages, inputs, drawn.data)
    for (name, a), b in zip(plain.state_dict().items(), quick.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4, msg=lambda text, name=name: f"{name}: {text}")


def test_cached_held_out_pictures_are_the_output_of_the_frozen_part(drawn: RaceInputs) -> None:
    frozen, _ = freezing.split(network(drawn), 2)
    freezing.freeze(frozen)
    fresh = FreshInputs(frozen, drawn.data, drawn.preprocessing, True, 0, CPU)
    cached = CachedInputs(frozen, drawn.data, drawn.preprocessing, True, 0, CPU)
    list(cached.prepare_heldout())
    torch.testing.assert_close(cached.heldout(slice(None)), fresh.heldout(slice(None)), atol=1e-5, rtol=1e-4)


def test_both_racers_see_the_same_crops_in_any_order_of_calls(drawn: RaceInputs) -> None:
    rows = torch.tensor([3, 1, 7])
    one = FreshInputs(network(drawn)[:0], drawn.data, drawn.preprocessing, True, 4, CPU)
    other = FreshInputs(network(drawn)[:0], drawn.data, drawn.preprocessing, True, 4, CPU)
    other.batch(torch.arange(10), 0)
    other.batch(torch.arange(10), 2)
    assert torch.equal(one.batch(rows, 2), other.batch(rows, 2))
    assert not torch.equal(one.batch(rows, 2), one.batch(rows, 3))


def test_without_augmentation_every_epoch_is_the_same(drawn: RaceInputs) -> None:
    inputs = FreshInputs(network(drawn)[:0], drawn.data, drawn.preprocessing, False, 0, CPU)
    assert torch.equal(inputs.batch(torch.arange(4), 0), inputs.batch(torch.arange(4), 5))


@pytest.mark.parametrize("image_size", [32, 320])
def test_a_cache_filled_chunk_by_chunk_holds_every_picture(drawn: RaceInputs, image_size: int) -> None:
    preprocessing = replace(drawn.preprocessing, image_size=image_size)
    frozen, _ = freezing.split(network(drawn), 6)  # nothing is frozen: the cache holds the pictures themselves
    inputs = CachedInputs(frozen, drawn.data, preprocessing, False, 0, CPU)
    parts = len(list(inputs.prepare()))
    assert parts == -(-12 // freezing.chunk(image_size))
    expected = freezing.normalise(augmentation.resize(drawn.data.training, image_size), preprocessing)
    assert torch.equal(inputs.views[0], expected)


@pytest.mark.parametrize(("trainable_stages", "numbers", "augment"), [(1, 512, True), (3, 128 * 4 * 4, False)])
def test_the_memory_of_a_cache_is_known_before_it_is_filled(
    drawn: RaceInputs, trainable_stages: int, numbers: int, augment: bool
) -> None:
    frozen, _ = freezing.split(network(drawn), trainable_stages)
    freezing.freeze(frozen)
    needed = cache_bytes(frozen, drawn.data, drawn.preprocessing, augment, CPU)
    assert needed == 4 * numbers * ((24 if augment else 12) + 18)  # fp32
    inputs = CachedInputs(frozen, drawn.data, drawn.preprocessing, augment, 0, CPU)
    list(inputs.prepare())
    list(inputs.prepare_heldout())
    assert needed == inputs.views.nbytes + inputs.heldout(slice(None)).nbytes


def test_the_size_of_the_features_is_the_same_from_a_cache(drawn: RaceInputs) -> None:
    frozen, _ = freezing.split(network(drawn), 1)
    freezing.freeze(frozen)
    fresh, cached = (cls(frozen, drawn.data, drawn.preprocessing, True, 0, CPU) for cls in (FreshInputs, CachedInputs))
    list(cached.prepare())
    assert cached.feature_sum() == pytest.approx(fresh.feature_sum(), rel=1e-4)
    assert fresh.feature_sum() == pytest.approx(float(fresh.batch(torch.arange(12), 0).abs().sum() / 12), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("trainable_stages", [1, 3])
def test_a_cache_changes_the_curve_by_rounding_only(drawn: RaceInputs, trainable_stages: int) -> None:
    plan = replace(SHORT, trainable_stages=trainable_stages)
    racer = plan.racers()[1]
    quick, plain = run(racer, plan, drawn), run(racer, plan, drawn, cache_share=0.0)
    for a, b in zip(of(quick, Stepped), of(plain, Stepped), strict=True):
        assert a.loss == pytest.approx(b.loss, abs=1e-4)


@pytest.mark.parametrize("trainable_stages", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_features_that_do_not_fit_into_memory_are_computed_anew_with_the_same_result(
    drawn: RaceInputs, trainable_stages: int
) -> None:
    plan = replace(SHORT, trainable_stages=trainable_stages)
    kept = run(plan.racers()[1], plan, drawn)
    anew = run(plan.racers()[1], plan, drawn, cache_share=0.0)
    assert "caching" in [p.phase for p in of(kept, PhaseStarted)]
    assert "caching" not in [p.phase for p in of(anew, PhaseStarted)]
    for a, b in zip(of(kept, Stepped), of(anew, Stepped), strict=True):
        assert (a.loss, a.rate) == (pytest.approx(b.loss, abs=1e-4), pytest.approx(b.rate, rel=1e-4))
    ends = [of(events, Finished)[0] for events in (kept, anew)]
    assert ends[0].answers == ends[1].answers


@pytest.mark.parametrize(
    "architecture",
    ["squeezenet1_1", *(pytest.param(n, marks=pytest.mark.slow) for n in ("mobilenet_v2", "densenet121", "swin_t"))],
)
def test_a_cache_changes_the_curve_of_other_networks_by_rounding_only(
    drawn: RaceInputs, workspace: Workspace, tmp_path: Path, architecture: str
) -> None:
    """Dropout included: its masks come in the same order."""
    name = workspace.backbones.add(checkpoint(tmp_path, architecture), architecture, image_size=32)
    drawn = replace(drawn, backbone=workspace.backbones.find(name))
    plan = replace(SHORT, backbone=name, trainable_stages=2, epochs=2)
    racer = plan.racers()[1]
    quick, plain = run(racer, plan, drawn), run(racer, plan, drawn, cache_share=0.0)
    for a, b in zip(of(quick, Stepped), of(plain, Stepped), strict=True):
        assert a.loss == pytest.approx(b.loss, abs=1e-3)
