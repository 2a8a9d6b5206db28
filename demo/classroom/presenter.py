"""The presenter's view of a room: the handler of its buttons, and two routes that require the presenter's token.

`presenter.js` draws the view and polls the room once a second; all changes go through `PresenterHandlers`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.classroom.phone_address import COMMANDS, Network, phones_base, qr
from demo.classroom.photos import CLASSES
from demo.classroom.presenter_view import known, markup
from demo.classroom.room import Room
from demo.classroom.rooms import Rooms
from demo.components import base
from demo.i18n import labels
from demo.server.http import BASE, NEVER
from demo.uploads.availability import Availability
from demo.uploads.store import UploadStore
from engine import HeadStartError, Plan, fact_sentence, translate

SCRIPT = Path(__file__).with_suffix(".js")


def build(
    rooms: Rooms, uploads: UploadStore, availability: Availability, browser_state: gr.BrowserState, task: gr.Dropdown
) -> gr.HTML:
    """Add the view to the page. browser_state: holds the visitor's token. task: the page's list of tasks."""
    box = base.build("hs-room", SCRIPT, markup, known)
    handlers = PresenterHandlers(rooms, uploads, availability)
    inputs, outputs = [browser_state, box, task], [box, task]
    box.submit(handlers.act, inputs, outputs, queue=False, show_progress="hidden", api_visibility="private")
    return box


class PresenterHandlers:
    """Handles the buttons of the view. Handlers return a value for the script and an update of the page's list of tasks."""

    def __init__(self, rooms: Rooms, uploads: UploadStore, availability: Availability, network: Network | None = None):
        self._rooms, self._uploads, self._availability, self._network = rooms, uploads, availability, network or Network()

    def act(self, state: dict[str, str], command: object, selected: str, request: gr.Request) -> tuple[Any, ...]:
        """Carry out a command: open, lock or end a room, request pictures from phones, make a task of them.

        state: with the presenter's token as "visitor". command: from the script, unchecked. selected: the page's task.
        """
        language, host = labels.language_of(request), state.get("visitor", "")
        command = command if isinstance(command, dict) else {}
        address, reply, task_update = str(command.get("address", "")), {"turn": command.get("turn")}, gr.skip()
        try:
            room = self._rooms.of(host)
            if command.get("do") == "open" and host and room is None:
                room = self._rooms.open(host, state.get("race", ""), labels.address_of(request))
                reply["is_new"] = True
            if room is None:
                key = {"open": "class.connecting", "enter": ""}.get(str(command.get("do")), "class.ended")
                reply["note"] = translate(key, language) if key else ""
                return {"room": None, **reply}, task_update
            match command.get("do"):
                case "lock":
                    room.lock(command.get("locked") is True)
                case "end":
                    reply["note"], task_update = self._end(host, selected, language)
                    room = None
                case "collect":
                    names = command.get("names")
                    room.collect([str(name) for name in names][: CLASSES[1]] if isinstance(names, list) else [])
                    reply["note"] = translate("class.asked", language)
                case "race":
                    reply["note"], task_update = self._race_on(room, host, language)
        except HeadStartError as error:
            reply["alert"], room = error.translated(language), self._rooms.of(host)
        return {"room": room and entry(room, host, address, language, self._network), **reply}, task_update

    def _end(self, host: str, selected: str, language: str) -> tuple[str, Any]:
        """End the room and its tasks; a selected task that was one of them is replaced by the default."""
        self._rooms.end(host)
        choices = self._availability.tasks(self._uploads.of(host), language)
        value = selected if selected in [name for _, name in choices] else Plan().task
        return translate("class.ended", language), gr.update(choices=choices, value=value)

    def _race_on(self, room: Room, host: str, language: str) -> tuple[str, Any]:
        """Make a task of the room's pictures and select it. Raises a HeadStartError where they are too few."""
        name = self._uploads.add_dataset(host, room.dataset())
        room.add_task(name)
        task = self._uploads.workspace.tasks.find(name)
        title = fact_sentence(task.title, language)
        note = translate("class.picked", language, title=title, training=task.training, heldout=task.heldout)
        return note, gr.update(choices=self._availability.tasks(self._uploads.of(host), language), value=name)


def entry(room: Room, host: str, page: str, language: str, network: Network) -> dict[str, Any]:
    """How phones enter a room: code, addresses, QR code and hint. page: the page's address in the presenter's browser."""
    home, hint = phones_base(page, network)
    without_code = f"{home}{BASE.lstrip('/')}/room"
    address = f"{without_code}/{room.code}"
    return {
        "code": room.code,
        "host": host,
        "address": address,
        "entry": without_code,
        "qr": qr(address),
        "hint": translate(hint, language) if hint else "",
        "command": COMMANDS.get(hint, ""),
    }


def routes(rooms: Rooms) -> list[Route]:
    """The routes that require the presenter's token, `?host=…`."""
    presenter = PresenterRoutes(rooms)
    return [
        Route(BASE + "/class/{code}/state", presenter.state),
        Route(BASE + "/class/{code}/pictures/{number:int}", presenter.picture),
    ]


class PresenterRoutes:
    """Serves a room to its presenter."""

    def __init__(self, rooms: Rooms):
        self._rooms = rooms

    async def state(self, request: Request) -> Response:
        """The room's state, with (number, class) of the latest pictures, the newest first."""
        room = self._room(request)
        if room is None:
            return JSONResponse({"error": "no such room"}, status_code=404, headers=NEVER)
        body = await run_in_threadpool(lambda: {**room.state(), "latest": room.latest()})
        return JSONResponse(body, headers=NEVER)

    async def picture(self, request: Request) -> Response:
        """One picture, as re-encoded when it was sent."""
        room = self._room(request)
        jpeg = room.picture(request.path_params["number"]) if room else None
        if jpeg is None:
            return JSONResponse({"error": "no such picture"}, status_code=404, headers=NEVER)
        return Response(jpeg, media_type="image/jpeg", headers={**NEVER, "X-Content-Type-Options": "nosniff"})

    def _room(self, request: Request) -> Room | None:
        room = self._rooms.of(request.query_params.get("host", ""))
        return room if room and room.code == request.path_params["code"] and not room.is_over else None
