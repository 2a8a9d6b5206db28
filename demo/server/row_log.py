"""The append-only log of one race: rows, their events, and their JSON texts."""

from __future__ import annotations

import json
from typing import Any

from engine import Event

# Rows that a classroom phone draws; the page reads all rows
LIGHT = frozenset(
    {
        "RaceStarted",
        "PhaseStarted",
        "Evaluated",
        "PreviewPredicted",
        "Finished",
        "RaceFinished",
        "Standing",
        "Preparing",
        "Ended",
    }
)

Row = dict[str, Any]  # flat, "event" names its type


class RowLog:
    """Append-only rows. An index stays valid, so readers need no lock.

    `rows`, `events` and `texts` are parallel lists; `light` holds the texts that a phone draws, with its own indexes.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.events: list[Event | None] = []  # None for rows that no engine event produced
        self.texts: list[str] = []  # JSON
        self.light: list[str] = []
        self.is_closed = False

    def append(self, row: Row, event: Event | None = None) -> None:
        """Append a row and the event it was made from. The text is appended last, because readers count the texts."""
        text = json.dumps(row, allow_nan=False, separators=(",", ":"))  # JSON.parse rejects NaN
        self.rows.append(row)
        self.events.append(event)
        self.texts.append(text)
        if row["event"] in LIGHT:
            self.light.append(text)

    def close(self) -> None:
        """Mark the log as complete."""
        self.is_closed = True
