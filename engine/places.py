"""Where a file may be had: the cache folder, mirrors and publishers, and whether they answer. Keeps and checks nothing."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import time
from email.utils import formatdate, mktime_tz, parsedate_tz
from http.client import HTTPException, HTTPMessage, HTTPResponse
from io import BufferedReader
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener, getproxies, proxy_bypass, url2pathname

from engine.strings import Line

SILENCE = 20.0  # seconds without a byte after which a connection counts as interrupted
PROBE, REMEMBERED = 2.0, 60.0  # seconds to wait for a host, and for which its answer is believed

_answers: dict[tuple[str, int], tuple[float, str]] = {}  # (host, port): when it was asked, what came of it
_answers_lock = threading.Lock()


class RefusedError(Exception):
    """One place does not give the file; the next may."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why  # in a few words


def home() -> Path:
    """The folder of everything that was fetched: HEADSTART_HOME, else `headstart` in the user's cache folder."""
    named = os.environ.get("HEADSTART_HOME")
    if named:
        return Path(named).expanduser().absolute()
    usual = {"win32": ("LOCALAPPDATA", "AppData/Local"), "darwin": ("", "Library/Caches")}
    variable, folder = usual.get(sys.platform, ("XDG_CACHE_HOME", ".cache"))
    return Path(os.environ.get(variable) or Path.home() / folder) / "headstart"


def reachable(url: str) -> str:
    """Empty if the place answers, else the reason in words. A host has 2 s, and its answer is believed for a minute.

    The 2 s are those of the connection; to find the host's number the system takes its own time.
    """
    place = _place(url)
    if isinstance(place, Path):
        return "" if place.exists() else Line("place.gone", path=place)
    if is_offline():
        return Line("place.no_network")
    parts = urlsplit(place)
    proxy = getproxies().get(parts.scheme, "")
    if proxy and not proxy_bypass(parts.hostname or ""):
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    with _answers_lock:
        asked, reason = _answers.get((host, port), (0.0, ""))
    if asked and time.monotonic() - asked < REMEMBERED:
        return reason
    try:
        socket.create_connection((host, port), timeout=PROBE).close()
        reason = ""
    except OSError as error:
        reason = Line("place.silent", host=host, why=in_words(error))
    with _answers_lock:
        _answers[host, port] = (time.monotonic(), reason)
    return reason


def is_offline() -> bool:
    """Whether no network is to be used."""
    return os.environ.get("HEADSTART_OFFLINE", "") not in ("", "0")


def candidates(file: str, url: str) -> list[str | Path]:
    """Where a file may be had, in order: each mirror under both of its names, then its publisher."""
    mirrors = re.findall(r"[^,\s]+", os.environ.get("HEADSTART_MIRROR", ""))
    bare = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
    names = [name for name in dict.fromkeys((file, bare)) if name]
    return [*(_place(mirror, name) for mirror in mirrors for name in names), _place(url)]


def open_place(place: str | Path, part: Path, is_checked: bool) -> HTTPResponse | BufferedReader:
    """The place, opened where the part ends if it can do that.

    Raises RefusedError for a path that cannot be read, and what urllib raises for a host.
    """
    if isinstance(place, Path):
        try:
            return place.open("rb")
        except FileNotFoundError:
            raise RefusedError(Line("place.missing")) from None
        except OSError as error:
            raise RefusedError(in_words(error)) from error
    headers = {"User-Agent": "headstart"}
    if part.exists() and part.stat().st_size:
        headers["Range"] = f"bytes={part.stat().st_size}-"
        if not is_checked:  # no checksum would find two versions glued together: only if it has not changed since
            headers["If-Range"] = formatdate(part.stat().st_mtime, usegmt=True)
    opener = build_opener() if is_checked else build_opener(_NoDowngrade)
    response: HTTPResponse = opener.open(Request(place, headers=headers), timeout=SILENCE)
    return response


def announced(source: HTTPResponse | BufferedReader) -> tuple[int, int, float]:
    """The byte at which it starts, the bytes of the whole file (0: unknown), when it was changed (Unix; 0: unknown)."""
    if isinstance(source, BufferedReader):
        return 0, os.fstat(source.fileno()).st_size, 0.0
    parsed = parsedate_tz(source.headers.get("Last-Modified", ""))
    modified = float(mktime_tz(parsed)) if parsed else 0.0
    if source.status != 206:
        return 0, source.length or 0, modified
    match = re.match(r"bytes (\d+)-\d+/(\d*)", source.headers.get("Content-Range", ""))
    return (int(match[1]), int(match[2] or 0), modified) if match else (-1, 0, modified)


def in_words(error: OSError | HTTPException) -> str:
    """What the system says of a failure, without its numbers."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return Line("place.late")
    if isinstance(cause, Exception) and len(cause.args) == 1 and isinstance(cause.args[0], Line):
        return cause.args[0]  # one of ours
    return str(getattr(cause, "strerror", None) or cause or type(cause).__name__)


class _NoDowngrade(HTTPRedirectHandler):
    """Follows redirects, but not from https to http: without a checksum nobody would see that the file was changed."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if req.type == "https" and not newurl.lower().startswith("https:"):
            raise HTTPError(req.full_url, code, Line("place.downgrade"), headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _place(base: str, name: str = "") -> str | Path:
    """A URL for what only the network has, a path for what lies on a disk."""
    if base.lower().startswith(("http://", "https://")):
        return f"{base.rstrip('/')}/{quote(name)}" if name else base
    folder = Path(url2pathname(urlsplit(base).path)) if base.lower().startswith("file:") else Path(base).expanduser()
    return folder / name
