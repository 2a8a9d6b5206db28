"""Viewers of one race: whether they get every row in time, and what they cost the server."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from demo.load.page import Page
from demo.load.report import Measurement, percentile
from demo.load.stream import StreamClient, delays
from demo.server.http import BASE
from demo.server.row_log import Row

# Targets of issue 5
LATENCY = 0.150  # seconds from a row's append to its arrival, 95th percentile
SERVER_SHARE = 25.0  # of one core, %, beyond the training
SLOWDOWN = 5.0  # of the training, %
SETTLE = 2.0  # seconds from the last opened stream to the first counted row


@dataclass(frozen=True)
class WatchedRace:
    """A race and all its viewers."""

    rows: list[Row]
    viewers: list[StreamClient]
    appended: list[float]  # Unix time of the append of each row
    server_share: float  # CPU time of the server beyond its racers, % of one core
    racer_seconds: dict[str, float]  # racer -> its compute seconds


async def watch(page: Page, port: int, count: int) -> WatchedRace:
    """Run one race with its owner's stream and `count` others. Raises RuntimeError where it is refused."""
    visitor = secrets.token_urlsafe(8)
    race, alert, _ = await page.start(visitor)
    if alert:
        raise RuntimeError(alert)
    viewers = [StreamClient() for _ in range(count + 1)]
    began, first = time.perf_counter(), await page.load()
    owners = f"{BASE}/races/{race}/events?visitor={visitor}"
    paths = [owners, *[f"{BASE}/races/{race}/events"] * count]
    await asyncio.gather(*(viewer.read(port, path) for viewer, path in zip(viewers, paths, strict=True)))
    wall, last = time.perf_counter() - began, await page.load(race)
    beyond = (last["cpu"] - first["cpu"]) - (last["racers"] - first["racers"])
    rows = await page.rows(race)
    racer_seconds = {row["racer"]: row["seconds"] for row in rows if row["event"] == "Finished"}
    return WatchedRace(rows, viewers, last["times"], 100 * beyond / wall, racer_seconds)


def measure_viewers(full: WatchedRace, alone: Sequence[WatchedRace]) -> list[Measurement]:
    """Completeness, rate and latency of the viewers' streams; cost against the races without viewers."""
    received = [[row for _, _, rows in viewer.messages() for row in rows] for viewer in full.viewers]
    complete = sum(viewer.is_complete and rows == full.rows for viewer, rows in zip(full.viewers, received, strict=True))
    since = max(viewer.opened for viewer in full.viewers) + SETTLE
    late = [delay for viewer in full.viewers for delay in delays(viewer, full.appended, since)]
    messages = full.viewers[-1].messages()
    rate = (len(messages) - 1) / max(1e-9, messages[-1][0] - messages[0][0])
    base = {racer: sum(race.racer_seconds[racer] for race in alone) / len(alone) for racer in full.racer_seconds}
    slowed = 100 * (sum(full.racer_seconds.values()) / sum(base.values()) - 1)
    difference = abs(sum(alone[0].racer_seconds.values()) - sum(alone[-1].racer_seconds.values()))
    spread = 100 * difference / sum(base.values())
    quiet = sum(race.server_share for race in alone) / len(alone)
    count = len(full.viewers)
    return [
        (f"every row delivered to {count} viewers", f"{count}", f"{complete} ({len(full.rows):,} rows each)"),
        ("updates a second to each", "≥ 5", f"{rate:.1f}"),
        ("from a row's append to its arrival, p50", "", f"{1000 * percentile(late, 0.5):.0f} ms"),
        ("the same, p95", f"≤ {1000 * LATENCY:.0f} ms", f"{1000 * percentile(late, 0.95):.0f} ms"),
        (
            "server beyond the training",
            f"≤ {SERVER_SHARE:.0f} % of a core",
            f"{full.server_share:.0f} % (without viewers {quiet:.0f} %)",
        ),
        ("training slowed", f"≤ {SLOWDOWN:.0f} %", f"{slowed:.1f} % (two races alone differ by {spread:.1f} %)"),
    ]
