"""The command line of the load test: starts a server, measures it from outside, and prints a table."""

from __future__ import annotations

import argparse
import asyncio
import sys

from demo.load.clicks import measure_clicks
from demo.load.page import Page
from demo.load.phones import measure_phones
from demo.load.report import Measurement, table
from demo.load.server import running_server, serve
from demo.load.viewers import measure_viewers, watch


def main(arguments: list[str] | None = None) -> int:
    """Print a Markdown table of targets and results. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo.load", description="Measures the page with a classroom on it.")
    for name, count in (("viewers", 200), ("phones", 60), ("reconnects", 20), ("starts", 100)):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--epochs", type=int, help="a shorter race, to try this out")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parsed = parser.parse_args(arguments)
    if parsed.serve:
        serve()
        return 0
    print(table(asyncio.run(measure(parsed))))
    return 0


async def measure(parsed: argparse.Namespace) -> list[Measurement]:
    """One session: a race alone, one with viewers, another alone, one with phones, and many clicks on Start at once."""
    async with running_server() as (client, port):
        page = Page(client, (await client.get("/config")).json(), parsed.epochs)
        races = []
        for count in (0, parsed.viewers, 0):
            races.append(await watch(page, port, count))
            times = ", ".join(f"{racer} {seconds:.1f} s" for racer, seconds in races[-1].racer_seconds.items())
            print(f"a race with {count} viewers besides its owner: {times}", file=sys.stderr, flush=True)
        before, full, after = races
        measurements = measure_viewers(full, [before, after])
        measurements += await measure_phones(page, port, parsed.phones, parsed.reconnects)
        return measurements + await measure_clicks(page, parsed.starts)


if __name__ == "__main__":
    sys.exit(main())
