"""The commands of the terminal: what they print, what they write and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import engine
from engine import Plan
from engine.cli.main import main
from engine.errors import UnavailableError
from engine.events import Finished, Progressed, RaceFinished, RaceStarted, from_row
from engine.models.registry import BackboneRegistry
from engine.workspace import Workspace
from tests.conftest import checkpoint
from tests.helpers.pictures import Files, folder, unpacked, zipped
from tests.helpers.recorded import STAMP, race

QUICK = ["--examples-per-class", "3", "--epochs", "2", "--batch-size", "6"]


def test_a_race_prints_both_racers_and_a_verdict(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["race", *QUICK, "--trainable-stages", "head"], workspace) == 0
    out = capsys.readouterr().out
    assert "from scratch" in out
    assert "pretrained" in out
    assert "McNemar" in out
    assert "ResNet-10, pretrained on 200 ImageNet classes" in out


def test_json_streams_every_event(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["race", *QUICK, "--trainable-stages", "top2", "--json"], workspace) == 0
    events = [from_row(json.loads(line)) for line in capsys.readouterr().out.splitlines()]
    events = [event for event in events if not isinstance(event, Progressed)]  # of a slow machine
    assert isinstance(events[0], RaceStarted)
    assert isinstance(events[-1], RaceFinished)
    assert '"trainable_stages": 3' in events[0].plan


def test_a_recorded_race_is_replayed_event_by_event(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "race.jsonl"
    main(["race", *QUICK, "--trainable-stages", "head", "--json", "--record", str(path)], workspace)
    events = [from_row(json.loads(line)) for line in capsys.readouterr().out.splitlines()]
    assert main(["replay", str(path), "--json"], workspace) == 0
    assert [from_row(json.loads(line)) for line in capsys.readouterr().out.splitlines()] == events
    assert main(["replay", str(path), "--speed", "0"], workspace) == 0
    assert "RECORDED on" in capsys.readouterr().out
    assert [e for e in events if isinstance(e, Finished)]


def test_an_export_that_is_not_possible_is_reported_and_the_others_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = tmp_path / "race.jsonl"
    list(engine.record(iter(race(plan=Plan(task="photos.zip", examples_per_class=4))), recording, STAMP))
    assert main(["export", str(recording), str(tmp_path / "out"), "--only", "script", "replay", "curves", "events"]) == 3
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {engine.EXPORT_FILES[file_format].name for file_format in ("replay", "curves", "events")}
    assert "engine: no script: task is 'photos.zip'; there is tabletop" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["race", "--examples-per-class", "0"], 2, "examples_per_class is 0; it must be from 2 to 5000"),
        (["race", "--examples-per-class", "many"], 2, "examples_per_class is 'many'; it must be a whole number"),
        (["race", "--examples-per-class", "9"], 2, "examples_per_class is 9; 'tabletop' has 8 training pictures per class"),
        (["race", "--trainable-stages", "feet"], 2, "trainable_stages is 'feet'; it must be one of head, all, top1"),
        (["race", "--task", "cats"], 2, "task is 'cats'; there is tabletop, "),
        (["race", "--task", "nowhere.zip"], 3, "nowhere.zip does not exist: give a folder or a zip"),
        (["race", "--task", "no/where"], 3, "no/where does not exist: give a folder or a zip"),
        (["race", "--weights", "nowhere.pth"], 3, "nowhere.pth is missing; name another file"),
        (["race", "--backbone", "brain", "--weights", "nowhere.pth"], 2, "architecture is 'brain'; there is resnet10"),
        (["race", "--extra-racers", "sideways"], 2, "extra_racers is ('sideways',); it must be a list of random"),
        (
            ["race", *QUICK, "--trainable-stages", "top1", "--extra-racers", "top"],
            2,
            "that is what the pretrained racer does already",
        ),
        (["race", *QUICK, "--image-size", "16"], 2, "image_size is 16; ResNet-10 needs at least 32"),
        (["replay", "nowhere.jsonl"], 3, "nowhere.jsonl does not exist"),
        (["pretrain", "--images", "nowhere"], 3, "nowhere holds no train pictures"),
    ],
)
def test_bad_input_is_one_sentence_and_an_exit_code(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], code: int, sentence: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    if arguments[0] == "pretrain":
        arguments = [*arguments, "--work", str(tmp_path / "work")]
    assert main(arguments, workspace) == code
    err = capsys.readouterr().err
    assert sentence in err
    assert len(err.splitlines()) == 1


def test_an_unknown_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["race", "--colour", "red"])
    assert stopped.value.code == 2
    assert "--colour" in capsys.readouterr().err


def test_tasks_and_backbones_are_listed(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks"], workspace) == 0
    assert main(["backbones"], workspace) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("Path-traced pictures", "8 a class", "cifar10", "to fetch"))
    assert "ResNet-10, pretrained on 200 ImageNet classes" in out


@pytest.mark.slow
def test_a_sweep_ends_in_a_table(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(
            ["sweep", "--examples-per-class", "2", "--seeds", "2", "--epochs", "1", "--trainable-stages", "head"], workspace
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "2/2" in out
    assert "| 2 |" in out


def test_a_sweep_fetches_as_many_pictures_as_its_largest_race_needs(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    requested = []

    def unavailable(name: str, examples_per_class: int) -> Iterator[Progressed]:
        requested.append((name, examples_per_class))
        raise UnavailableError("refusal.huggingface.offline", name=name)
        yield

    monkeypatch.setattr(engine, "open_set", unavailable)
    for options in (["--examples-per-class", "5", "50", "20"], []):
        assert main(["sweep", "--task", "owner/set@hub", *options], workspace) == 3
    assert main(["race", "--task", "owner/set@hub", "--examples-per-class", "7"], workspace) == 3
    assert requested == [("owner/set@hub", examples_per_class) for examples_per_class in (50, 50, 7)]


PHOTOS: Files = {**folder("ants", range(10)), **folder("bees", range(100, 110)), **folder("crabs", range(200, 210))}


def first_event(out: str) -> RaceStarted:
    """RaceStarted, the first event of a race that was printed as JSON."""
    event = from_row(json.loads(out.splitlines()[0]))
    assert isinstance(event, RaceStarted)
    return event


@pytest.mark.parametrize("make", [zipped, pytest.param(unpacked, marks=pytest.mark.slow)])
def test_a_race_on_pictures_of_a_folder_or_zip(
    workspace: Workspace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path, Files], Path],
) -> None:
    path = make(tmp_path, PHOTOS)
    assert main(["race", *QUICK, "--trainable-stages", "head", "--task", str(path), "--json"], workspace) == 0
    out, err = capsys.readouterr()
    started = first_event(out)
    assert (started.classes, started.training, started.heldout) == (("ants", "bees", "crabs"), 9, 9)
    assert json.loads(started.plan)["task"] == path.name
    assert err == "held out: 9 of 30, a quarter of each class\n"


def test_pictures_without_two_classes_are_refused_in_one_sentence(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = zipped(tmp_path, folder("ants", range(10)))
    assert main(["race", "--task", str(path)], workspace) == 3
    err = capsys.readouterr().err
    assert err.startswith("engine: set: only 'ants' has enough pictures")
    assert len(err.splitlines()) == 1


def test_a_race_with_a_checkpoint(workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = ["--backbone", "squeezenet1_1", "--weights", str(checkpoint(tmp_path)), "--image-size", "32"]
    assert (
        main(
            ["race", *QUICK, *network, "--trainable-stages", "head", "--weights-normalisation", "symmetric", "--json"],
            workspace,
        )
        == 0
    )
    started = first_event(capsys.readouterr().out)
    assert started.network == "SqueezeNet 1.1, with the weights in mine.pth"
    assert json.loads(started.plan)["backbone"] == "squeezenet1_1+mine"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [({"features.0.weight": torch.zeros(1)}, "does not fit SqueezeNet 1.1: "), ([1, 2], "is not a state dict: ")],
)
def test_weights_that_do_not_fit_are_refused_in_one_sentence(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: object, sentence: str
) -> None:
    torch.save(content, tmp_path / "odd.pth")
    assert main(["race", "--backbone", "squeezenet1_1", "--weights", str(tmp_path / "odd.pth")], workspace) == 3
    err = capsys.readouterr().err
    assert f"odd.pth {sentence}" in err
    assert len(err.splitlines()) == 1


@pytest.fixture
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without downloaded weights or pictures."""
    monkeypatch.setenv("HEADSTART_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def test_every_backbone_is_listed_with_its_stages_and_whether_it_is_on_this_machine(
    empty_caches: None, capsys: pytest.CaptureFixture[str]
) -> None:
    backbones = [BackboneRegistry().find(name) for name in ("resnet10", "vit_b_16")]  # all of them take seconds to measure
    assert main(["backbones"], Workspace(backbones=BackboneRegistry(backbones))) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert all(text in lines["resnet10"] for text in ("64 px", "4.9 M", "stem layer1 layer2 layer3 layer4 head", "yes"))
    assert all(text in lines["vit_b_16"] for text in ("ViT-B/16", "224 px", "85.8 M", "330 MB to fetch"))
    assert "--weights FILE" in lines["Your"]


def test_every_task_is_listed_with_its_licence_and_download_size(
    empty_caches: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tasks"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert all(text in lines["tabletop"] for text in ("Path-traced pictures", "CC0-1.0", "yes"))
    assert "MB to fetch" in lines["cifar10"]
    assert "--task FOLDER or --task FILE.zip" in lines["Your"]
