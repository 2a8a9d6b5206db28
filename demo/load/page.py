"""The page as a browser calls it: its own endpoints, with the initial values of its widgets."""

from __future__ import annotations

import time
from typing import Any

import httpx

from demo.controls import ORDER
from demo.server.http import BASE
from demo.server.row_log import Row


class Page:
    """Clicks and requests of visitors."""

    def __init__(self, client: httpx.AsyncClient, config: Row, epochs: int | None):
        """config: Gradio's description of the page, from `/config`. epochs: of each race; None for the default."""
        self._client = client
        values = {component["id"]: component["props"].get("value") for component in config["components"]}
        names = ("start", "stop", "preview")
        self._handlers = {each["api_name"]: each for each in config["dependencies"] if each["api_name"] in names}
        settings = [values[k] for k in self._handlers["preview"]["inputs"]][-len(ORDER) :]  # the widgets come last
        self._settings = [epochs if epochs and name == "epochs" else v for name, v in zip(ORDER, settings, strict=True)]

    async def start(self, visitor: str) -> tuple[str, str, float]:
        """Click Start. Returns (race id or "", the sentence of a refusal or "", seconds until the response)."""
        seconds, (_, value) = await self._click("start", [{"visitor": visitor}, *self._settings], visitor)
        return value.get("race", ""), value.get("alert", ""), seconds

    async def stop(self, visitor: str, race: str) -> None:
        """Click Stop."""
        await self._click("stop", [{"visitor": visitor, "race": race}], visitor)

    async def change(self, visitor: str) -> float:
        """Move a slider, as a page also does when it opens. Returns the seconds until its sentences and drawings are new."""
        return (await self._click("preview", self._settings, visitor))[0]

    async def rows(self, race: str) -> list[Row]:
        """All rows in the log of a race."""
        return (await self._client.get(f"{BASE}/races/{race}/rows")).json()["rows"]  # type: ignore[no-any-return]

    async def room(self, race: str) -> str:
        """Open a room that shows this race. Returns its code."""
        return (await self._client.get(f"{BASE}/load/room", params={"race": race})).json()  # type: ignore[no-any-return]

    async def load(self, race: str = "") -> Row:
        """What the server measures of itself: see `server.serve`."""
        return (await self._client.get(f"{BASE}/load", params={"race": race})).json()  # type: ignore[no-any-return]

    async def _click(self, name: str, values: list[Any], visitor: str) -> tuple[float, list[Any]]:
        began, handler = time.perf_counter(), self._handlers[name]
        session = [None] * (len(handler["inputs"]) - len(values))  # first inputs: state that the server stores
        body = {"data": session + values, "fn_index": handler["id"], "session_hash": visitor}
        response = await self._client.post("/gradio_api/run/predict", json=body)
        return time.perf_counter() - began, response.raise_for_status().json()["data"]
