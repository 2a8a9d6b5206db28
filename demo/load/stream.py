"""An event stream as a browser or phone reads it, and checks of what arrived when."""

from __future__ import annotations

import asyncio
import json
import re
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from demo.server.row_log import Row

TOLERANCE = 1.0  # seconds: rows appended so shortly before a reader was cut off may be missing


@dataclass
class StreamClient:
    """One open stream. Stores bytes as they arrive and parses them only afterwards, so that reading costs little CPU."""

    raw: bytearray = field(default_factory=bytearray)
    ends: list[int] = field(default_factory=list)  # length of `raw` after each arrival
    times: list[float] = field(default_factory=list)  # Unix time of each arrival
    opened: float = 0.0

    async def read(self, port: int, path: str, seconds: float | None = None) -> None:
        """Read until the stream ends, or for this many seconds."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        self.opened = time.time()
        writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())  # 1.0: no chunks to take apart
        try:
            async with asyncio.timeout(seconds):
                while data := await reader.read(1 << 18):
                    self.raw += data
                    self.ends.append(len(self.raw))
                    self.times.append(time.time())
        except TimeoutError:
            pass
        finally:
            writer.close()

    def messages(self) -> list[tuple[float, int, list[Row]]]:
        """(time of arrival, index of the next row, rows) of every complete message."""
        messages = []
        for match in re.finditer(rb"id: (\d+)\ndata: (\[.*\])\n\n", self.raw):
            arrived = self.times[bisect_left(self.ends, match.end())]
            messages.append((arrived, int(match[1]), json.loads(match[2])))
        return messages

    @property
    def is_complete(self) -> bool:
        """Whether the end message of the stream arrived."""
        return b"event: end\n" in self.raw


def delays(client: StreamClient, appended: Sequence[float], since: float) -> list[float]:
    """Seconds from the append of each row to its arrival, of the rows appended after `since`.

    appended: Unix time of the append of each row.
    """
    seconds = []
    for arrived, count, rows in client.messages():
        seconds += [arrived - begin for begin in appended[count - len(rows) : count] if begin >= since]
    return seconds


def is_gapless(received: Sequence[Row], expected: Sequence[Row], appended: Sequence[float], until: float) -> bool:
    """Whether a reader that was cut off at `until` received, in order, every row appended up to TOLERANCE before."""
    is_prefix = list(received) == list(expected[: len(received)])
    return is_prefix and len(received) >= max(1, bisect_left(appended, until - TOLERANCE))
