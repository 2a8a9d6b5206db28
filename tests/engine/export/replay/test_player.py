"""A replay is one complete file: it loads nothing, escapes visitors' texts, and keeps every exact point."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import PALETTE, RACERS, DataError, Event, Plan, Stamp
from engine.events import Evaluated, Finished, PreviewPredicted, RaceStarted, Stepped, WeightsProbed
from engine.export.replay import player
from engine.export.replay.rows import first_filters, thinned
from engine.i18n.messages import translate
from engine.models.registry import BackboneRegistry
from engine.recording import replay
from engine.workspace import Workspace

RECORDED = Path(__file__).parents[4] / "assets" / "races" / "default.jsonl"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


@cache
def recorded() -> tuple[Stamp, tuple[tuple[float, Event], ...]]:
    """The race that comes with the project."""
    stamp, pairs = replay(RECORDED)
    return stamp, tuple(pairs)


def page(**more: Any) -> str:
    return player.page(*recorded(), Workspace(), **more)


def block(text: str, name: str = "race") -> Any:
    """A JSON block of the file, parsed as strictly as a browser does."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    match = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.DOTALL)
    assert match
    return json.loads(match[1], parse_constant=refuse)


def altered(**started: object) -> list[tuple[float, Event]]:
    """The recorded race with another beginning."""
    return [(t, replace(e, **started) if isinstance(e, RaceStarted) else e) for t, e in recorded()[1]]  # type: ignore[arg-type]


class Tags(HTMLParser):
    """The tags of a page and their attributes; the content of scripts is skipped, as in a browser."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_complete() -> None:
    text = page()
    tags = Tags(text)
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>\n")
    assert tags.open == []
    assert "{{" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


def test_nothing_is_fetched() -> None:
    text = page(pictures=np.zeros((10, 64, 64, 3), np.uint8))
    assert set(re.findall(r"https?://[^\s\"'`)]*", text)) <= {"http://www.w3.org/2000/svg"}
    addresses = [v for _, attributes in Tags(text).seen for k, v in attributes.items() if k in ("src", "href", "action")]
    assert all(address and address.startswith("data:") for address in addresses)


def test_the_policy_allows_only_its_own_script_and_style() -> None:
    text = page()
    policy = next(a["content"] or "" for t, a in Tags(text).seen if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        code = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert len(code) == 1
        assert base64.b64encode(hashlib.sha256(code[0].encode()).digest()).decode() in policy


def test_every_exact_point_is_there() -> None:
    facts = block(page())
    points = [dict(zip(facts["fields"]["Evaluated"], row, strict=True)) for row in facts["rows"]["Evaluated"]]
    kept = [(row["racer"], row["correct"], row["total"]) for row in points if row["is_exact"]]
    assert kept == [(e.racer, e.correct, e.total) for _, e in recorded()[1] if isinstance(e, Evaluated) and e.is_exact]


def test_time_begins_with_the_race_not_with_the_downloads() -> None:
    begin = next(t for t, e in recorded()[1] if isinstance(e, RaceStarted))
    late = [(t + 100, e) for t, e in recorded()[1]]
    assert block(player.page(recorded()[0], late, Workspace()))["length"] == pytest.approx(
        recorded()[1][-1][0] - begin, abs=0.01
    )


def test_visitors_text_is_never_markup() -> None:
    plan = replace(Plan(), task=HOSTILE).to_json()
    pairs = altered(classes=(HOSTILE,) * 10, network=HOSTILE, plan=plan)
    pairs = [(t, replace(e, reason="failed", message=HOSTILE) if isinstance(e, Finished) else e) for t, e in pairs]
    text = player.page(Stamp(HOSTILE, HOSTILE), pairs, Workspace())
    assert block(text)["classes"][0] == HOSTILE
    assert HOSTILE not in text
    assert [t for t, _ in Tags(text).seen] == [t for t, _ in Tags(page()).seen]


def test_the_name_of_a_private_set_is_not_in_the_file() -> None:
    text = player.page(recorded()[0], altered(plan=replace(Plan(), task="own-0123456789").to_json()), Workspace())
    assert "0123456789" not in text


@pytest.mark.parametrize("backbone", ["resnet10", "mobilenet_v2"])
def test_the_japanese_texts_hold_no_english_sentence(backbone: str) -> None:
    """No sequence of three English words; names given by visitors, torchvision and makers of processors stay as they are."""
    plan = Plan(
        backbone=backbone, invert_colors=True, augment=False, label_noise=0.5, extra_racers=("frozen",), image_size=96
    )
    pairs = altered(plan=plan.to_json(), network=BackboneRegistry().find(backbone).description, machine="CPU")
    texts = player.race_facts(Stamp("CPU", "2026-11-21"), pairs, Workspace())["texts"]["ja"]
    assert not re.findall(r"[A-Za-z]+(?:[ ,]+[A-Za-z]+){2,}", json.dumps(texts, ensure_ascii=False))


@pytest.mark.parametrize("task", ["own", "own-0123456789"])
def test_a_race_on_a_visitors_pictures_has_that_title(task: str) -> None:
    """Also where the name of the set has been anonymised."""
    texts = player.race_facts(recorded()[0], altered(plan=Plan(task=task).to_json()), Workspace())["texts"]
    assert texts["en"]["title"] == "Own pictures: 20 pictures per class"
    assert texts["ja"]["names"][0] == "自分の画像"


def test_it_has_both_languages_or_the_requested_one() -> None:
    both, japanese = page(), page(language="ja")
    assert block(both)["texts"]["en"]["verdict"].startswith("Pretrained wins by")
    assert "ポイント差で勝ち" in block(both)["texts"]["ja"]["verdict"]
    assert block(both, "words")["forced"] is None
    assert block(japanese, "words")["forced"] == "ja"
    assert '<html lang="ja">' in japanese


def test_it_is_stamped_with_device_seed_and_date() -> None:
    stamp = block(page())["texts"]["en"]["stamp"]
    assert stamp == f"RECORDED · {recorded()[0].machine} · seed 0 · {recorded()[0].date}"


def test_settings_that_are_the_defaults_are_not_listed() -> None:
    labels = [label for label, _ in block(page())["texts"]["en"]["settings"]]
    assert "Colours inverted, as in a negative" not in labels
    changed = player.page(
        recorded()[0], altered(plan=replace(Plan(), invert_colors=True, budget="seconds").to_json()), Workspace()
    )
    listed = dict(block(changed)["texts"]["en"]["settings"])
    assert listed["Colours inverted, as in a negative"] == "yes"
    assert listed["Both racers get the same number of"] == "seconds"


def test_a_recording_that_breaks_off_has_no_verdict() -> None:
    half = recorded()[1][: len(recorded()[1]) // 2]
    texts = block(player.page(recorded()[0], half, Workspace()))["texts"]["en"]
    assert texts["verdict"] == translate("headline.unfinished")
    assert texts["detail"] == ""


def test_a_recording_without_a_race_is_refused() -> None:
    with pytest.raises(DataError, match="no race"):
        player.page(recorded()[0], [], Workspace())


def test_a_loss_that_is_nan_is_null() -> None:
    pairs = [(t, replace(e, loss=float("nan")) if isinstance(e, Stepped) else e) for t, e in recorded()[1]]
    facts = block(player.page(recorded()[0], pairs, Workspace()))
    assert {row[facts["fields"]["Stepped"].index("loss")] for row in facts["rows"]["Stepped"]} == {None}


def test_shown_pictures_are_embedded_as_one_image() -> None:
    sheet = block(page(pictures=np.full((10, 224, 224, 3), 90, np.uint8)))["pictures"]
    assert sheet["count"] == 10
    assert sheet["uri"].startswith("data:image/webp;base64,")
    assert block(page())["pictures"] is None


def test_the_longest_race_of_five_stays_below_400_kilobytes() -> None:
    racers, rng = [racer for racer in RACERS if racer != "top"], np.random.default_rng(0)
    plan = replace(Plan(), epochs=500, extra_racers=tuple(racer for racer in racers if racer not in RACERS[:2]))
    started = next(e for _, e in recorded()[1] if isinstance(e, RaceStarted))
    filters = base64.b64encode(rng.bytes(12_288)).decode()
    pairs: list[tuple[float, Event]] = [(0.0, replace(started, plan=plan.to_json()))]
    for racer in racers:
        for k in range(600):
            t = k + 0.123456789
            pairs.append((t, Stepped(racer=racer, step=k, epoch=t, pictures=32 * k, seconds=t, loss=1.23456789, rate=1e-3)))
            pairs.append(
                (
                    t,
                    Evaluated(
                        racer=racer,
                        step=k,
                        epoch=t,
                        pictures=32 * k,
                        seconds=t,
                        correct=512,
                        total=1000,
                        low=0.123456789,
                        high=0.987654321,
                        is_exact=k % 2 == 0,
                        evaluation_seconds=t,
                    ),
                )
            )
            if k % 2 == 0:
                pairs.append(
                    (
                        t,
                        PreviewPredicted(
                            racer=racer, step=k, epoch=t, seconds=t, predicted=(9,) * 10, confidence=(0.1234567,) * 10
                        ),
                    )
                )
            if k % 30 == 0:
                pairs.append(
                    (
                        t,
                        WeightsProbed(
                            racer=racer,
                            step=k,
                            epoch=t,
                            seconds=t,
                            stages=("head",),
                            relative_weight_change=(0.5,),
                            count=32,
                            side=16,
                            filters=filters,
                        ),
                    )
                )
    pictures = rng.integers(0, 255, (10, 28, 28, 3)).astype(np.uint8).repeat(8, 1).repeat(8, 2)
    size = len(player.page(recorded()[0], pairs, Workspace(), pictures).encode())
    assert size < 400_000


def test_large_filters_are_fewer_but_complete() -> None:
    probe = WeightsProbed(
        racer="scratch",
        step=1,
        epoch=1.0,
        seconds=1.0,
        stages=("head",),
        relative_weight_change=(0.5,),
        count=16,
        side=16,
        filters=base64.b64encode(bytes(range(256)) * 48).decode(),
    )
    few = first_filters(probe)
    assert few.count == 6
    assert base64.b64decode(few.filters) == bytes(range(256)) * 18


def test_lines_are_thinned_from_end_to_end() -> None:
    kept = thinned(list(range(1000)), 200)
    assert (len(kept), kept[0], kept[-1]) == (200, 0, 999)


def test_every_racer_has_its_colour_and_dash_in_the_style_sheet() -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", page(), re.DOTALL)
    for racer in RACERS:
        ink = PALETTE[racer]
        assert f"--{racer}:{ink.light};" in style
        assert f"--{racer}:{ink.dark};" in style
        assert f".racer-{racer}{{--racer:var(--{racer});--dash:{' '.join(map(str, ink.dash)) or 'none'}}}" in style
