"""Sentences say no more than the numbers."""

from __future__ import annotations

from dataclasses import replace

import gradio as gr
import pytest
from test_scoreboard import board_of, ended, point

from demo import words
from engine import LANGUAGES, Finished, Plan, find_backbone, find_task, say, say_detail, stages


def test_the_headline_names_the_leader_and_the_gap() -> None:
    board = board_of(point("scratch", 30, 1), point("transfer", 64, 1))
    assert words.headline(board, "en") == "Pretrained leads by 34 points"
    assert (
        words.headline(board_of(point("scratch", 31, 1), point("transfer", 30, 1)), "en") == "From scratch leads by 1 point"
    )
    assert words.headline(board_of(point("scratch", 30, 1), point("transfer", 30, 1)), "en") == "Neck and neck"
    assert "getting ready" in words.headline(board_of(), "en")


def test_the_verdict_gives_the_interval_or_declines() -> None:
    clear = board_of(*ended("1" * 100 + "0" * 100, "1" * 160 + "0" * 40))
    assert words.headline(clear, "en") == "Pretrained wins by 30 points"
    assert say_detail(clear, "en").startswith("95 % interval of the gap: +2")
    close = board_of(*ended("10" * 50, "01" * 50), plan=Plan(examples=5))
    assert words.headline(close, "en").startswith("Too close to call")
    assert "-" in say_detail(close, "en")


def test_no_verdict_where_a_racer_did_not_end() -> None:
    *_, whole = ended("", "")
    stopped = [Finished(lane, "stopped", 1, 1, 1, 1, 0, 0, "", "the race was stopped") for lane in ("scratch", "transfer")]
    assert words.headline(board_of(*stopped, whole), "en") == "Stopped before the end: no verdict"
    broken = Finished("scratch", "diverged", 1, 1, 1, 1, 0, 0, "", "the loss became nan at step 3")
    assert words.headline(board_of(broken, stopped[1], whole), "en") == "No verdict: the loss became nan at step 3"
    assert "損失が発散しました" in words.headline(board_of(broken, stopped[1], whole), "ja")


def test_what_learns_is_said_in_words() -> None:
    facts = stages("resnet10", 10)
    assert "only the new head" in words.learning_choice(1, facts, "en")
    assert "layer4, head learn" in words.learning_choice(2, facts, "en")
    assert "everything" in words.learning_choice(6, facts, "en")


def test_a_cost_is_no_surer_than_it_can_be() -> None:
    here = find_task("tabletop")
    assert words.cost(47.3, here, "en") == "About 45 s here."
    assert words.cost(1, here, "en") == "About 5 s here."
    assert words.cost(520, here, "en") == "About 9 minutes here."


def test_a_cost_says_what_has_to_be_fetched_first() -> None:
    away = replace(find_task("tabletop"), is_here=False, size=170_000_000)
    assert words.cost(47.3, away, "en") == "About 45 s here and 170 MB to fetch first."
    assert words.cost(47.3, replace(away, size=0), "en") == "About 45 s here and something to fetch first."


def test_how_sure_so_many_held_out_pictures_can_make_is_said() -> None:
    assert words.interval(12, "en") == "±25 points"
    assert words.interval(1000, "en") == "±3 points"


def test_what_a_visitor_named_is_never_markup() -> None:
    task = replace(find_task("tabletop"), title="<b>mine</b>", notes=("<i>x</i> was left out",))
    assert "<b>" not in words.about(find_backbone("resnet10"), task, "en")
    assert "<i>" not in words.about(find_backbone("resnet10"), task, "en")


def test_a_fit_says_what_was_changed() -> None:
    plan = Plan(epochs=50)
    assert words.fit(replace(plan, epochs=12), plan, "en") == "Make it fit: 12 epochs"
    assert words.fit(replace(plan, epochs=12, px=96), plan, "en") == "Make it fit: 12 epochs at 96 px"
    assert words.fit(replace(plan, budget="seconds", seconds=36.0), plan, "en") == "Make it fit: 36 s of compute each"


def visit(accept: str = "", referer: str = "", **query: str) -> gr.Request:
    """What Gradio tells of a browser and of the page it stands on."""
    return gr.Request(headers={"accept-language": accept, "referer": referer}, query_params=query)


@pytest.mark.parametrize(
    ("request_", "language"),
    [
        (visit("ja,en;q=0.8"), "ja"),
        (visit("de-DE,fr;q=0.8"), "en"),
        (visit("en-GB", "http://here/?lang=ja&seed=3"), "ja"),
        (visit("ja", lang="en"), "en"),
        (visit("ja", "http://here/?lang=xx"), "ja"),
        (visit(), "en"),
    ],
)
def test_the_address_comes_before_the_browser(request_: gr.Request, language: str) -> None:
    assert words.language_of(request_) == language


def test_a_label_is_there_in_every_language_with_its_numbers() -> None:
    marker = words.text("own.about", limit=3)
    assert '"key": "own.about"' in marker
    told = words.translations().translations_dict
    assert set(told) == set(LANGUAGES)
    assert "more than 3 sets" in told["en"]["own.about"]
    assert "3 組" in told["ja"]["own.about"]


def test_the_headline_is_told_in_japanese_too() -> None:
    board = board_of(point("scratch", 30, 1), point("transfer", 64, 1))
    told = words.everywhere(lambda language: words.headline(board, language))
    assert told["ja"] == "「事前学習済み」が 34 ポイントリード"
    assert told["en"].startswith("Pretrained leads")


def test_why_a_race_on_ones_own_pictures_broke_off_is_not_told() -> None:
    *_, whole = ended("", "")
    failed = Finished("scratch", "failed", 1, 1, 1, 1, 0, 0, "", "")
    for language in LANGUAGES:
        assert say("own.failure", language) in words.headline(board_of(failed, failed, whole), language)
