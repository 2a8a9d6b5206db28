"""Builds the page and launches it: `python app.py`."""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # nothing leaves this machine

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route

from demo import page, theme
from demo.classroom import phone, presenter
from demo.classroom.rooms import Rooms
from demo.i18n import labels, middleware
from demo.server import downloads, scripts, sse
from demo.server.gpu_time import GpuTimeEstimator
from demo.server.limits import Limits
from demo.server.previews import PreviewRoutes
from demo.server.race_queue import END, GRACE, RaceQueue
from demo.server.time_estimator import TimeEstimator
from demo.uploads import form
from demo.uploads.availability import Availability
from demo.uploads.store import UploadStore
from engine import CostEstimator, HeadStartError, Plan, Workspace, run_to_end, scan, this_machine

# The page's HTML is 0.7 MB, packed 0.14 MB. Streams are sent as they are: Starlette leaves text/event-stream out
MIDDLEWARE = [Middleware(GZipMiddleware, compresslevel=5), Middleware(middleware.LanguageMiddleware)]


class App:
    """One server: workspace, race queue, uploads, rooms, and the page."""

    def __init__(self, workspace: Workspace, grace: float, limits: Limits, auth: tuple[str, str] | None) -> None:
        machine = this_machine()
        estimator = TimeEstimator(CostEstimator(workspace, machine), GpuTimeEstimator(workspace))
        self._workspace, self._auth = workspace, auth
        self._queue = RaceQueue(workspace, machine, grace, limits=limits, estimator=estimator)
        self._availability, self._uploads = Availability(workspace), UploadStore(workspace)
        self._rooms = Rooms(self._queue, self._uploads.delete_set)

    def serve(self) -> None:
        """Serve the page until SIGINT or SIGTERM. Raises OSError where no port is free."""
        blocks = page.build(self._queue, self._availability, self._uploads, self._rooms)
        try:
            self._queue.add_recording("recorded", page.RECORDING)
        except HeadStartError as error:
            print(f"No recorded race is shown: {error}", file=sys.stderr)
        warm_up = threading.Thread(target=self._warm_up, daemon=True)
        warm_up.start()
        blocks.queue(max_size=64, default_concurrency_limit=4)
        try:
            blocks.launch(
                theme=theme.theme(),
                css=theme.css(),
                i18n=labels.translations(form.label_values(self._uploads.limits)),
                footer_links=["api"],
                max_threads=80,
                max_file_size="300mb",
                strict_cors=True,
                auth=self._auth,
                mcp_server=not self._auth and importlib.util.find_spec("mcp") is not None,  # MCP has no login
                app_kwargs={"routes": self._routes(), "middleware": MIDDLEWARE},
            )
        finally:
            blocks.close(verbose=False)  # Gradio deletes its uploaded files
            warm_up.join(END)

    def close(self) -> None:
        """End all races and rooms, and delete visitors' pictures."""
        self._rooms.close()
        self._queue.close()
        self._uploads.close()

    def _routes(self) -> list[Route]:
        broadcast = sse.Broadcast()
        return [
            *sse.routes(self._queue, broadcast),
            *scripts.routes(),
            *PreviewRoutes(self._workspace).routes(),
            *downloads.routes(self._queue),
            *phone.routes(self._queue, self._rooms, broadcast),
            *presenter.routes(self._rooms),
        ]

    def _warm_up(self) -> None:
        """In the background: decode the embedded pictures, probe the machine, check which downloads are available."""
        try:
            self._workspace.tasks.tabletop.sheets()
            self._queue.expected_seconds(Plan())
            self._availability.refresh()
        except HeadStartError as error:
            print(f"No race can be run yet: {error}", file=sys.stderr)


def main(arguments: list[str] | None = None, workspace: Workspace | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM. Returns the exit code: 0, or 1 after an error message of one sentence."""
    parsed, workspace = _parser().parse_args(arguments), workspace or Workspace()
    signal.signal(signal.SIGTERM, _exit)
    try:
        app = App(workspace, *_settings())
    except (HeadStartError, ValueError) as error:
        return _refuse(error)
    try:
        for path in parsed.pictures:
            print(f"Looking through {path} …")
            workspace.tasks.add(path.name, run_to_end(scan(path, path.stem)))
        for text in parsed.weights:
            workspace.backbones.add_text(text)
        app.serve()
    except (HeadStartError, OSError) as error:  # OSError: the port is taken
        return _refuse(error)
    finally:
        app.close()
    return 0


def _settings() -> tuple[float, Limits, tuple[str, str] | None]:
    """Settings from the environment: seconds of grace, limits, (user, password). Raises HeadStartError or ValueError."""
    grace, auth = os.environ.get("HEADSTART_GRACE", str(GRACE)), os.environ.get("HEADSTART_AUTH", "")
    try:
        seconds = float(grace)
    except ValueError:
        raise ValueError(f"HEADSTART_GRACE is {grace!r}; give seconds") from None
    user, _, password = auth.partition(":")
    if auth and not (user and password):
        raise ValueError("HEADSTART_AUTH is not of the form user:password")
    return seconds, Limits.from_environment(), (user, password) if auth else None


def _refuse(error: Exception) -> int:
    print(f"Head Start cannot start: {error}", file=sys.stderr)
    return 1


def _exit(_signal: int, _frame: FrameType | None) -> None:
    """Exit as after Ctrl-C, so that visitors' pictures are deleted."""
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


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # in a log or a pipe the address appears at once
    sys.exit(main())
