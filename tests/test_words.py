"""Sentences say no more than the numbers."""

from __future__ import annotations

from dataclasses import replace

from test_scoreboard import board_of, ended, point

from demo import words
from engine import Finished, Plan, Progressed, find_backbone, find_task, stages


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
    here = find_task("tabletop")
    assert words.cost(47.3, here) == "About 45 s here"
    assert words.cost(1, here) == "About 5 s here"
    assert words.cost(520, here) == "About 9 minutes here"


def test_a_cost_says_what_has_to_be_fetched_first() -> None:
    away = replace(find_task("tabletop"), is_here=False, size=170_000_000)
    assert words.cost(47.3, away) == "About 45 s here and 170 MB to fetch first"
    assert words.cost(47.3, replace(away, size=0)) == "About 45 s here and something to fetch first"


def test_how_sure_so_many_held_out_pictures_can_make_is_said() -> None:
    assert words.interval(12) == "±25 points"
    assert words.interval(1000) == "±3 points"


def test_how_far_long_work_has_come_is_said_with_the_time_left() -> None:
    fetching = Progressed("download", "a.zip", 23_000_000, 170_000_000, "bytes", 5_100_000.0, 29.0)
    assert words.progress(fetching) == "Fetching a.zip: 23 of 170 MB, 5.1 MB/s, about 29 s left"
    assert words.progress(Progressed("decode", "cats", 0, 0, "pictures", 0.0, -1.0)) == "Decoding cats: 0 pictures"


def test_what_a_visitor_named_is_never_markup() -> None:
    task = replace(find_task("tabletop"), title="<b>mine</b>", notes=("<i>x</i> was left out",))
    assert "<b>" not in words.about(find_backbone("resnet10"), task)
    assert "<i>" not in words.about(find_backbone("resnet10"), task)


def test_a_fit_says_what_was_changed() -> None:
    plan = Plan(epochs=50)
    assert words.fit(replace(plan, epochs=12), plan) == "Make it fit: 12 epochs"
    assert words.fit(replace(plan, epochs=12, px=96), plan) == "Make it fit: 12 epochs at 96 px"
    assert words.fit(replace(plan, budget="seconds", seconds=36.0), plan) == "Make it fit: 36 s of compute each"
