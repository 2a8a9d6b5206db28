"""What can be picked is what can be raced; the rest is greyed, with the reason."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from visitors import texture

from demo import words
from demo.offer import Offer
from engine import Album, add_task, find_task, remove_task


def test_before_a_host_was_asked_only_what_is_here_is_offered(tiny: Path) -> None:
    offer = Offer()
    assert [name for _, name in offer.tasks()] == ["tabletop"]
    assert words.LOOKING in offer.table()


def test_without_network_everything_else_is_greyed_with_the_reason(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_OFFLINE", "1")
    offer = Offer()
    offer.refresh()
    assert [name for _, name in offer.tasks()] == ["tabletop"]
    assert "hs-away" in offer.table()
    assert "not to be had" in offer.table()
    assert words.LOOKING not in offer.table()


def test_what_a_host_would_give_is_offered(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.offer.reachable", lambda url: "" if "toronto" in url else "no answer")
    offer = Offer()
    offer.refresh()
    assert [name for _, name in offer.tasks()] == ["tabletop", "cifar10"]
    assert "fetched at the first race" in offer.table()


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
