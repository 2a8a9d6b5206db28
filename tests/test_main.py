"""The terminal: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.__main__ import main
from engine.events import Finished, RaceFinished, RaceStarted, from_row

QUICK = ["--examples", "3", "--epochs", "2", "--batch-size", "6"]


def test_a_race_prints_both_racers_and_a_verdict(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["race", *QUICK, "--learn", "head"]) == 0
    out = capsys.readouterr().out
    assert "from scratch" in out
    assert "pretrained" in out
    assert "McNemar" in out
    assert "ResNet-10, pretrained on 200 ImageNet classes" in out


def test_json_streams_every_event(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["race", *QUICK, "--learn", "top2", "--json"]) == 0
    events = [from_row(json.loads(line)) for line in capsys.readouterr().out.splitlines()]
    assert isinstance(events[0], RaceStarted)
    assert isinstance(events[-1], RaceFinished)
    assert '"learning_stages": 3' in events[0].plan


def test_a_recorded_race_is_replayed_event_by_event(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "race.jsonl"
    main(["race", *QUICK, "--learn", "head", "--json", "--record", str(path)])
    raced = [from_row(json.loads(line)) for line in capsys.readouterr().out.splitlines()]
    assert main(["replay", str(path), "--json"]) == 0
    assert [from_row(json.loads(line)) for line in capsys.readouterr().out.splitlines()] == raced
    assert main(["replay", str(path), "--speed", "0"]) == 0
    assert "RECORDED on" in capsys.readouterr().out
    assert [e for e in raced if isinstance(e, Finished)]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["race", "--examples", "0"], 2, "examples is 0; it must be from 2 to 5000"),
        (["race", "--examples", "many"], 2, "examples is 'many'; it must be a whole number"),
        (["race", "--examples", "9"], 2, "examples is 9; 'tabletop' has 8 training pictures a class"),
        (["race", "--learn", "feet"], 2, "learn is 'feet'; it must be one of head, all, top1"),
        (["race", "--task", "cats"], 2, "task is 'cats'; there is tabletop"),
        (["replay", "nowhere.jsonl"], 3, "nowhere.jsonl does not exist"),
        (["pretrain", "--images", "nowhere"], 3, "nowhere holds no train pictures"),
    ],
)
def test_bad_input_is_one_sentence_and_an_exit_code(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], code: int, sentence: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    if arguments[0] == "pretrain":
        arguments = [*arguments, "--work", str(tmp_path / "work")]
    assert main(arguments) == code
    err = capsys.readouterr().err
    assert sentence in err
    assert len(err.splitlines()) == 1


def test_an_unknown_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["race", "--colour", "red"])
    assert stopped.value.code == 2
    assert "--colour" in capsys.readouterr().err


def test_tasks_and_backbones_are_listed(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks"]) == 0
    assert main(["backbones"]) == 0
    out = capsys.readouterr().out
    assert "3 classes (round, square, stripes), 8 training and 6 held-out" in out
    assert "ResNet-10, pretrained on 200 ImageNet classes" in out


def test_a_sweep_ends_in_a_table(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--examples", "2", "--seeds", "2", "--epochs", "1", "--learn", "head"]) == 0
    out = capsys.readouterr().out
    assert "2/2" in out
    assert "| 2 |" in out
