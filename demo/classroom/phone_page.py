"""The page of the phones: one HTML file with style and script inline, and its content security policy."""

from __future__ import annotations

import re
from pathlib import Path

from demo.classroom.photos import FEWEST, MAX_BYTES, SIDE
from demo.classroom.room import NAME_LENGTH
from demo.components.predictions.component import GAP, TARGET
from demo.server import scripts
from engine import (
    LANGUAGES,
    MAIN_RACERS,
    PAGE_INKS,
    RANGES,
    content_policy,
    inline_modules,
    messages_under,
    palette_css,
    render_page,
    translate,
)

HERE = Path(__file__).parent
# Messages that the script uses: by prefix, and by key
GROUPS = ("racer.", "phase.", "phone.")
KEYS = {
    *("axis.epoch", "axis.seconds", "chart.chance", "chart.exact", "chart.subset"),
    *(f"replay.{name}" for name in ("accuracy", "read", "right", "wrong")),
    *(
        f"bet.{name}"
        for name in ("after", "crossing", "crossing_about", "gap", "gap_about", "never", "no_crossing", "place")
    ),
    *(f"bet.{name}" for name in ("points", "returned", "riding", "said", "score", "score_crossing", "score_gap")),
    *("bet.seconds_needed", "bet.worth"),
}


def page() -> tuple[str, str]:
    """The page and its content security policy, under which only its own script runs.

    The page is the same for every room, in all languages: the script reads the room's code from the address.
    """
    styles = (scripts.ENGINE / "lib" / "curves.css", HERE / "phone.css")
    rules = "".join(path.read_text(encoding="utf-8") for path in styles)
    style = palette_css(PAGE_INKS) + re.sub(r"/\*.*?\*/\n?", "", rules, flags=re.DOTALL)  # without comments
    script = inline_modules(HERE / "phone.js")
    known = {
        "messages": {language: _sentences(language) for language in LANGUAGES},
        "main_racers": MAIN_RACERS,
        "target": TARGET,
        "gaps": GAP,
        "seconds": RANGES["seconds"].high,
        "name": NAME_LENGTH,
        "side": SIDE,
        "bytes": MAX_BYTES,
        "fewest": FEWEST,
    }
    policy = content_policy(style, script, "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'")
    noscript = {name: translate("phone.noscript", name) for name in LANGUAGES}
    return render_page(HERE / "phone.html", style=style, script=script, known=known, noscript=noscript), policy


def _sentences(language: str) -> dict[str, str]:
    return {key: text for key, text in messages_under("", language).items() if key in KEYS or key.startswith(GROUPS)}
