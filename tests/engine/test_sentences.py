"""Long work is told in amounts a person reads, in the visitor's language."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine import Message, Progressed
from engine.data.registry import TaskRegistry
from engine.models.registry import BackboneRegistry
from engine.sentences import fact_sentence, progress_sentence, verdict_sentence
from tests.conftest import checkpoint
from tests.helpers.recorded import board, race

FETCHING = Progressed(work="download", name="a.zip", done=23_000_000, total=170_000_000, unit="bytes", rate=5.1e6, left=28.8)


def decoding(name: str, done: int, total: int, rate: float = 0.0, left: float = -1.0) -> Progressed:
    return Progressed(work="decode", name=name, done=done, total=total, unit="pictures", rate=rate, left=left)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (FETCHING, "Fetching a.zip: 23 of 170 MB, 5.1 MB/s, about 29 s left"),
        (replace(FETCHING, total=0, left=-1.0), "Fetching a.zip: 23 MB, 5.1 MB/s"),
        (decoding("cats", 0, 0), "Decoding cats: 0 pictures"),
        (
            decoding("cats", 1200, 2000, 400.0, 2.0),
            "Decoding cats: 1,200 of 2,000 pictures, 400.0 pictures/s, about 2 s left",
        ),
    ],
)
def test_long_work_is_told_in_amounts_a_person_reads(event: Progressed, text: str) -> None:
    assert progress_sentence(event) == text


def test_it_is_told_in_the_visitors_language() -> None:
    assert progress_sentence(FETCHING, "ja") == "a.zip を取得中: 23 / 170 MB、5.1 MB/秒、残り約 29 秒"


def test_a_visitors_own_pictures_are_told_without_their_name() -> None:
    assert progress_sentence(decoding("", 1, 2)) == "Decoding Your own pictures: 1 of 2 pictures"


def test_what_the_engine_knows_of_a_set_is_told_in_the_readers_language() -> None:
    assert fact_sentence(TaskRegistry().find("tabletop").title, "ja") == "卓上の物"
    assert fact_sentence("a stranger's text", "ja") == "a stranger's text"
    assert fact_sentence(Message("note.bare"), "ja") == "画像がありません"


def test_a_network_is_told_in_the_readers_language() -> None:
    backbones = BackboneRegistry()
    for backbone in map(backbones.find, backbones.names()):
        assert fact_sentence(backbone.description) == f"{backbone.title}, pretrained on {backbone.pretraining}"
        assert fact_sentence(backbone.pretraining) not in fact_sentence(backbone.description, "ja")


def test_a_network_with_a_checkpoint_of_ones_own_is_told_with_its_file(tmp_path: Path) -> None:
    backbones = BackboneRegistry()
    description = backbones.find(backbones.add(checkpoint(tmp_path), "squeezenet1_1")).description
    assert fact_sentence(description) == "SqueezeNet 1.1, with the weights in mine.pth"
    assert fact_sentence(description, "ja") == "SqueezeNet 1.1、重みは mine.pth"


def test_a_race_without_a_verdict_says_why_in_the_readers_language() -> None:
    ended = board(race(reason="diverged"))
    assert verdict_sentence(ended) == "No verdict: the loss became nan at step 30: the learning rate is too high"
    assert verdict_sentence(ended, "ja") == "判定はありません: 損失が発散しました（ステップ 30 で nan）。学習率が高すぎます"
