"""Two racers at once: each as if alone, stopped together, failing apart."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine import Plan, PlanError, UnavailableError, run_race
from engine.data.registry import TaskRegistry
from engine.data.tabletop import Tabletop
from engine.events import Evaluated, Event, Finished, Prepared, Progressed, RaceFinished, RaceStarted, Stepped
from engine.metrics import compare_paired
from engine.models import architectures, pretrained
from engine.models.registry import BackboneRegistry
from engine.progress import run_to_end
from engine.race.inputs import sample_inputs
from engine.race.validate import validate
from engine.workspace import Workspace
from tests.conftest import CPU, Clock, checkpoint

SHORT = Plan(examples_per_class=4, epochs=4, batch_size=6, trainable_stages=3)


def curve(events: list[Event], racer: str) -> list[tuple]:
    """What a racer learnt, step by step, without its times."""
    return [
        (e.step, e.loss) if isinstance(e, Stepped) else (e.step, e.correct, e.total, e.is_exact)
        for e in events
        if isinstance(e, Stepped | Evaluated) and e.racer == racer
    ]


def test_two_racers_together_equal_each_alone_bit_for_bit(workspace: Workspace) -> None:
    together = list(run_race(SHORT, workspace, CPU))
    for racer in SHORT.racers():
        alone = list(run_race(SHORT, workspace, CPU, racers=(racer,)))
        assert curve(together, racer.name) == curve(alone, racer.name)
        assert len(curve(alone, racer.name)) > 8


@pytest.mark.slow
def test_the_extra_racers_among_five_equal_each_alone_bit_for_bit(workspace: Workspace) -> None:
    machine = replace(CPU, cores=2)  # a thread each, however many run: more would add in another order
    plan = replace(SHORT, epochs=1, batch_size=4, trainable_stages=3, extra_racers=("random", "frozen", "top"))
    together = list(run_race(plan, workspace, machine))
    learning = {e.racer: e.learning / e.parameters for e in together if isinstance(e, Prepared)}
    assert (
        learning["random"] == learning["frozen"] < 0.01 < learning["top"] < learning["pretrained"] < learning["scratch"] == 1
    )
    curves = [curve(together, racer.name) for racer in plan.racers()]
    assert all(a != b for k, a in enumerate(curves) for b in curves[:k])
    for racer, together_curve in list(zip(plan.racers(), curves, strict=True))[2:]:
        assert together_curve == curve(list(run_race(plan, workspace, machine, racers=(racer,))), racer.name)
        assert len(together_curve) >= 5


@pytest.mark.parametrize(
    "architecture",
    ["squeezenet1_1", *(pytest.param(n, marks=pytest.mark.slow) for n in ("mobilenet_v2", "efficientnet_b0"))],
)
@pytest.mark.slow
def test_two_racers_with_dropout_together_equal_each_alone_bit_for_bit(
    workspace: Workspace, tmp_path: Path, architecture: str
) -> None:
    plan = replace(SHORT, backbone=workspace.backbones.add(checkpoint(tmp_path, architecture), architecture, image_size=32))
    together = list(run_race(plan, workspace, CPU))
    for racer in plan.racers():
        torch.manual_seed(len(racer.name))  # torch's own generator decides nothing
        assert curve(together, racer.name) == curve(list(run_race(plan, workspace, CPU, racers=(racer,))), racer.name)


def test_the_frozen_racer_is_the_pretrained_one_whose_head_learns_alone(workspace: Workspace) -> None:
    frozen = replace(SHORT, epochs=2, extra_racers=("frozen",))
    alone = list(run_race(frozen, workspace, CPU, racers=frozen.racers()[2:]))
    head_only = list(
        run_race(
            replace(frozen, trainable_stages=1, extra_racers=()),
            workspace,
            CPU,
            racers=(replace(SHORT, trainable_stages=1).racers()[1],),
        )
    )
    assert curve(alone, "frozen") == curve(head_only, "pretrained")


def test_the_random_racers_backbone_does_not_move(workspace: Workspace) -> None:
    """Its filters are those of the racer from scratch before its first step; only the head learns."""
    plan = replace(SHORT, epochs=2, extra_racers=("random",))
    race = run_race(plan, workspace, CPU, racers=plan.racers()[2:])
    list(race)
    assert race.trained is not None
    network = race.trained.networks["random"]
    born = dict(pretrained.build(workspace.backbones.find("resnet10"), 3, plan.seed, False).named_parameters())
    filters = {name: value for name, value in network.named_parameters() if value.ndim == 4}
    assert filters
    assert all(torch.equal(value, born[name]) for name, value in filters.items())
    assert network[0].bn1.running_mean.any()  # type: ignore[union-attr]  # of the pictures: a fresh one has zeros
    assert network[-1].weight.any()  # type: ignore[union-attr]  # it began blank


@pytest.mark.slow
def test_the_same_seed_gives_the_same_race(workspace: Workspace) -> None:
    first, second = list(run_race(SHORT, workspace, CPU)), list(run_race(SHORT, workspace, CPU))
    for racer in ("scratch", "pretrained"):
        assert curve(first, racer) == curve(second, racer)


def test_a_race_begins_and_ends_with_the_whole(workspace: Workspace) -> None:
    # A slow machine reports its progress first
    events = [event for event in run_race(SHORT, workspace, CPU) if not isinstance(event, Progressed)]
    assert isinstance(events[0], RaceStarted)
    assert (events[0].training, events[0].heldout, events[0].image_size) == (12, 18, 32)
    assert isinstance(events[-1], RaceFinished)
    ends = {e.racer: e for e in events if isinstance(e, Finished)}
    paired = compare_paired(ends["scratch"].answers, ends["pretrained"].answers)
    assert events[-1].gap == paired.gap
    assert events[-1].p_value == paired.p_value


def test_closing_a_race_ends_both_jobs(workspace: Workspace) -> None:
    race = run_race(replace(SHORT, epochs=500), workspace, CPU)
    for event in race:
        if isinstance(event, Stepped) and event.step >= 2:
            break
    assert [t for t in threading.enumerate() if t.name.startswith("racer")]
    race.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("racer")]
    assert list(race) == []
    race.close()


@pytest.mark.slow
def test_a_stopped_race_says_how_far_it_came(workspace: Workspace) -> None:
    race = run_race(replace(SHORT, epochs=500), workspace, CPU)
    events = []
    for event in race:
        events.append(event)
        if isinstance(event, Stepped) and event.step >= 3:
            race.stop()
    ends = [e for e in events if isinstance(e, Finished)]
    assert {e.racer: e.reason for e in ends} == {"scratch": "stopped", "pretrained": "stopped"}
    assert max(e.step for e in ends) >= 3
    assert isinstance(events[-1], RaceFinished)
    assert events[-1].p_value == 1.0


@pytest.mark.slow
def test_one_racer_may_diverge_and_the_other_goes_on(workspace: Workspace, tmp_path: Path) -> None:
    backbone = workspace.backbones.find("resnet10")
    weights = load_file(backbone.weights)
    save_file({key: value * float("nan") for key, value in weights.items()}, tmp_path / "nan.safetensors")
    backbones = BackboneRegistry([replace(backbone, weights=tmp_path / "nan.safetensors")])
    events = list(run_race(SHORT, Workspace(workspace.tasks, backbones), CPU))
    ends = {e.racer: e for e in events if isinstance(e, Finished)}
    assert ends["pretrained"].reason == "diverged"
    assert ends["pretrained"].step == 1
    assert ends["scratch"].reason == "done"
    assert isinstance(events[-1], RaceFinished)


@pytest.mark.slow
def test_one_racer_may_fail_and_the_other_goes_on(workspace: Workspace, tmp_path: Path) -> None:
    backbone = workspace.backbones.find("resnet10")
    weights = Path(shutil.copy(backbone.weights, tmp_path))
    workspace = Workspace(workspace.tasks, BackboneRegistry([replace(backbone, weights=weights)]))
    ends = {}
    for event in run_race(SHORT, workspace, CPU):
        if isinstance(event, RaceStarted):
            weights.unlink()  # no racer has begun yet
        elif isinstance(event, Finished):
            ends[event.racer] = event
    assert ends["scratch"].reason == "done"
    assert ends["pretrained"].reason == "failed"
    assert f"{weights.name} is missing" in ends["pretrained"].message


def test_missing_weights_are_refused_before_anything_starts(workspace: Workspace, tmp_path: Path) -> None:
    broken = replace(workspace.backbones.find("resnet10"), weights=tmp_path / "gone.safetensors")
    workspace = Workspace(workspace.tasks, BackboneRegistry([broken]))
    with pytest.raises(UnavailableError, match=r"gone\.safetensors is missing; `python -m engine pretrain"):
        run_race(SHORT, workspace, CPU)


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (Plan(examples_per_class=9), "examples_per_class is 9; 'tabletop' has 8 training pictures per class"),
        (Plan(examples_per_class=4, trainable_stages=7), "trainable_stages is 7; ResNet-10 has 6 stages"),
        (Plan(examples_per_class=4, task="cats"), "task is 'cats'; there is tabletop, "),
        (Plan(examples_per_class=4, backbone="brain"), "backbone is 'brain'; there is resnet10"),
        (Plan(examples_per_class=4, image_size=16), "image_size is 16; ResNet-10 needs at least 32: 0 takes what"),
        (
            Plan(examples_per_class=4, trainable_stages=1, extra_racers=("frozen",)),
            "extra_racers has 'frozen'; that is what the",
        ),
        (Plan(examples_per_class=4, trainable_stages=2, extra_racers=("top",)), "extra_racers has 'top'; that is what the"),
        (Plan(examples_per_class=4, trainable_stages=6, extra_racers=("all",)), "extra_racers has 'all'; that is what the"),
    ],
)
def test_what_cannot_be_raced_here_is_refused_before_it_starts(workspace: Workspace, plan: Plan, sentence: str) -> None:
    with pytest.raises(PlanError) as refusal:
        run_race(plan, workspace, CPU)
    assert str(refusal.value).startswith(sentence)


def test_missing_pictures_are_named(workspace: Workspace, tmp_path: Path) -> None:
    workspace = Workspace(TaskRegistry(Tabletop(tmp_path)), workspace.backbones)
    with pytest.raises(UnavailableError, match=r"tabletop\.json is missing; `python -m engine tabletop"):
        run_race(SHORT, workspace, CPU)


@pytest.mark.slow
def test_seconds_come_from_the_clock_that_is_passed_in(workspace: Workspace) -> None:
    clock = Clock(0.0)
    end = list(run_race(SHORT, workspace, CPU, now=clock))[-1]
    assert isinstance(end, RaceFinished)
    assert end.wall_seconds == 0.0


def test_a_network_of_one_side_takes_no_other(workspace: Workspace) -> None:
    vit = pretrained.published(architectures.ARCHITECTURES["vit_b_16"])
    workspace = Workspace(workspace.tasks, BackboneRegistry([vit]))
    plan = Plan(examples_per_class=4, backbone="vit_b_16")
    validate(plan, workspace, CPU)
    validate(replace(plan, image_size=224), workspace, CPU)
    with pytest.raises(PlanError, match="image_size is 128; ViT-B/16 sees pictures of 224 px only: 0 takes that"):
        validate(replace(plan, image_size=128), workspace, CPU)


@pytest.mark.parametrize("racers", [("random",), ("frozen", "all"), ("random", "frozen", "top")])
def test_extra_racers_that_differ_from_the_pretrained_racer_may_join(workspace: Workspace, racers: tuple) -> None:
    validate(replace(SHORT, trainable_stages=3, extra_racers=racers), workspace, CPU)


def test_preparing_that_takes_long_says_how_far_it_is(workspace: Workspace) -> None:
    with run_race(SHORT, workspace, CPU, now=Clock(1.0)) as running:
        before = []
        for event in running:
            if isinstance(event, RaceStarted):
                break
            before.append(event)
    assert {type(event) for event in before} == {Progressed}
    assert (before[0].work, before[0].done, before[0].total) == ("decode", 0, 12 + 18)
    assert (before[-1].done, before[-1].total) == (30, 30)


def test_preparing_that_takes_no_time_says_nothing(workspace: Workspace) -> None:
    with run_race(SHORT, workspace, CPU, now=Clock(0.0)) as running:
        assert isinstance(next(running), RaceStarted)


@pytest.mark.parametrize("how", ["stop", "close"])
def test_a_race_that_is_stopped_while_it_prepares_never_starts(workspace: Workspace, how: str) -> None:
    running = run_race(SHORT, workspace, CPU, now=Clock(1.0))
    assert isinstance(next(running), Progressed)
    getattr(running, how)()
    assert not [event for event in running if not isinstance(event, Progressed)]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("racer")]


def test_weights_that_are_not_available_end_a_race_with_a_sentence(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in (("HEADSTART_HOME", "home"), ("TORCH_HOME", "torch"), ("HEADSTART_OFFLINE", "1")):
        monkeypatch.setenv(variable, value if value == "1" else str(tmp_path / value))
    monkeypatch.delenv("HEADSTART_MIRROR", raising=False)
    squeezenet = pretrained.published(architectures.ARCHITECTURES["squeezenet1_1"])
    workspace = Workspace(workspace.tasks, BackboneRegistry([squeezenet]))
    running = run_race(replace(SHORT, backbone="squeezenet1_1", image_size=32), workspace, CPU)
    with pytest.raises(UnavailableError, match=r"squeezenet1_1-b8a52dc0\.pth is not available here"):
        list(running)


def test_shuffled_labels_are_those_of_the_training_pictures_alone(workspace: Workspace) -> None:
    plain, noisy = (run_to_end(sample_inputs(replace(SHORT, label_noise=noise), workspace)).data for noise in (0.0, 1.0))
    assert not torch.equal(noisy.training_labels, plain.training_labels)
    assert torch.equal(noisy.training_labels.sort().values, plain.training_labels)
    assert torch.equal(noisy.heldout_labels, plain.heldout_labels)
    assert torch.equal(noisy.training, plain.training)


@pytest.mark.parametrize(
    ("normalisation", "mean", "std"),
    [("raw", (0.0,) * 3, (1 / 255,) * 3), ("symmetric", (0.5,) * 3, (0.5,) * 3), ("own", (0.1, 0.2, 0.3), (0.4,) * 3)],
)
def test_the_plans_normalisation_reaches_the_pictures(
    workspace: Workspace, normalisation: str, mean: tuple, std: tuple
) -> None:
    odd = replace(workspace.backbones.find("resnet10"), mean=(0.1, 0.2, 0.3), std=(0.4,) * 3)
    workspace = Workspace(workspace.tasks, BackboneRegistry([odd]))
    preprocessing = run_to_end(sample_inputs(replace(SHORT, normalisation=normalisation), workspace)).preprocessing
    assert (preprocessing.mean, preprocessing.std) == (mean, std)


def test_a_larger_input_is_what_the_networks_see(workspace: Workspace) -> None:
    assert run_to_end(sample_inputs(SHORT, workspace)).preprocessing.image_size == 32
    assert run_to_end(sample_inputs(replace(SHORT, image_size=48), workspace)).preprocessing.image_size == 48
