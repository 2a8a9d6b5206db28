"""Makes a static page that lists the replays in a folder.

The page can be opened from disk, put on any web server, or pushed as a static Space.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.errors import DataError, HeadStartError
from engine.events import RaceStarted
from engine.export.gallery.card import DAMAGED, Card, read
from engine.export.modules import inline_modules
from engine.export.replay.player import page
from engine.export.templates import render_inlined_page
from engine.i18n.messages import LANGUAGES, messages_under, translate
from engine.palette import PAGE_INKS, palette_css
from engine.plan import Plan
from engine.recording import replay
from engine.workspace import Workspace

INDEX, README = "index.html", "README.md"
GENERATOR = '<meta name="generator" content="Head Start gallery">'  # as in gallery.html: only such a page is replaced
README_MARK = "<!-- Made by `python -m engine gallery`. Without this line it is left as it is. -->"
HERE = Path(__file__).parent
STYLES = (HERE.parent / "lib" / "curves.css", HERE.parent / "replay" / "player.css", HERE / "gallery.css")
Pictures = Callable[[Plan, tuple[int, ...]], np.ndarray | None]  # rows of held-out pictures -> (n, side, side, 3) uint8


@dataclass(frozen=True)
class Gallery:
    """A gallery that was made: its page, the number of its races, and a note for each file that was left out."""

    index: Path
    races: int
    notes: tuple[str, ...]


def gallery(
    folder: Path,
    workspace: Workspace,
    title: str | None = None,
    language: str | None = None,
    pictures: Pictures | None = None,
    licence: str = "cc0-1.0",
) -> Gallery:
    """Make `index.html` and a static Space's `README.md` in a folder of replays (.html) and recordings (.jsonl).

    A recording is converted to a replay in the same folder, unless a newer one exists; `pictures` looks up the pictures it
    shows. Files that cannot be read are left out, with a note. Raises DataError where there is no such folder, or where
    its `index.html` is not a gallery.
    """
    if not folder.is_dir():
        raise DataError("refusal.gallery.folder", folder=folder)
    index = folder / INDEX
    if index.exists() and not _has_line(index, GENERATOR):
        raise DataError("refusal.gallery.index", index=index)
    notes: list[str] = []
    cards: list[Card] = []
    for path in sorted(folder.glob("*.jsonl")):
        with _leaving_out(path, notes):
            _update_replay(path, workspace, language, pictures)
    for path in sorted(folder.glob("*.html")):
        if path.name != INDEX:
            with _leaving_out(path, notes):
                cards.append(read(path))
    cards.sort(key=lambda card: card.file)
    cards.sort(key=lambda card: card.date, reverse=True)
    index.write_text(_index(cards, title, language), encoding="utf-8")
    readme = folder / README
    if not readme.exists() or _has_line(readme, README_MARK):
        readme.write_text(_readme(title, language or "en", licence), encoding="utf-8")
    else:
        notes.append(
            f"{README} was not made by the gallery and is left as it is; a static Space needs `sdk: static` at its top"
        )
    return Gallery(index, len(cards), tuple(notes))


def _has_line(path: Path, line: str) -> bool:
    return line in path.read_text(encoding="utf-8", errors="replace").splitlines()


@contextmanager
def _leaving_out(path: Path, notes: list[str]) -> Iterator[None]:
    """Continue without this file where it cannot be used, and add a note with the reason."""
    try:
        yield
    except HeadStartError as error:
        reason = str(error)
    except OSError as error:
        reason = translate("refusal.gallery.unreadable", error=error.strerror or error)
    except DAMAGED:
        reason = translate("refusal.gallery.damaged")
    else:
        return
    notes.append(f"{path.name} is left out: {reason}")


def _update_replay(path: Path, workspace: Workspace, language: str | None, pictures: Pictures | None) -> None:
    """Convert a recording to a replay in the same folder, unless a newer one exists."""
    target = path.with_suffix(".html")
    if target.exists():
        if target.name == INDEX:
            raise DataError("refusal.gallery.name", index=INDEX)
        read(target)  # raises for a file that is not a replay, so that it is not overwritten
        if target.stat().st_mtime >= path.stat().st_mtime:
            return
    stamp, pairs = replay(path)
    started = next((event for _, event in pairs if isinstance(event, RaceStarted)), None)
    shown = pictures(Plan.from_json(started.plan), started.shown) if pictures and started else None
    # Encoded first: a text with a lone surrogate raises before the file is opened
    target.write_bytes(page(stamp, pairs, workspace, shown, language).encode())


def _index(cards: list[Card], title: str | None, language: str | None) -> str:
    languages = [language] if language else list(LANGUAGES)
    return render_inlined_page(
        HERE / "gallery.html",
        style=palette_css(PAGE_INKS) + "".join(path.read_text(encoding="utf-8") for path in STYLES),
        script=inline_modules(HERE / "gallery.js"),
        more="img-src data:",
        language=language or "en",
        languages=languages,
        title=title or translate("gallery.title", language or "en"),
        heading=title,
        cards=cards,
        sentence=lambda key: {name: translate(key, name) for name in languages},
        words={"forced": language, "messages": {name: messages_under("gallery", name) for name in LANGUAGES}},
    )


def _readme(title: str | None, language: str, licence: str) -> str:
    """The README of a static Space: its front matter, and one sentence."""
    front = {
        # A JSON string is a YAML string too
        "title": json.dumps(title or translate("gallery.title", language), ensure_ascii=False),
        "emoji": "🏁",
        "colorFrom": "blue",
        "colorTo": "gray",
        "sdk": "static",
        "pinned": "false",
        "license": json.dumps(licence),
    }
    lines = "\n".join(f"{name}: {value}" for name, value in front.items())
    return f"---\n{lines}\n---\n\n{README_MARK}\n\n{translate('gallery.about', language)}\n"
