"""Says numbers in sentences, in the visitor's language. The sentences stand in strings.json; nothing is counted here."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from urllib.parse import parse_qs, urlsplit

import gradio as gr

from engine import (
    LANGUAGES,
    Backbone,
    Curve,
    Plan,
    Scoreboard,
    Stage,
    Task,
    best_language,
    said,
    say,
    say_fact,
    say_network,
    say_verdict,
    wilson,
)

_values: dict[str, dict[str, object]] = {}  # what the placeholders of a label hold


# Groups of sentences that are never a label, so that no browser is sent them
SAID_ELSEWHERE = {
    "bundle", "class", "count", "fact", "gallery", "glossary", "joined", "kind", "note", "place", "quiz", "range", "refusal",
    "replay", "report", "room", "script_export", "viewer",
}  # fmt: skip


def text(key: str, **values: object) -> str:
    """A label in the visitor's language: a marker that Gradio replaces in the browser, the placeholders filled.

    For labels, hints, buttons, choices and Markdown; not for gr.HTML, where Gradio replaces nothing. A label that has
    placeholders is asked for before the launch, and always with the same values.
    """
    assert key.split(".")[0] not in SAID_ELSEWHERE, key
    if values:
        _values[key] = values
    return str(gr.I18n()(key))


def translations() -> gr.I18n:
    """All labels in all languages, for `launch(i18n=...)`; asked for once the page is built."""
    labels = [key for key in said("") if key.split(".")[0] not in SAID_ELSEWHERE]
    return gr.I18n(
        **{language: {key: say(key, language, **_values.get(key, {})) for key in labels} for language in LANGUAGES}
    )


def language_of(request: gr.Request) -> str:
    """The visitor's language: `?lang=` of the page's address where it is one of ours, else what the browser asks for."""
    headers = request.headers
    asked = parse_qs(urlsplit(headers.get("referer", "")).query).get("lang", [""])[0]
    asked = str(request.query_params.get("lang", "")) or asked
    return asked if asked in LANGUAGES else best_language(headers.get("accept-language", ""))


def address_of(request: gr.Request) -> str:
    """Where a visitor's request comes from; "" where nobody knows."""
    client = getattr(request, "client", None)
    return client.host if client else ""


def everywhere(sentence: Callable[[str], str]) -> dict[str, str]:
    """A sentence in every language, for rows that visitors of any language read: {"en": …, "ja": …}."""
    return {language: sentence(language) for language in LANGUAGES}


def percent(share: float) -> str:
    """A share as whole percent."""
    return f"{100 * share:.0f} %"


def learning_choice(count: int, stages: tuple[Stage, ...], language: str) -> str:
    """What learns, in words, for a number of learning stages counted from the head."""
    if count <= 1:
        return say("learning.head", language)
    if count >= len(stages):
        return say("learning.all", language)
    return say("learning.top", language, top=", ".join(stage.name for stage in stages[-count:]))


def cost(seconds: float, task: Task, language: str) -> str:
    """About how long a race will take, and what has to be fetched first."""
    unit, amount = ("seconds", max(5, 5 * round(seconds / 5))) if seconds < 100 else ("minutes", round(seconds / 60))
    if task.is_here:
        return say(f"cost.{unit}", language, **{unit: amount})
    what = f"{task.size / 1e6:,.0f} MB" if task.size else say("cost.something", language)
    return say(f"cost.{unit}.fetch", language, what=what, **{unit: amount})


def fit(plan: Plan, before: Plan, language: str) -> str:
    """What was changed so that a race fits."""
    if plan.budget != before.budget:
        return say("fit.seconds", language, seconds=f"{plan.seconds:.0f}")
    return say("fit.size" if plan.px != before.px else "fit.epochs", language, epochs=plan.epochs, px=plan.px)


def interval(heldout: int, language: str) -> str:
    """How sure so many held-out pictures can make: the widest half of the 95 % interval."""
    low, high = wilson(heldout // 2, heldout)
    return say("interval.points", language, points=f"{50 * (high - low):.0f}")


def added(count: int, name: str, language: str) -> str:
    """How many pictures a class of the set being put together has."""
    return _counted("own.class.added", count, language, count=count, name=name)


def ready(task: Task, language: str) -> str:
    """What a set of one's own holds, and how sure it can make."""
    sure = interval(task.heldout, language)
    counts = {"classes": len(task.classes), "training": task.training, "heldout": task.heldout}
    return say("own.ready", language, interval=sure, **counts)


def to_fetch(size: int, language: str) -> str:
    """That something is fetched, and how much of it."""
    return say("offer.fetch", language, size=f"{size / 1e6:,.0f} MB") if size else say("offer.fetch.unknown", language)


def pictures_caption(plan: Plan, task: Task, language: str) -> str:
    """How many pictures were drawn, and how many are held out."""
    return say(
        "pictures.drawn" if task.is_open else "pictures.closed",
        language,
        examples=plan.examples,
        classes=len(task.classes),
        all=plan.examples * len(task.classes),
        heldout=f"{task.heldout:,}",
        interval=interval(task.heldout, language),
    )


def headline(board: Scoreboard, language: str) -> str:
    """Who leads and by how much, or how it came out, in one sentence."""
    if board.finished:
        return say_verdict(board, language)
    gap = board.gap
    if gap is None:
        return say("headline.ready", language)
    points = round(100 * abs(gap))
    if points == 0:
        return say("headline.even", language)
    name = say(f"lane.{'transfer' if gap > 0 else 'scratch'}", language)
    return _counted("headline.leads", points, language, name=name, points=points)


def target_time(curve: Curve, target: float) -> str:
    """How long a racer took to a share, or that it has not come there."""
    seconds = curve.time_to(target)
    return "–" if seconds is None else f"{seconds:.1f} s"


def about(backbone: Backbone, task: Task, language: str) -> str:
    """What exactly runs, for those who ask, as Markdown; what a visitor named is escaped."""
    told = say_fact(task.about, language)
    lines = [
        say(
            "about.text",
            language,
            network=escape(say_network(backbone.description, language)),
            classes=len(task.classes),
            training=task.training,
            heldout=f"{task.heldout:,}",
            title=escape(say_fact(task.title, language)),
            about=escape(told[:1].lower() + told[1:]),
            licence=escape(say_fact(task.licence, language)),
        )
    ]
    if task.overlap:
        lines.append(say("about.overlap", language, overlap=escape(say_fact(task.overlap, language))))
    lines += [say("about.note", language, note=escape(say_fact(note, language))) for note in task.notes]
    return "\n".join(lines)


def _counted(key: str, number: int, language: str, **values: object) -> str:
    """The sentence for one, or for any other number."""
    return say(f"{key}.{'one' if number == 1 else 'many'}", language, **values)
