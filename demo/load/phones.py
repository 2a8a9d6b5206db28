"""Phones that join a room, and phones that lose their connection: whether each gets every row that phones are sent."""

from __future__ import annotations

import asyncio
import math
import random
import secrets
import time

from demo.load.page import Page
from demo.load.report import Measurement
from demo.load.stream import StreamClient, is_gapless
from demo.server.http import BASE
from demo.server.row_log import LIGHT, Row

JOIN = 10.0  # seconds within which all phones join, a target of issue 5
DURATION = 1.5 * JOIN  # seconds after which the phones that join leave again


async def measure_phones(page: Page, port: int, count: int, reconnects: int) -> list[Measurement]:
    """`count` phones that join within JOIN seconds, and `reconnects` others that are cut off twice."""
    visitor = secrets.token_urlsafe(8)
    race, _, _ = await page.start(visitor)
    path = f"{BASE}/races/{race}/events"
    room = f"{BASE}/room/{await page.room(race)}"
    owner = asyncio.create_task(StreamClient().read(port, f"{path}?visitor={visitor}"))
    await asyncio.sleep(2)
    rng = random.Random(0)
    joined, reconnected = await asyncio.gather(
        asyncio.gather(*(_join(port, room, JOIN * k / count) for k in range(count))),
        asyncio.gather(*(_reconnect(port, room, rng) for _ in range(reconnects))),
    )
    rows, times = await page.rows(race), (await page.load(race))["times"]
    await page.stop(visitor, race)
    await owner
    light = [(row, seconds) for row, seconds in zip(rows, times, strict=False) if row["event"] in LIGHT]
    expected, appended = [row for row, _ in light], [seconds for _, seconds in light]
    joined_gapless = sum(is_gapless(received, expected, appended, left) for _, received, left in joined)
    reconnected_gapless = sum(is_gapless(received, expected, appended, left) for received, left in reconnected)
    slowest = max((wait for wait, _, _ in joined), default=0.0)
    return [
        (
            f"{count} phones join within {JOIN:.0f} s",
            f"{count}",
            f"{joined_gapless} without a hole; page and first rows in {1000 * slowest:.0f} ms at most",
        ),
        (f"{reconnects} phones, each cut off twice, without a hole", f"{reconnects}", f"{reconnected_gapless}"),
    ]


async def _join(port: int, room: str, delay: float) -> tuple[float, list[Row], float]:
    """Load the room's page after `delay` seconds and follow its feed. Returns (seconds to the first rows, rows, Unix time
    of leaving).
    """
    await asyncio.sleep(delay)
    began, page, events = time.time(), StreamClient(), StreamClient()
    await page.read(port, room)
    await events.read(port, f"{room}/events?guest={secrets.token_urlsafe(16)}", DURATION - delay)
    received = [(arrived, row) for arrived, _, rows in events.messages() for row in rows if row["event"] in LIGHT]
    return (received[0][0] - began if received else math.inf), [row for _, row in received], time.time()


async def _reconnect(port: int, room: str, rng: random.Random) -> tuple[list[Row], float]:
    """Connect three times, each from where the connection before broke off. Returns (rows, Unix time of leaving)."""
    rows: list[Row] = []
    guest, index = secrets.token_urlsafe(16), 0
    for pause in (0.0, rng.uniform(0.1, 1), rng.uniform(0.1, 1)):
        await asyncio.sleep(pause)
        client = StreamClient()
        await client.read(port, f"{room}/events?guest={guest}&since={index}", rng.uniform(2, 5))
        messages = client.messages()
        rows += [row for _, _, batch in messages for row in batch if row["event"] in LIGHT]
        index = messages[-1][1] if messages else index
    return rows, time.time()
