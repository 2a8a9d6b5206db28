"""A gallery lists the replays of a folder, leaves out unreadable files, and overwrites only files it made."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import DataError, Plan, Stamp
from engine.events import Finished, RaceStarted
from engine.export.gallery.card import read
from engine.export.gallery.gallery import gallery
from engine.export.replay import player
from engine.workspace import Workspace
from tests.engine.export.replay.test_player import HOSTILE, RECORDED, Tags, altered, recorded


def add(folder: Path, name: str, date: str = "2026-11-21", machine: str = "a machine") -> Path:
    """A replay in the folder."""
    path = folder / name
    path.write_text(player.page(Stamp(machine, date), recorded()[1], Workspace()), encoding="utf-8")
    return path


def links(folder: Path) -> list[str]:
    text = (folder / "index.html").read_text(encoding="utf-8")
    return re.findall(r'<a href="([^"]*)"', text)


def test_replays_are_listed_newest_first(tmp_path: Path) -> None:
    add(tmp_path, "a.html", "2026-01-01")
    add(tmp_path, "b.html", "2026-03-01")
    add(tmp_path, "c.html", "2026-02-01")
    made = gallery(tmp_path, Workspace())
    assert (made.index, made.races, made.notes) == (tmp_path / "index.html", 3, ())
    assert links(tmp_path) == ["b.html", "c.html", "a.html"]


def test_a_card_shows_the_settings_and_the_result(tmp_path: Path) -> None:
    add(tmp_path, "a.html")
    gallery(tmp_path, Workspace())
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    ends = {e.racer: e.correct / e.total for _, e in recorded()[1] if isinstance(e, Finished)}
    for sentence in (
        "Tabletop · ResNet-10",
        "20 pictures per class · top 3 stages",
        "Pretrained wins by",
        "ポイント差で勝ち",
    ):
        assert sentence in text
    assert all(f"<b>{100 * share:.0f} %</b>" in text for share in ends.values())
    assert "RECORDED · a machine · seed 0 · 2026-11-21" in text


def test_a_card_has_the_accuracies_at_the_end(tmp_path: Path) -> None:
    card = read(add(tmp_path, "a.html"))
    for _, event in recorded()[1]:
        if isinstance(event, Finished):
            assert card.results[event.racer] == event.correct / event.total


def test_a_recording_is_converted_to_a_replay_in_its_folder(tmp_path: Path) -> None:
    shutil.copy(RECORDED, tmp_path / "race.jsonl")
    requests = []

    def pictures(plan: Plan, rows: tuple[int, ...]) -> np.ndarray:
        requests.append((plan.task, len(rows)))
        return np.zeros((len(rows), 8, 8, 3), np.uint8)

    assert gallery(tmp_path, Workspace(), pictures=pictures).races == 1
    assert links(tmp_path) == ["race.html"]
    started = next(e for _, e in recorded()[1] if isinstance(e, RaceStarted))
    assert requests == [("tabletop", len(started.shown))]


def test_a_newer_replay_is_kept_and_an_older_one_replaced(tmp_path: Path) -> None:
    shutil.copy(RECORDED, tmp_path / "race.jsonl")
    path = add(tmp_path, "race.html", machine="kept")
    os.utime(tmp_path / "race.jsonl", (1, 1))
    gallery(tmp_path, Workspace())
    assert read(path).texts("stamp")["en"].startswith("RECORDED · kept")
    os.utime(path, (0, 0))
    gallery(tmp_path, Workspace())
    assert not read(path).texts("stamp")["en"].startswith("RECORDED · kept")


HUGE = json.dumps(  # an epoch too large for a float
    {
        "headstart": 2,
        "racers": ["scratch"],
        "fields": {"Evaluated": ["racer", "is_exact", "correct", "total", "epoch"]},
        "rows": {"Evaluated": [["scratch", 1, 1, 2, 10**400]]},
    }
).encode()


def foreign(old: str, new: str) -> bytes:
    """The recorded race with one difference, as another version or program could have written it."""
    text = RECORDED.read_text(encoding="utf-8")
    assert old in text
    return text.replace(old, new, 1).encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("setting.jsonl", foreign(r"\"seed\": 0", r"\"dropout\": 0.5")),
        ("normalisation.jsonl", foreign(r"\"own\"", r"\"instance\"")),
        ("huge.jsonl", foreign(',"event"', ',"t":1' + "0" * 400 + ',"event"')),
        ("shown.jsonl", foreign('"shown":[', '"shown":[99999,')),
        ("surrogate.jsonl", foreign('"mug"', r'"\ud800"')),
        ("half.jsonl", b'{"headstart": 2, "machine": "m", "date": "d"}\n{"t": 0, "eve'),
        ("other.html", b"<p>A page of somebody's.</p>"),
        ("none.html", b'<script type="application/json" id="race">{"headstart": 2, "fields": 3}</script>'),
        ("cut.html", b'<script type="application/json" id="race">{"headstart": 2, </script>'),
        ("later.html", b'<script type="application/json" id="race">{"headstart": 99}</script>'),
        ("huge.html", b'<script type="application/json" id="race">%s</script>' % HUGE),
        ("list.html", b'<script type="application/json" id="race">[]</script>'),
        ("bytes.html", bytes(range(256))),
    ],
)
def test_an_unreadable_file_is_left_out_with_a_note(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    add(tmp_path, "good.html")
    made = gallery(tmp_path, Workspace())
    assert made.races == 1
    assert len(made.notes) == 1
    assert made.notes[0].startswith(f"{name} is left out: ")
    assert (tmp_path / name).read_bytes() == content


def test_a_folder_named_like_a_replay_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "old.html").mkdir()
    add(tmp_path, "good.html")
    made = gallery(tmp_path, Workspace())
    assert links(tmp_path) == ["good.html"]
    assert made.notes == ("old.html is left out: it cannot be read or written: Is a directory",)


def test_a_file_name_that_is_not_unicode_is_linked_by_its_bytes(tmp_path: Path) -> None:
    try:
        add(tmp_path, os.fsdecode(b"caf\xe9.html"))
    except OSError:
        pytest.skip("this disk takes Unicode names only")
    assert gallery(tmp_path, Workspace()).notes == ()
    assert links(tmp_path) == ["caf%E9.html"]


def test_a_foreign_page_with_the_name_of_a_recording_is_not_overwritten(tmp_path: Path) -> None:
    shutil.copy(RECORDED, tmp_path / "race.jsonl")
    (tmp_path / "race.html").write_text("<p>mine</p>")
    made = gallery(tmp_path, Workspace())
    assert made.races == 0
    assert (tmp_path / "race.html").read_text() == "<p>mine</p>"


def test_the_front_matter_is_that_of_a_static_space(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    gallery(tmp_path, Workspace(), title='Ours: "pretrained" # 1', licence="cc-by-4.0")
    head = (tmp_path / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    assert yaml.safe_load(head) == {
        "title": 'Ours: "pretrained" # 1', "emoji": "🏁", "colorFrom": "blue", "colorTo": "gray", "sdk": "static",
        "pinned": False, "license": "cc-by-4.0",
    }  # fmt: skip


def test_files_that_the_gallery_did_not_make_are_kept(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    assert "README.md" in gallery(tmp_path, Workspace()).notes[0]
    assert (tmp_path / "README.md").read_text() == "mine"
    (tmp_path / "index.html").write_text("<p>mine</p>")
    with pytest.raises(DataError, match="not a gallery's page"):
        gallery(tmp_path, Workspace())
    with pytest.raises(DataError, match="not a folder"):
        gallery(tmp_path / "nowhere", Workspace())


def test_a_second_run_makes_the_same_page(tmp_path: Path) -> None:
    add(tmp_path, "a.html")
    gallery(tmp_path, Workspace())
    before = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert gallery(tmp_path, Workspace()).notes == ()
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == before


def test_no_text_becomes_markup(tmp_path: Path) -> None:
    pairs = altered(network=HOSTILE, plan=replace(Plan(), task=HOSTILE).to_json())
    (tmp_path / "a b#1&.html").write_text(player.page(Stamp(HOSTILE, "2026"), pairs, Workspace()), encoding="utf-8")
    gallery(tmp_path, Workspace(), title=HOSTILE)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    tags = Tags(text)
    assert tags.open == []
    assert HOSTILE not in text
    assert "img" not in {tag for tag, _ in tags.seen}
    assert links(tmp_path) == ["a%20b%231%26.html"]


def test_the_page_of_an_empty_folder_says_so(tmp_path: Path) -> None:
    assert gallery(tmp_path, Workspace()).races == 0
    assert "no replay in this folder" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_language_can_be_forced(tmp_path: Path) -> None:
    add(tmp_path, "a.html")
    gallery(tmp_path, Workspace(), language="ja")
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert '<html lang="ja">' in text
    assert "Pretrained wins" not in text
