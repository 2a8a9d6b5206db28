"""Builds the page and launches it: `python app.py`."""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # nothing leaves this machine

from starlette.middleware import Middleware

from demo import classroom, files, language, look, page, stream, viewer, words
from demo.hub import END, GRACE, Hub
from demo.limits import Limits
from demo.offer import Offer
from demo.rooms import Rooms
from demo.shelf import Shelf
from engine import HeadStartError, Plan, add_backbone_text, add_task, finish, load_embedded, survey


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM. Returns the exit code: 0, or 1 after one sentence on what is wrong."""
    asked = _parser().parse_args(arguments)
    try:
        grace = float(os.environ.get("HEADSTART_GRACE", GRACE))
    except ValueError:
        print(
            f"Head Start cannot start: HEADSTART_GRACE is {os.environ['HEADSTART_GRACE']!r}; give seconds", file=sys.stderr
        )
        return 1
    try:
        limits = Limits.from_environment()
    except HeadStartError as error:
        print(f"Head Start cannot start: {error}", file=sys.stderr)
        return 1
    auth = os.environ.get("HEADSTART_AUTH", "")
    if auth and not all(auth.partition(":")[::2]):
        print("Head Start cannot start: HEADSTART_AUTH is not of the form user:password", file=sys.stderr)
        return 1
    hub, offer, shelf = Hub(grace, limits=limits), Offer(), Shelf()
    rooms, broadcast = Rooms(hub, shelf.give_away), stream.Broadcast()
    signal.signal(signal.SIGTERM, _leave)
    try:
        for path in asked.pictures:
            print(f"Looking through {path} …")
            add_task(path.name, finish(survey(path, path.stem)))
        for text in asked.weights:
            add_backbone_text(text)
        blocks = page.build(hub, offer, shelf, rooms)
    except HeadStartError as error:
        print(f"Head Start cannot start: {error}", file=sys.stderr)
        return 1
    try:
        hub.add_recording("recorded", page.RECORDING)
    except HeadStartError as error:
        print(f"No recorded race is shown: {error}", file=sys.stderr)
    warming = threading.Thread(target=warm_up, args=(hub, offer), daemon=True)
    warming.start()
    routes = [
        *stream.routes(hub, broadcast),
        *files.routes(hub),
        *viewer.routes(hub, rooms, broadcast),
        *classroom.routes(rooms),
    ]
    blocks.queue(max_size=64, default_concurrency_limit=4)
    try:
        blocks.launch(
            theme=look.theme(),
            css=look.css(),
            i18n=words.translations(),
            footer_links=["api"],
            max_threads=80,
            max_file_size="300mb",
            strict_cors=True,
            auth=(auth.partition(":")[0], auth.partition(":")[2]) if auth else None,
            mcp_server=not auth and importlib.util.find_spec("mcp") is not None,  # MCP asks for no login
            app_kwargs={"routes": routes, "middleware": [Middleware(language.InAddress)]},
        )
    except OSError as error:  # the port is taken
        print(f"Head Start cannot start: {error}", file=sys.stderr)
        return 1
    finally:
        blocks.close(verbose=False)  # Gradio deletes what is left of uploads
        warming.join(END)
        rooms.close()
        hub.close()
        shelf.close()
    return 0


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """End as after Ctrl-C, so that visitors' pictures are deleted."""
    raise SystemExit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Serves the page; GRADIO_SERVER_PORT and GRADIO_SERVER_NAME say where.")
    parser.add_argument("--pictures", type=Path, nargs="+", default=[], metavar="PATH", help="sets for everybody")
    parser.add_argument(
        "--weights",
        nargs="+",
        default=[],
        metavar="NAME=FILE:PX:NORMALISATION",
        help="checkpoints of your own for everybody",
    )
    return parser


def warm_up(hub: Hub, offer: Offer) -> None:
    """While the first visitor looks around: decode the pictures, time the machine, ask what can be had from elsewhere."""
    try:
        load_embedded()
        hub.expected_seconds(Plan())
        offer.refresh()
    except HeadStartError as error:
        print(f"No race can be run yet: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
