"""Long work is told in amounts a person reads, in the visitor's language."""

from __future__ import annotations

import pytest

from engine import Line, Progressed, backbones, tasks
from engine.strings import said
from engine.telling import fact, network, progress

FETCHING = Progressed("download", "a.zip", 23_000_000, 170_000_000, "bytes", 5.1e6, 28.8)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (FETCHING, "Fetching a.zip: 23 of 170 MB, 5.1 MB/s, about 29 s left"),
        (Progressed("download", "a.zip", 23_000_000, 0, "bytes", 5.1e6, -1.0), "Fetching a.zip: 23 MB, 5.1 MB/s"),
        (Progressed("decode", "cats", 0, 0, "pictures", 0.0, -1.0), "Decoding cats: 0 pictures"),
        (Progressed("decode", "cats", 1200, 2000, "pictures", 400.0, 2.0),
         "Decoding cats: 1,200 of 2,000 pictures, 400.0 pictures/s, about 2 s left"),
    ],
)  # fmt: skip
def test_long_work_is_told_in_amounts_a_person_reads(event: Progressed, text: str) -> None:
    assert progress(event) == text


def test_it_is_told_in_the_visitors_language() -> None:
    assert progress(FETCHING, "ja") == "a.zip を取得中: 23 / 170 MB、5.1 MB/秒、残り約 29 秒"


def test_a_visitors_own_pictures_are_told_without_their_name() -> None:
    assert progress(Progressed("decode", "", 1, 2, "pictures", 0.0, -1.0)) == "Decoding Your own pictures: 1 of 2 pictures"


def test_what_the_engine_knows_of_a_set_is_told_in_the_readers_language() -> None:
    assert fact(tasks.find("tabletop").title, "ja") == "卓上の物"
    assert fact("a stranger's text", "ja") == "a stranger's text"
    assert fact(Line("note.bare"), "ja") == "画像がありません"
    assert all(fact(english) == english for english in said("fact").values())


def test_a_network_is_told_in_the_readers_language_though_an_event_says_it_in_english() -> None:
    for name in backbones.names():
        found = backbones.find(name)
        assert network(found.description) == found.description
        assert found.pretraining not in network(found.description, "ja")
    assert network("SqueezeNet 1.1, with the weights in mine.pth", "ja") == "SqueezeNet 1.1、重みは mine.pth"
    assert network("a network of another time", "ja") == "a network of another time"
