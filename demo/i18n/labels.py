"""Labels and sentences with numbers, in the visitor's language. The texts are in engine/i18n."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    fact_sentence,
    messages_under,
    translate,
    verdict_sentence,
    wilson_interval,
)

# Groups of messages that are never labels; they are not sent to the browser
NOT_LABELS = {
    "bundle", "class", "count", "fact", "gallery", "glossary", "joined", "note", "place", "quiz", "range", "refusal",
    "phone", "replay", "report", "room", "script_export", "type",
}  # fmt: skip


def text(key: str) -> str:
    """A label in the visitor's language: a marker that Gradio replaces in the browser.

    It works in labels, hints, buttons, choices and Markdown, not in gr.HTML. Use one marker per text: Gradio replaces only
    the first. Values of placeholders are given to `translations`.
    """
    assert key.split(".")[0] not in NOT_LABELS, key
    return str(gr.I18n()(key))


def translations(values: Mapping[str, Mapping[str, object]] | None = None) -> gr.I18n:
    """All labels in all languages, for `launch(i18n=...)`. values: label -> placeholder -> value."""
    filled = values or {}
    labels = [key for key in messages_under("") if key.split(".")[0] not in NOT_LABELS]
    return gr.I18n(
        **{language: {key: translate(key, language, **filled.get(key, {})) for key in labels} for language in LANGUAGES}
    )


def language_of(request: gr.Request) -> str:
    """The visitor's language: `?lang=` of the page's address if it is supported, else the best match of Accept-Language."""
    headers = request.headers
    requested = parse_qs(urlsplit(headers.get("referer", "")).query).get("lang", [""])[0]
    requested = str(request.query_params.get("lang", "")) or requested
    return requested if requested in LANGUAGES else best_language(headers.get("accept-language", ""))


def address_of(request: gr.Request) -> str:
    """The IP address of a request, "" if it is unknown."""
    client = getattr(request, "client", None)
    return client.host if client else ""


def everywhere(sentence: Callable[[str], str]) -> dict[str, str]:
    """A sentence in every language, for rows that all visitors read: {"en": …, "ja": …}."""
    return {language: sentence(language) for language in LANGUAGES}


def percent(share: float) -> str:
    """A share as whole percent."""
    return f"{100 * share:.0f} %"


def learning_choice(count: int, stages: tuple[Stage, ...], language: str) -> str:
    """A sentence on which stages are trained. count: trainable stages, counted from the head."""
    if count <= 1:
        return translate("learning.head", language)
    if count >= len(stages):
        return translate("learning.all", language)
    return translate("learning.top", language, top=", ".join(stage.name for stage in stages[-count:]))


def cost(seconds: float, task: Task, language: str) -> str:
    """A sentence on how long a race takes (seconds, on this machine) and how much has to be downloaded first."""
    unit, amount = ("seconds", max(5, 5 * round(seconds / 5))) if seconds < 100 else ("minutes", round(seconds / 60))
    if task.is_here:
        return translate(f"cost.{unit}", language, **{unit: amount})
    download = f"{task.size / 1e6:,.0f} MB" if task.size else translate("cost.something", language)
    return translate(f"cost.{unit}.fetch", language, what=download, **{unit: amount})


def fit(plan: Plan, before: Plan, language: str) -> str:
    """The label of the button that offers a shorter race: what changes from `before` to `plan`."""
    if plan.budget != before.budget:
        return translate("fit.seconds", language, seconds=f"{plan.seconds:.0f}")
    return translate(
        "fit.size" if plan.image_size != before.image_size else "fit.epochs",
        language,
        epochs=plan.epochs,
        image_size=plan.image_size,
    )


def interval(heldout: int, language: str) -> str:
    """Half the width of the 95 % interval of an accuracy of 50 %, in points. heldout: number of held-out pictures."""
    low, high = wilson_interval(heldout // 2, heldout)
    return translate("interval.points", language, points=f"{50 * (high - low):.0f}")


def added(count: int, name: str, language: str) -> str:
    """How many pictures a class of the draft has."""
    return _counted("upload.class.added", count, language, count=count, name=name)


def ready(task: Task, language: str) -> str:
    """The size of an uploaded set and the 95 % interval that it allows."""
    margin = interval(task.heldout, language)
    counts = {"classes": len(task.classes), "training": task.training, "heldout": task.heldout}
    return translate("upload.ready", language, interval=margin, **counts)


def to_fetch(size: int, language: str) -> str:
    """That a file is downloaded, and its size in bytes if it is known (0: unknown)."""
    return (
        translate("availability.fetch", language, size=f"{size / 1e6:,.0f} MB")
        if size
        else translate("availability.fetch.unknown", language)
    )


def pictures_caption(plan: Plan, task: Task, language: str) -> str:
    """How many training pictures are sampled, and how many are held out."""
    return translate(
        "pictures.drawn" if task.is_open else "pictures.closed",
        language,
        examples_per_class=plan.examples_per_class,
        classes=len(task.classes),
        all=plan.examples_per_class * len(task.classes),
        heldout=f"{task.heldout:,}",
        interval=interval(task.heldout, language),
    )


def headline(board: Scoreboard, language: str) -> str:
    """One sentence: which racer leads and by how much, or the verdict once the race has ended."""
    if board.finished:
        return verdict_sentence(board, language)
    gap = board.gap
    if gap is None:
        return translate("headline.ready", language)
    points = round(100 * abs(gap))
    if points == 0:
        return translate("headline.even", language)
    name = translate(f"racer.{'pretrained' if gap > 0 else 'scratch'}", language)
    return _counted("headline.leads", points, language, name=name, points=points)


def target_time(curve: Curve, target: float) -> str:
    """The compute time until a racer reached an accuracy, "–" if it has not."""
    seconds = curve.time_to(target)
    return "–" if seconds is None else f"{seconds:.1f} s"


def about(backbone: Backbone, task: Task, language: str) -> str:
    """The details of network, pictures and method, as Markdown. Names that a visitor wrote are escaped."""
    description = fact_sentence(task.about, language)
    lines = [
        translate(
            "about.text",
            language,
            network=escape(fact_sentence(backbone.description, language)),
            classes=len(task.classes),
            training=task.training,
            heldout=f"{task.heldout:,}",
            title=escape(fact_sentence(task.title, language)),
            about=escape(description[:1].lower() + description[1:]),
            licence=escape(fact_sentence(task.licence, language)),
        )
    ]
    if task.overlap:
        lines.append(translate("about.overlap", language, overlap=escape(fact_sentence(task.overlap, language))))
    lines += [translate("about.note", language, note=escape(fact_sentence(note, language))) for note in task.notes]
    return "\n".join(lines)


def _counted(key: str, number: int, language: str, **values: object) -> str:
    """The singular or plural form of a sentence."""
    return translate(f"{key}.{'one' if number == 1 else 'many'}", language, **values)
