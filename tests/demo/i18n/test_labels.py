"""Labels and sentences state the numbers they are given, in the right language."""

from __future__ import annotations

from dataclasses import replace

import gradio as gr
import pytest

from demo.i18n import labels
from engine import LANGUAGES, Finished, Message, Plan, detail_sentence, stages, translate
from engine.data.registry import TaskRegistry
from engine.models.registry import BackboneRegistry
from tests.engine.test_scoreboard import board_of, ended, point


def test_the_headline_names_the_leader_and_the_gap() -> None:
    board = board_of(point("scratch", 30, 1), point("pretrained", 64, 1))
    assert labels.headline(board, "en") == "Pretrained leads by 34 points"
    assert (
        labels.headline(board_of(point("scratch", 31, 1), point("pretrained", 30, 1)), "en")
        == "From scratch leads by 1 point"
    )
    assert labels.headline(board_of(point("scratch", 30, 1), point("pretrained", 30, 1)), "en") == "Neck and neck"
    assert "getting ready" in labels.headline(board_of(), "en")


def test_the_verdict_gives_the_interval_or_declines() -> None:
    clear = board_of(*ended("1" * 100 + "0" * 100, "1" * 160 + "0" * 40))
    assert labels.headline(clear, "en") == "Pretrained wins by 30 points"
    assert detail_sentence(clear, "en").startswith("95 % interval of the gap: +2")
    close = board_of(*ended("10" * 50, "01" * 50), plan=Plan(examples_per_class=5))
    assert labels.headline(close, "en").startswith("Too close to call")
    assert "-" in detail_sentence(close, "en")


def test_no_verdict_if_a_racer_did_not_finish() -> None:
    *_, ending = ended("", "")
    stopped = [
        Finished.unfinished(racer=racer, reason="stopped", last=None, message=Message("end.stopped"))
        for racer in ("scratch", "pretrained")
    ]
    assert labels.headline(board_of(*stopped, ending), "en") == "Stopped before the end: no verdict"
    message = Message("end.diverged", loss="nan", step=3)
    broken = Finished.unfinished(racer="scratch", reason="diverged", last=None, message=message)
    assert (
        labels.headline(board_of(broken, stopped[1], ending), "en")
        == "No verdict: the loss became nan at step 3: the learning rate is too high"
    )
    assert "損失が発散しました" in labels.headline(board_of(broken, stopped[1], ending), "ja")


def test_the_trained_stages_are_named() -> None:
    network = stages(BackboneRegistry().find("resnet10"), 10)
    assert "only the new head" in labels.learning_choice(1, network, "en")
    assert "layer4, head learn" in labels.learning_choice(2, network, "en")
    assert "everything" in labels.learning_choice(6, network, "en")


def test_an_expected_time_is_rounded() -> None:
    task = TaskRegistry().find("tabletop")
    assert labels.cost(47.3, task, "en") == "About 45 s here."
    assert labels.cost(1, task, "en") == "About 5 s here."
    assert labels.cost(520, task, "en") == "About 9 minutes here."


def test_the_size_of_a_download_is_stated() -> None:
    remote = replace(TaskRegistry().find("tabletop"), is_here=False, size=170_000_000)
    assert labels.cost(47.3, remote, "en") == "About 45 s here and 170 MB to fetch first."
    assert labels.cost(47.3, replace(remote, size=0), "en") == "About 45 s here and something to fetch first."


def test_the_interval_follows_the_number_of_held_out_pictures() -> None:
    assert labels.interval(12, "en") == "±25 points"
    assert labels.interval(1000, "en") == "±3 points"


def test_names_written_by_a_visitor_are_escaped() -> None:
    task = replace(TaskRegistry().find("tabletop"), title="<b>drawings</b>", notes=("<i>x</i> was left out",))
    assert "<b>" not in labels.about(BackboneRegistry().find("resnet10"), task, "en")
    assert "<i>" not in labels.about(BackboneRegistry().find("resnet10"), task, "en")


def test_the_button_for_a_shorter_race_names_what_changes() -> None:
    plan = Plan(epochs=50)
    assert labels.fit(replace(plan, epochs=12), plan, "en") == "Make it fit: 12 epochs"
    assert labels.fit(replace(plan, epochs=12, image_size=96), plan, "en") == "Make it fit: 12 epochs at 96 px"
    assert labels.fit(replace(plan, budget="seconds", seconds=36.0), plan, "en") == "Make it fit: 36 s of compute each"


def visit(accept: str = "", referer: str = "", **query: str) -> gr.Request:
    """A request of a browser, with its languages and the address of its page."""
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
def test_the_address_overrides_the_languages_of_the_browser(request_: gr.Request, language: str) -> None:
    assert labels.language_of(request_) == language


def test_a_label_comes_in_every_language_with_its_numbers() -> None:
    marker = labels.text("upload.about")
    assert '"key": "upload.about"' in marker
    translations = labels.translations({"upload.about": {"limit": 3}}).translations_dict
    assert set(translations) == set(LANGUAGES)
    assert "more than 3 sets" in translations["en"]["upload.about"]
    assert "3 組" in translations["ja"]["upload.about"]


def test_the_headline_comes_in_every_language() -> None:
    board = board_of(point("scratch", 30, 1), point("pretrained", 64, 1))
    headlines = labels.everywhere(lambda language: labels.headline(board, language))
    assert headlines["ja"] == "「事前学習済み」が 34 ポイントリード"
    assert headlines["en"].startswith("Pretrained leads")


def test_the_error_of_a_race_on_private_pictures_is_not_shown() -> None:
    *_, ending = ended("", "")
    failed = Finished(
        racer="scratch", reason="failed", step=1, epoch=1, pictures=1, seconds=1, correct=0, total=0, answers="", message=""
    )
    for language in LANGUAGES:
        assert translate("upload.failure", language) in labels.headline(board_of(failed, failed, ending), language)
