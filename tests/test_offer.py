"""What can be picked is what can be raced; the rest is greyed, with the reason."""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path

import pytest
from conftest import Clock
from visitors import texture

from demo.offer import Offer
from engine import Address, Album, add_task, find_task, remove_task, say


def test_before_a_host_was_asked_only_what_is_here_is_offered(tiny: Path) -> None:
    offer = Offer()
    assert [name for _, name in offer.tasks()] == ["tabletop"]
    assert say("offer.looking") in offer.table()


def test_without_network_everything_else_is_greyed_with_the_reason(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_OFFLINE", "1")
    offer = Offer()
    offer.refresh()
    assert [name for _, name in offer.tasks()] == ["tabletop"]
    assert "hs-away" in offer.table()
    assert "not to be had" in offer.table()
    assert say("offer.looking") not in offer.table()


def test_what_a_host_would_give_is_offered(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.offer.obtainable", lambda address: "" if "toronto" in address.url else "no answer")
    offer = Offer()
    offer.refresh()
    assert [name for _, name in offer.tasks()] == ["tabletop", "cifar10"]
    assert "fetched at the first race" in offer.table()


def test_answers_are_remembered_for_a_minute(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked = Clock(), []
    monkeypatch.setattr("demo.offer.obtainable", lambda address: asked.append(address.url) or "no answer")
    offer = Offer(now=clock)
    offer.refresh()
    once = len(asked)
    assert once == len(set(asked)) > 0
    clock.time = 59
    offer.refresh()
    assert len(asked) == once
    clock.time = 61
    offer.refresh()
    assert len(asked) == 2 * once


def test_answers_show_as_they_come_and_a_second_asker_waits_for_the_rest(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer, first, go_on = Offer(), threading.Event(), threading.Event()

    def answer(address: Address) -> str:
        if first.is_set():
            go_on.wait(10)
        first.set()
        return "no answer"

    monkeypatch.setattr("demo.offer.obtainable", answer)
    askers = [threading.Thread(target=offer.refresh) for _ in range(2)]
    for asker in askers:
        asker.start()
    first.wait(10)
    while "no answer" not in offer.table():
        time.sleep(0.01)
    assert say("offer.looking") in offer.table()
    assert all(asker.is_alive() for asker in askers)
    go_on.set()
    for asker in askers:
        asker.join(10)
    assert say("offer.looking") not in offer.table()


def test_only_the_visitor_sees_her_own_pictures(tiny: Path) -> None:
    album = Album("<b>unicorns</b>", ("a", "b"), ((partial(texture, 1),) * 5,) * 2, ((partial(texture, 2),) * 2,) * 2, ())
    add_task("own-secret", album, is_private=True)
    try:
        offer = Offer()
        assert "own-secret" not in [name for _, name in offer.tasks()]
        assert "own-secret" in [name for _, name in offer.tasks(("own-secret",))]
        assert "unicorns" not in offer.table()
        assert find_task("own-secret").is_own
    finally:
        remove_task("own-secret")


def test_the_lists_and_the_table_speak_the_visitors_language(tiny: Path) -> None:
    offer = Offer()
    assert offer.tasks(language="ja") == [("卓上の物 · 3 クラス", "tabletop")]
    table = offer.table("ja")
    assert "アリの写真とハチの写真" in table
    assert "Photographs" not in table
