"""Clicks on Start by many visitors at once: whether each is served or refused, and how long another visitor waits."""

from __future__ import annotations

import asyncio
import secrets

from demo.load.page import Page
from demo.load.report import Measurement

RESPONSE = 1.0  # seconds until a click meanwhile is answered, a target of issue 5


async def measure_clicks(page: Page, count: int) -> list[Measurement]:
    """`count` visitors click Start at the same time, while one more moves a slider."""
    visitors = [secrets.token_urlsafe(8) for _ in range(count + 1)]
    for visitor in visitors:  # all have their pages open
        await page.change(visitor)
    starts = asyncio.gather(*(page.start(visitor) for visitor in visitors[1:]))
    await asyncio.sleep(0.05)  # so that the slider's request comes after all others
    change_seconds = await page.change(visitors[0])
    responses = await starts
    await asyncio.sleep(1)
    races = [race for race, _, _ in responses if race]
    logs = [await page.rows(race) for race in races]
    running = sum(any(row["event"] == "RaceStarted" for row in log) and log[-1]["event"] != "Ended" for log in logs)
    refused = [alert for race, alert, _ in responses if not race and alert]
    slowest = max(seconds for _, _, seconds in responses)
    unanswered = count - len(races) - len(refused)
    return [
        (
            f"{count} Start clicks at once",
            "one race, the rest queued or refused with a sentence",
            f"{running} race, {len(races) - running} queued, {len(refused)} refused, {unanswered} lost",
        ),
        ("a click meanwhile", f"≤ {RESPONSE:.0f} s", f"{change_seconds:.2f} s; the slowest Start {slowest:.2f} s"),
    ]
