"""Sentences say no more than the numbers."""

from __future__ import annotations

from test_scoreboard import board_of, ended, point

from demo import words
from engine import Finished, Plan, stages


def test_the_headline_names_the_leader_and_the_gap() -> None:
    board = board_of(point("scratch", 30, 1), point("transfer", 64, 1))
    assert words.headline(board) == "Pretrained leads by 34 points"
    assert words.headline(board_of(point("scratch", 31, 1), point("transfer", 30, 1))) == "From scratch leads by 1 point"
    assert words.headline(board_of(point("scratch", 30, 1), point("transfer", 30, 1))) == "Neck and neck"
    assert "getting ready" in words.headline(board_of())


def test_the_verdict_gives_the_interval_or_declines() -> None:
    clear = board_of(*ended("1" * 100 + "0" * 100, "1" * 160 + "0" * 40))
    assert words.headline(clear) == "Pretrained wins by 30 points"
    assert words.detail(clear).startswith("95 % interval of the gap: +2")
    close = board_of(*ended("10" * 50, "01" * 50), plan=Plan(examples=5))
    assert words.headline(close).startswith("Too close to call")
    assert "-" in words.detail(close)


def test_no_verdict_where_a_racer_did_not_end() -> None:
    *_, whole = ended("", "")
    stopped = [Finished(lane, "stopped", 1, 1, 1, 1, 0, 0, "", "the race was stopped") for lane in ("scratch", "transfer")]
    assert words.headline(board_of(*stopped, whole)) == "Stopped before the end: no verdict"
    broken = Finished("scratch", "diverged", 1, 1, 1, 1, 0, 0, "", "the loss became nan at step 3")
    assert "the loss became nan" in words.headline(board_of(broken, stopped[1], whole))


def test_what_learns_is_said_in_words() -> None:
    facts = stages("resnet10", 10)
    assert "only the new head" in words.learning_choice(1, facts)
    assert "layer4, head learn" in words.learning_choice(2, facts)
    assert "everything" in words.learning_choice(6, facts)


def test_a_cost_is_no_surer_than_it_can_be() -> None:
    assert words.cost(47.3) == "About 45 s here"
    assert words.cost(1) == "About 5 s here"
    assert words.cost(520) == "About 9 minutes here"
