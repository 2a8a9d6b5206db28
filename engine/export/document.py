"""The report of a race as one HTML document that needs nothing else: to read, print or hand in. Draws nothing itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image

from engine.events import Event
from engine.export.drawing import INKS, NAMED, NARROW, STRONGEST, WIDE, shades, svg
from engine.export.report import Answer, Report, compose, percent
from engine.recording import Stamp

TEMPLATE = Path(__file__).with_name("document.html")


def html(
    stamp: Stamp,
    pairs: Sequence[tuple[float, Event]],
    pictures: np.ndarray | None = None,
    language: str = "en",
    notes: str = "",
) -> str:
    """The report as an HTML document that loads nothing and prints on one A4 page.

    `pairs`: (seconds, event) as `replay` yields them. `pictures`: (n, side, side, 3) uint8, those of
    `RaceStarted.shown`, or None where they are not to be had. Without notes there is a field to write some in.
    Raises DataError where the race never began.
    """
    report = compose(stamp, pairs, language)
    alt = escape(report.say("chart", ends="; ".join(f"{row[0]} {row[1]}" for row in report.racers)))
    charts = (
        f'<div class="{kind}" role="img" aria-label="{alt}">{svg(report, size)}</div>'
        for kind, size in (("wide", WIDE), ("narrow", NARROW))
    )
    return _page(report, "".join(charts), pictures, notes)


def _page(report: Report, charts: str, pictures: np.ndarray | None, notes: str) -> str:
    """The template filled in; every text is escaped here or where its part is made."""
    values = {
        "language": escape(report.language),
        "light": "".join(f"--{name}:{light};" for name, (light, _) in INKS.items()),
        "dark": "".join(f"--{name}:{dark};" for name, (_, dark) in INKS.items()),
        "density": "dense" if len(report.lanes) > 3 or len(report.command) > 150 else "normal",  # to stay on one page
        "headline": escape(report.headline),
        "kicker": escape(report.kicker),
        "sure": f'<p class="sure">{escape(report.sure)}</p>' if report.sure else "",
        "accuracy": escape(report.say("accuracy")),
        "charts": charts,
        "legend": escape(report.say("legend")),
        "racers": _racers(report),
        "confusion": escape(report.say("confusion")),
        "hint": escape(report.say("confusion_hint")),
        "heats": "".join(_heat(report, lane) for lane in report.rivals),
        "network": escape(report.say("network")),
        "stages": _stages(report),
        "strip_title": escape(report.say("pictures")),
        "strip": _strip(report, pictures),
        "settings_title": escape(report.say("settings")),
        "settings": "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in report.settings),
        "command_title": escape(report.say("command")),
        "command": " ".join(f"<span>{escape(word)}</span>" for word in report.command.split(" ")),
        "measured_title": escape(report.say("measured")),
        "measured": "".join(f"<p>{escape(line)}</p>" for line in report.measured),
        "notes": _notes(report, notes),
    }
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(values)


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], marks: Sequence[str] = ()) -> str:
    """A table of texts; the first of a row names it. `marks` are classes of the rows."""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = ""
    for k, (name, *cells) in enumerate(rows):
        mark = f' class="{escape(marks[k])}"' if marks else ""
        body += f'<tr{mark}><th scope="row">{escape(name)}</th>' + "".join(f"<td>{escape(c)}</td>" for c in cells) + "</tr>"
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _racers(report: Report) -> str:
    marks = [f"racer {lane}" for lane in report.lanes]
    return _scrolling(report.say("racers"), _table(report.say("racers"), report.columns, report.racers, marks))


def _scrolling(name: str, markup: str) -> str:
    """Too wide for a telephone: it scrolls by itself, by keyboard too."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}">{markup}</div>'


def _heat(report: Report, lane: str) -> str:
    """One racer's confusion as a table in shades of its ink, or as a picture where the classes are many."""
    confusion, name = report.board.confusion(lane), report.lane(lane)
    mixed = f'<p class="mixed">{escape(report.mixed(lane))}</p>'
    if confusion is None:
        return f'<figure class="heat {lane}"><figcaption>{escape(name)}</figcaption>{mixed}</figure>'
    if len(report.classes) > NAMED:
        pixels = np.kron(shades(confusion, lane), np.ones((max(1, 480 // len(confusion)),) * 2 + (1,)))
        alt = report.say("confusion_alt", count=len(confusion), name=name)
        image = f'<img src="{_webp((255 * pixels).astype(np.uint8))}" alt="{escape(alt)}">'
        return f'<figure class="heat {lane}"><figcaption>{escape(name)}</figcaption>{image}{mixed}</figure>'
    top = "".join(f'<th scope="col"><span>{escape(kind)}</span></th>' for kind in report.classes)
    body = ""
    for kind, row in zip(report.classes, confusion, strict=True):
        cells = "".join(f'<td style="--share:{100 * STRONGEST * c / max(1, sum(row)):.0f}%">{c or ""}</td>' for c in row)
        body += f'<tr><th scope="row"><span>{escape(kind)}</span></th>{cells}</tr>'
    table = f"<table><caption>{escape(name)}</caption><thead><tr><td></td>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<figure class="heat {lane}">{table}{mixed}</figure>'


def _stages(report: Report) -> str:
    if not report.stages:
        return f"<p>{escape(report.say('no_network'))}</p>"
    head = [report.say(key) for key in ("stage", "output", "parameters", "pretrained")]
    note = f'<p class="mixed">{escape(report.say("network_note"))}</p>'
    return _table(report.say("network"), head, report.stages) + note


def _strip(report: Report, pictures: np.ndarray | None) -> str:
    """The shown pictures in a row, and under each what the racers called it."""
    if not report.shown or not any(told for _, told in report.shown):
        return f"<p>{escape(report.say('no_answers'))}</p>"
    top = ""
    for k, (name, _) in enumerate(report.shown):
        alt = report.say("picture_alt", number=k + 1, name=name)
        image = "" if pictures is None else f'<img src="{_webp(pictures[k])}" alt="{escape(alt)}">'
        top += f'<th scope="col">{image}<span title="{escape(name)}">{escape(name)}</span></th>'
    body = ""
    for lane in report.rivals:
        body += f'<tr class="racer {lane}"><th scope="row">{escape(report.lane(lane))}</th>'
        body += "".join(_answer(report, told.get(lane)) for _, told in report.shown) + "</tr>"
    table = f'<table class="strip"><thead><tr><th scope="col">{escape(report.say("picture"))}</th>{top}</tr></thead>'
    note = f"<p>{escape(report.say('no_pictures'))}</p>" if pictures is None else ""
    return _scrolling(report.say("pictures"), f"{table}<tbody>{body}</tbody></table>") + note


def _answer(report: Report, answer: Answer | None) -> str:
    if answer is None:
        return "<td>–</td>"
    kind, mark = ("yes", "✓") if answer.is_right else ("no", "✗")
    sign = f'<b role="img" aria-label="{escape(report.say(kind))}">{mark}</b>'
    name = escape(answer.name)
    return f'<td class="{kind}"><span title="{name}">{name}</span> {sign} {percent(answer.confidence, 0)}</td>'


def _notes(report: Report, notes: str) -> str:
    title = escape(report.say("notes"))
    if not notes.strip():
        return f'<h2><label for="notes">{title}</label></h2><textarea id="notes" rows="5"></textarea>'
    size = "long" if len(notes) > 400 else "short"  # so that as much as can be stays on the page
    return f'<h2>{title}</h2><p class="notes {size}">{escape(notes)}</p>'


def _webp(picture: np.ndarray) -> str:
    """A picture, (H, W, 3) uint8, as an address that holds it."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "WEBP", quality=85)
    return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode()
