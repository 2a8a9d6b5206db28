"""The presenter's side of a room: the code that leads phones in, their bets, their pictures. Knows no phone's page.

`classroom.js` draws it and asks the server once a second; whatever changes a room goes through one handler here, which
knows the presenter by her token. The two routes only read, and only for that token.
"""

from __future__ import annotations

import os
import socket
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
import segno
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo import part, words
from demo.offer import Offer
from demo.photos import CLASSES
from demo.room import CLASS, Room
from demo.rooms import Rooms
from demo.shelf import Shelf
from demo.stream import BASE, NEVER
from engine import TARGETS, HeadStartError, Plan, find_task, said, say, say_fact

SCRIPT = Path(__file__).with_suffix(".js")
SCORE = Path(__file__).with_name("score.js")
TARGET = TARGETS[1]  # the share whose crossing is bet on, as in bets.py
QUIET_ZONE = 4  # modules of white around a QR code (ISO/IEC 18004)
EVERYWHERE = ("0.0.0.0", "::")  # what GRADIO_SERVER_NAME is where other machines may come
COMMANDS = {  # what the program is started with where phones cannot come in
    "class.local": "GRADIO_SERVER_NAME=0.0.0.0 python app.py",
    "class.outside": "HEADSTART_ADDRESS=http://192.168.1.20:7860",
}
LONGEST = 300  # characters of the page's address
Told = dict[str, Any]


def build(rooms: Rooms, shelf: Shelf, offer: Offer, kept: gr.BrowserState, task: gr.Dropdown) -> gr.HTML:
    """Draw it where the caller stands. Pictures to race on are picked in `task`; `kept` names the presenter."""
    box = part.build("hs-room", (SCORE, SCRIPT), markup, known)

    def act(state: dict[str, str], asked: object, now: str, request: gr.Request) -> tuple[Any, ...]:
        """What a button asks for: a room opened, locked or ended, phones asked for pictures, a race on these."""
        language, host = words.language_of(request), state.get("visitor", "")
        asked = asked if isinstance(asked, dict) else {}
        what, base, told, picked = asked.get("do"), str(asked.get("address", "")), {"turn": asked.get("turn")}, gr.skip()
        try:
            room = rooms.of(host)
            if what == "open" and host and room is None:
                room = rooms.open(host, state.get("race", ""), words.address_of(request))
                told["is_new"] = True
            if room is None:
                note = {"open": "class.connecting", "enter": ""}.get(str(what), "class.ended")
                return {"room": None, "note": say(note, language) if note else "", **told}, picked
            if what == "lock":
                room.lock(asked.get("locked") is True)
            elif what == "end":
                rooms.end(host)
                choices = offer.tasks(shelf.of(host), language)  # a set made of the room's pictures has gone with it
                picked = gr.update(choices=choices, value=now if now in [name for _, name in choices] else Plan().task)
                return {"room": None, "note": say("class.ended", language), **told}, picked
            elif what == "collect":
                names = asked.get("names")
                room.collect([str(name) for name in names][: CLASSES[1]] if isinstance(names, list) else [])
                told["note"] = say("class.asked", language)
            elif what == "race":
                told["note"], picked = _race_on(room, host, language)
        except HeadStartError as error:
            told["alert"], room = error.said(language), rooms.of(host)
        return {"room": room and told_of(room, host, base, language), **told}, picked

    def _race_on(room: Room, host: str, language: str) -> tuple[str, Any]:
        """Make the room's pictures a task of the presenter's and pick it. Raises a HeadStartError where they are too few."""
        name = shelf.add_album(host, room.album())
        room.made(name)
        found = find_task(name)
        title = say_fact(found.title, language)
        note = say("class.picked", language, title=title, training=found.training, heldout=found.heldout)
        return note, gr.update(choices=offer.tasks(shelf.of(host), language), value=name)

    box.submit(act, [kept, box, task], [box, task], queue=False, show_progress="hidden", api_visibility="private")
    return box


def told_of(room: Room, host: str, base: str, language: str) -> Told:
    """What the script is told of an open room; `base` is the page's address as the presenter's browser has it."""
    home, hint = phones_base(base)
    entry = f"{home}{BASE.lstrip('/')}/room"
    address = f"{entry}/{room.code}"
    return {
        "code": room.code,
        "host": host,
        "address": address,
        "entry": entry,
        "qr": qr(address),
        "hint": say(hint, language) if hint else "",
        "command": COMMANDS.get(hint, ""),
    }


def phones_base(base: str) -> tuple[str, str]:
    """The page's address for phones, and the key of what there is to say about it.

    The one that HEADSTART_ADDRESS names; on a Space its host; where the page was opened as localhost and listens to other
    machines, the address in the local network. Anything that is no address of a page counts as this computer's own, which
    no phone can reach: "class.local" where the program must listen to others first, "class.outside" where it does, but
    cannot know its address, because it is in a container or there is no network yet.
    """
    if named := os.environ.get("HEADSTART_ADDRESS", "").strip():
        return named.rstrip("/") + "/", ""
    if space := os.environ.get("SPACE_HOST"):
        return f"https://{space}/", ""
    try:
        found = urlsplit(base[:LONGEST])
        name, port = found.hostname, found.port
    except ValueError:
        name, port, found = None, None, urlsplit("")
    if found.scheme not in ("http", "https") or not name:
        return "http://127.0.0.1/", "class.local"
    if name != "localhost" and not name.startswith("127.") and name != "::1":
        return base[:LONGEST], ""
    if os.environ.get("GRADIO_SERVER_NAME") not in EVERYWHERE:
        return base[:LONGEST], "class.local"
    if is_in_container() or not (lan := lan_address()):
        return base[:LONGEST], "class.outside"
    return f"{found.scheme}://{lan}{f':{port}' if port else ''}{found.path}", "class.lan"


def is_in_container() -> bool:
    """Whether this runs in Docker or Podman, whose inner network no phone reaches."""
    return any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv"))


def lan_address() -> str | None:
    """This machine's address in the local network; None without one. A UDP socket that is connected sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for examples (RFC 5737): only the way out is asked for
        except OSError:
            return None
        name = str(probe.getsockname()[0])
    return None if name.startswith("127.") else name


def qr(address: str) -> str:
    """A QR code as SVG, dark on white on any page, with its quiet zone."""
    code = segno.make(address, error="m", micro=False)
    return str(code.svg_inline(border=QUIET_ZONE, omitsize=True, dark="#000", light="#fff"))


# --- routes ----------------------------------------------------------------------------------------------------------


def routes(rooms: Rooms) -> list[Route]:
    """What the presenter's page asks for, with her token: `?host=…`."""
    reader = Reader(rooms)
    return [
        Route(BASE + "/class/{code}/state", reader.state),
        Route(BASE + "/class/{code}/pictures/{number:int}", reader.picture),
    ]


class Reader:
    """Tells a presenter of her own room, and nobody else."""

    def __init__(self, rooms: Rooms):
        self._rooms = rooms

    async def state(self, request: Request) -> Response:
        """The room as it stands, with the numbers and classes of the newest pictures, the newest first."""
        room = self._room(request)
        if room is None:
            return JSONResponse({"error": "no such room"}, status_code=404, headers=NEVER)
        body = await run_in_threadpool(lambda: {**room.state(), "latest": room.latest()})
        return JSONResponse(body, headers=NEVER)

    async def picture(self, request: Request) -> Response:
        """One of the newest pictures, as a phone sent it but for what was not pixels."""
        room = self._room(request)
        jpeg = room.picture(request.path_params["number"]) if room else None
        if jpeg is None:
            return JSONResponse({"error": "no such picture"}, status_code=404, headers=NEVER)
        return Response(jpeg, media_type="image/jpeg", headers={**NEVER, "X-Content-Type-Options": "nosniff"})

    def _room(self, request: Request) -> Room | None:
        room = self._rooms.of(request.query_params.get("host", ""))
        return room if room and room.code == request.path_params["code"] and not room.is_over else None


# --- markup ----------------------------------------------------------------------------------------------------------


def known(language: str) -> Told:
    """What the script is told from the start."""
    return {"words": said("class", language), "base": BASE.lstrip("/"), "target": TARGET}


def markup(language: str) -> str:
    """The view in one language; the script fills it. Nothing that a visitor wrote stands here."""
    text = {key: escape(sentence) for key, sentence in said("class", language).items()}
    alerts = '<p class="hs-alert" role="alert"></p><p class="hs-class-note" role="status"></p>'
    return f"""<section class="hs-class" lang="{language}" aria-labelledby="hs-class-title">
<h2 id="hs-class-title" class="hs-class-title" tabindex="-1">{text["title"]}</h2>
<div class="hs-class-empty"><p>{text["about"]}</p>
<button type="button" class="hs-class-main" data-do="open">{text["open"]}</button></div>
{alerts}
<div class="hs-class-room" hidden>
<p class="hs-class-lost" role="status"></p>
{_door(text)}
{_bets(text)}
{_cameras(text, language)}
</div>
{_dialogs(text)}
<p class="hs-aloud" aria-live="polite"></p>
</section>"""


def _door(text: dict[str, str]) -> str:
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
        f"<label>{escape(say('class.thing', language, number=k))}"
        f'<input type="text" name="thing" maxlength="{CLASS}" autocomplete="off"'
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
