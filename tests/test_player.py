"""A replay is one whole file: nothing is fetched, nothing a visitor wrote becomes markup, and no exact point is lost."""

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

from engine import LANES, DataError, Event, Plan, Stamp, backbones
from engine.events import Answered, Evaluated, Finished, Looked, RaceStarted, Stepped
from engine.export import gallery, player
from engine.recording import replay
from engine.strings import say

RECORDED = Path(__file__).parents[1] / "assets" / "races" / "default.jsonl"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


@cache
def recorded() -> tuple[Stamp, tuple[tuple[float, Event], ...]]:
    """The race that comes with the project."""
    stamp, pairs = replay(RECORDED)
    return stamp, tuple(pairs)


def page(**more: Any) -> str:
    return player.page(*recorded(), **more)


def block(text: str, name: str = "race") -> Any:
    """What stands in the file as JSON, read as strictly as a browser reads it."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1], parse_constant=refuse)


def altered(**started: object) -> list[tuple[float, Event]]:
    """The recorded race with another beginning."""
    return [(t, replace(e, **started) if isinstance(e, RaceStarted) else e) for t, e in recorded()[1]]  # type: ignore[arg-type]


class Tags(HTMLParser):
    """The tags of a page and their attributes; scripts are passed over as a browser does."""

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


def test_the_page_is_whole() -> None:
    text = page()
    tags = Tags(text)
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>\n")
    assert tags.open == []
    assert not re.search("__[A-Z]+__", text)


def test_nothing_is_fetched() -> None:
    text = page(pictures=np.zeros((10, 64, 64, 3), np.uint8))
    assert set(re.findall(r"https?://[^\s\"'`)]*", text)) <= {"http://www.w3.org/2000/svg"}
    addresses = [v for _, attributes in Tags(text).seen for k, v in attributes.items() if k in ("src", "href", "action")]
    assert all(address and address.startswith("data:") for address in addresses)


def test_only_its_own_script_and_style_may_work() -> None:
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
    told = [dict(zip(facts["fields"]["Evaluated"], row, strict=True)) for row in facts["rows"]["Evaluated"]]
    kept = [(row["lane"], row["correct"], row["total"]) for row in told if row["is_exact"]]
    assert kept == [(e.lane, e.correct, e.total) for _, e in recorded()[1] if isinstance(e, Evaluated) and e.is_exact]


def test_time_begins_with_the_race_not_with_the_downloads() -> None:
    begin = next(t for t, e in recorded()[1] if isinstance(e, RaceStarted))
    late = [(t + 100, e) for t, e in recorded()[1]]
    assert block(player.page(recorded()[0], late))["length"] == pytest.approx(recorded()[1][-1][0] - begin, abs=0.01)


def test_what_a_visitor_wrote_is_never_markup() -> None:
    plan = replace(Plan(), task=HOSTILE).to_json()
    pairs = altered(classes=(HOSTILE,) * 10, network=HOSTILE, plan=plan)
    pairs = [(t, replace(e, reason="failed", message=HOSTILE) if isinstance(e, Finished) else e) for t, e in pairs]
    text = player.page(Stamp(HOSTILE, HOSTILE), pairs)
    assert block(text)["classes"][0] == HOSTILE
    assert HOSTILE not in text
    assert [t for t, _ in Tags(text).seen] == [t for t, _ in Tags(page()).seen]


def test_the_name_of_a_private_set_is_not_told() -> None:
    text = player.page(recorded()[0], altered(plan=replace(Plan(), task="own-0123456789").to_json()))
    assert "0123456789" not in text


@pytest.mark.parametrize("backbone", ["resnet10", "mobilenet_v2"])
def test_what_is_told_in_japanese_is_told_in_japanese(backbone: str) -> None:
    """No clause of three English words; what a visitor, torchvision or a maker of processors named keeps its name."""
    plan = Plan(backbone=backbone, inverted=True, augmented=False, label_noise=0.5, extra_lanes=("frozen",), px=96)
    pairs = altered(plan=plan.to_json(), network=backbones.find(backbone).description, machine="CPU")
    texts = player.told(Stamp("CPU", "2026-11-21"), pairs)["texts"]["ja"]
    assert not re.findall(r"[A-Za-z]+(?:[ ,]+[A-Za-z]+){2,}", json.dumps(texts, ensure_ascii=False))


@pytest.mark.parametrize("task", ["own", "own-0123456789"])
def test_a_race_on_ones_own_pictures_is_called_so(task: str) -> None:
    """Also where the recording itself no longer says whose they were."""
    texts = player.told(recorded()[0], altered(plan=Plan(task=task).to_json()))["texts"]
    assert texts["en"]["title"] == "Own pictures: 20 pictures per class"
    assert texts["ja"]["names"][0] == "自分の画像"


def test_it_speaks_both_languages_or_the_one_that_is_asked_for() -> None:
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
    changed = player.page(recorded()[0], altered(plan=replace(Plan(), inverted=True, budget="seconds").to_json()))
    listed = dict(block(changed)["texts"]["en"]["settings"])
    assert listed["Colours inverted, as in a negative"] == "yes"
    assert listed["Both racers get the same number of"] == "seconds"


def test_a_recording_that_breaks_off_has_no_verdict() -> None:
    half = recorded()[1][: len(recorded()[1]) // 2]
    texts = block(player.page(recorded()[0], half))["texts"]["en"]
    assert texts["verdict"] == say("headline.unfinished")
    assert texts["detail"] == ""


def test_without_a_race_there_is_no_page() -> None:
    with pytest.raises(DataError, match="no race"):
        player.page(recorded()[0], [])


def test_a_loss_that_is_no_number_is_left_out() -> None:
    pairs = [(t, replace(e, loss=float("nan")) if isinstance(e, Stepped) else e) for t, e in recorded()[1]]
    facts = block(player.page(recorded()[0], pairs))
    assert {row[facts["fields"]["Stepped"].index("loss")] for row in facts["rows"]["Stepped"]} == {None}


def test_shown_pictures_are_inside_as_one_sheet() -> None:
    sheet = block(page(pictures=np.full((10, 224, 224, 3), 90, np.uint8)))["pictures"]
    assert sheet["count"] == 10
    assert sheet["uri"].startswith("data:image/webp;base64,")
    assert block(page())["pictures"] is None


def test_the_longest_race_of_five_stays_below_400_kilobytes() -> None:
    lanes, rng = [lane for lane in LANES if lane != "top"], np.random.default_rng(0)
    plan = replace(Plan(), epochs=500, extra_lanes=tuple(lane for lane in lanes if lane not in LANES[:2]))
    started = next(e for _, e in recorded()[1] if isinstance(e, RaceStarted))
    filters = base64.b64encode(rng.bytes(12_288)).decode()
    pairs: list[tuple[float, Event]] = [(0.0, replace(started, plan=plan.to_json()))]
    for lane in lanes:
        for k in range(600):
            t = k + 0.123456789
            pairs.append((t, Stepped(lane, k, t, 32 * k, t, 1.23456789, 1e-3)))
            pairs.append((t, Evaluated(lane, k, t, 32 * k, t, 512, 1000, 0.123456789, 0.987654321, k % 2 == 0, t)))
            if k % 2 == 0:
                pairs.append((t, Answered(lane, k, t, t, (9,) * 10, (0.1234567,) * 10)))
            if k % 30 == 0:
                pairs.append((t, Looked(lane, k, t, t, ("head",), (0.5,), 32, 16, filters)))
    pictures = rng.integers(0, 255, (10, 28, 28, 3)).astype(np.uint8).repeat(8, 1).repeat(8, 2)
    size = len(player.page(recorded()[0], pairs, pictures).encode())
    assert size < 400_000


def test_large_filters_are_fewer_but_whole() -> None:
    look = Looked("scratch", 1, 1.0, 1.0, ("head",), (0.5,), 16, 16, base64.b64encode(bytes(range(256)) * 48).decode())
    few = player._first_filters(look)
    assert few.count == 6
    assert base64.b64decode(few.filters) == bytes(range(256)) * 18


def test_lines_are_thinned_from_end_to_end() -> None:
    thinned = player._thinned(list(range(1000)), 200)
    assert (len(thinned), thinned[0], thinned[-1]) == (200, 0, 999)


def test_colours_and_dashes_are_the_pages_own() -> None:
    style, script = ((player.HERE / name).read_text(encoding="utf-8") for name in ("player.css", "curves.js"))
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    look = (player.HERE.parents[1] / "demo" / "look.py").read_text(encoding="utf-8")  # importing it takes seconds
    inks = re.findall(r'"(\w+)": Ink\("(#\w+)", "(#\w+)", "([^"]*)"\)', look)
    assert {lane for lane, *_ in inks} == set(LANES)
    for lane, bright, pale, dashes in inks:
        assert f"--{lane}: {bright};" in light
        assert f"--{lane}: {pale};" in dark
        dash = "" if dashes == "solid" else dashes.replace("px", "").replace(",", " ")
        assert f'{lane}: "{dash}"' in script
        assert gallery.DASHES.get(lane, "") == dash
