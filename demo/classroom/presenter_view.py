"""The markup of the presenter's view, and the constants of its script. It holds no text that a visitor wrote."""

from __future__ import annotations

from html import escape
from typing import Any

from demo.classroom.photos import CLASSES
from demo.classroom.room import CLASS_LENGTH
from demo.server.http import BASE
from engine import TARGETS, messages_under, translate

TARGET = TARGETS[1]  # the accuracy whose crossing is predicted, as in the predictions of one visitor


def known(language: str) -> dict[str, Any]:
    """The constants of the script: messages in one language, base path, target accuracy."""
    return {"words": messages_under("class", language), "base": BASE.lstrip("/"), "target": TARGET}


def markup(language: str) -> str:
    """The view in one language; the script fills it."""
    text = {key: escape(sentence) for key, sentence in messages_under("class", language).items()}
    alerts = '<p class="hs-alert" role="alert"></p><p class="hs-class-note" role="status"></p>'
    return f"""<section class="hs-class" lang="{language}" aria-labelledby="hs-class-title">
<h2 id="hs-class-title" class="hs-class-title" tabindex="-1">{text["title"]}</h2>
<div class="hs-class-empty"><p>{text["about"]}</p>
<button type="button" class="hs-class-main" data-do="open">{text["open"]}</button></div>
{alerts}
<div class="hs-class-room" hidden>
<p class="hs-class-lost" role="status"></p>
{_entrance(text)}
{_bets(text)}
{_cameras(text, language)}
</div>
{_dialogs(text)}
<p class="hs-aloud" aria-live="polite"></p>
</section>"""


def _entrance(text: dict[str, str]) -> str:
    return f"""<div class="hs-class-door">
<div class="hs-class-qr"></div>
<div class="hs-class-way">
<p class="hs-class-code"><small>{text["code"]}</small> <b data-say="code"></b></p>
<p class="hs-class-address"><small>{text["address"]}</small> <span data-say="address"></span></p>
<div class="hs-class-hint"><p data-say="hint"></p>
<div class="hs-class-start" hidden><code data-say="command"></code><p>{text["local.then"]}</p></div></div>
</div>
<div class="hs-class-watch">
<p class="hs-class-watching"><b data-say="watching">0</b> <span data-say="watchers"></span></p>
<p data-say="phase"></p>
<div class="hs-class-buttons">
<button type="button" class="hs-class-main" data-show="hs-class-screen">{text["enlarge"]}</button>
<label class="hs-class-lock"><input type="checkbox" role="switch" name="lock"> {text["lock"]}</label>
<button type="button" data-show="hs-class-sure">{text["end"]}</button>
</div></div></div>"""


def _bets(text: dict[str, str]) -> str:
    charts = "".join(
        f'<figure data-chart="{name}"><figcaption>{text[name]}</figcaption><p class="hs-class-summary"></p>'
        f'<div class="hs-class-plot" role="img"></div><div class="hs-class-ticks" aria-hidden="true"></div>'
        f"<details><summary>{text['table']}</summary><table><caption>{text[name]}</caption><thead><tr>"
        f'<th scope="col">{text["table.from"]}</th><th scope="col">{text["table.count"]}</th></tr></thead>'
        f"<tbody></tbody></table></details></figure>"
        for name in ("gap", "seconds")
    )
    return f"""<section class="hs-class-bets" aria-labelledby="hs-class-bets"><h3 id="hs-class-bets">{text["bets"]}</h3>
<p class="hs-class-bets-none">{text["bets.none"]}</p><p class="hs-class-next" hidden></p>
<div class="hs-class-best" hidden><h4>{text["best"]}</h4><p>{text["best.about"]}</p><ol></ol></div>
<div class="hs-class-charts" hidden>{charts}</div></section>"""


def _cameras(text: dict[str, str], language: str) -> str:
    optional = f' placeholder="{text["optional"]}"'
    things = "".join(
        f"<label>{escape(translate('class.thing', language, number=k))}"
        f'<input type="text" name="thing" maxlength="{CLASS_LENGTH}" autocomplete="off"'
        f"{' required' if k <= CLASSES[0] else optional}></label>"
        for k in range(1, CLASSES[1] + 1)
    )
    return f"""<section class="hs-class-cameras" aria-labelledby="hs-class-cameras">
<h3 id="hs-class-cameras">{text["cameras"]}</h3><p>{text["cameras.about"]}</p>
<form class="hs-class-things">{things}<button type="submit" class="hs-class-main">{text["ask"]}</button></form>
<p class="hs-class-again" hidden>{text["ask.again"]}</p>
<div class="hs-class-taken" hidden>
<table><thead><tr><th scope="col">{text["kind"]}</th><th scope="col">{text["pictures"]}</th>
<th scope="col">{text["phones"]}</th></tr></thead><tbody></tbody></table>
<div><h4 id="hs-class-wall">{text["wall"]}</h4><p class="hs-class-wall-none">{text["wall.none"]}</p>
<ul class="hs-class-wall" aria-labelledby="hs-class-wall"></ul></div>
<div class="hs-class-go"><button type="button" class="hs-class-main" data-do="race">{text["race"]}</button>
<p>{text["leak"]}</p></div>
</div></section>"""


def _dialogs(text: dict[str, str]) -> str:
    return f"""<dialog class="hs-class-screen" aria-labelledby="hs-class-screen"><h2 id="hs-class-screen">{text["join"]}</h2>
<div class="hs-class-qr"></div>
<div class="hs-class-way"><p class="hs-class-code"><small>{text["code"]}</small> <b data-say="code"></b></p>
<p class="hs-class-address"><span data-say="address"></span></p>
<button type="button" class="hs-class-main" data-close autofocus>{text["close"]}</button></div></dialog>
<dialog class="hs-class-sure" aria-labelledby="hs-class-sure"><h2 id="hs-class-sure">{text["end.title"]}</h2>
<p>{text["end.about"]}</p><div class="hs-class-buttons">
<button type="button" data-close autofocus>{text["end.no"]}</button>
<button type="button" class="hs-class-main" data-do="end">{text["end.yes"]}</button></div></dialog>"""
