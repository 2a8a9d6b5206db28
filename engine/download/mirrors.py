"""Sources of files: the cache folder, mirrors and publishers; whether they answer, and a connection to one of them."""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate, mktime_tz, parsedate_tz
from functools import partial
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass, url2pathname

import httpx
import platformdirs

from engine.i18n.messages import Message

READ_TIMEOUT = 20.0  # seconds without a byte after which a connection counts as interrupted
CONNECT_TIMEOUT = 2.0  # seconds to wait for a host
CHUNK_SIZE = 1 << 18  # bytes
# Errors before the first byte, which a second attempt would repeat
NOT_CONNECTED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.ProxyError,
    httpx.TooManyRedirects,
    httpx.UnsupportedProtocol,
)


class RefusedError(Exception):
    """One source does not provide the file; the next one may."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def home() -> Path:
    """The folder of all downloaded files: HEADSTART_HOME, else `headstart` in the user's cache folder."""
    folder = os.environ.get("HEADSTART_HOME")
    if folder:
        return Path(folder).expanduser().absolute()
    return platformdirs.user_cache_path("headstart", appauthor=False, opinion=False)


class Reachability:
    """Whether sources answer. Each host is tried once per instance."""

    def __init__(self) -> None:
        self._reasons: dict[tuple[str, int], str] = {}  # (host, port): why it does not answer; "" where it does

    def reason(self, url: str) -> str:
        """Return "" if the source answers within CONNECT_TIMEOUT, else the reason.

        The timeout applies to the connection only, not to the DNS lookup.
        """
        location = _locate(url)
        if isinstance(location, Path):
            return "" if location.exists() else Message("place.gone", path=location)
        if is_offline():
            return Message("place.no_network")
        parts = urlsplit(location)
        proxy = getproxies().get(parts.scheme, "")
        if proxy and not proxy_bypass(parts.hostname or ""):
            parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        host = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        if host not in self._reasons:
            try:
                socket.create_connection(host, timeout=CONNECT_TIMEOUT).close()
                self._reasons[host] = ""
            except OSError as error:
                self._reasons[host] = Message("place.silent", host=host[0], why=error_text(error))
        return self._reasons[host]


def is_offline() -> bool:
    """Whether HEADSTART_OFFLINE forbids the network."""
    return os.environ.get("HEADSTART_OFFLINE", "") not in ("", "0")


def candidates(file: str, url: str) -> list[str | Path]:
    """The sources of a file in order: each mirror under both names of the file, then the publisher."""
    mirrors = re.findall(r"[^,\s]+", os.environ.get("HEADSTART_MIRROR", ""))
    url_name = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
    names = [name for name in dict.fromkeys((file, url_name)) if name]
    return [*(_locate(mirror, name) for mirror in mirrors for name in names), _locate(url)]


@dataclass(frozen=True)
class Source:
    """An open file or connection."""

    start: int  # offset of the first chunk in bytes; -1 = not stated
    length: int  # bytes of the whole file; 0 = unknown
    modified: float  # modification time, Unix seconds; 0 = unknown
    chunks: Iterator[bytes]


@contextmanager
def open_source(location: str | Path, part: Path, is_checked: bool, read_timeout: float = READ_TIMEOUT) -> Iterator[Source]:
    """Open a path or a URL, resuming at the end of the file `part` where the server can do that.

    `is_checked`: whether a checksum of the file is known. Raises RefusedError for an unreadable path and for an HTTP error,
    ConnectionError for a part that is longer than the file (the part is deleted), and httpx errors for a connection.
    """
    if isinstance(location, Path):
        with _open_file(location) as file:
            yield Source(0, os.fstat(file.fileno()).st_size, 0.0, iter(partial(file.read, CHUNK_SIZE), b""))
        return
    headers = {"User-Agent": "headstart", "Accept-Encoding": "identity"}
    if part.exists() and part.stat().st_size:
        headers["Range"] = f"bytes={part.stat().st_size}-"
        if not is_checked:  # without a checksum, parts of two versions could be joined: resume only an unchanged file
            headers["If-Range"] = formatdate(part.stat().st_mtime, usegmt=True)
    with _client(is_checked, read_timeout) as client, client.stream("GET", location, headers=headers) as response:
        if response.is_success:
            yield _source(response)
            return
        reason = Message("place.answers", code=response.status_code, reason=response.reason_phrase)
        if response.status_code != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise RefusedError(reason)
        part.unlink(missing_ok=True)  # longer than the file: it is a part of another file
        raise ConnectionError(reason)


def refuse_downgrade(response: httpx.Response) -> None:
    """Raise RefusedError for a redirect from https to http: without a checksum, manipulation would go unnoticed."""
    target = response.url.join(response.headers.get("Location", ""))
    if response.has_redirect_location and response.url.scheme == "https" and target.scheme != "https":
        raise RefusedError(Message("place.answers", code=response.status_code, reason=Message("place.downgrade")))


def error_text(error: Exception) -> str:
    """The text of an OSError or httpx error, without error numbers; a Message where the error holds one."""
    cause: BaseException = error
    while isinstance(error, httpx.HTTPError) and cause.__context__:  # wraps an httpcore error, which wraps the system's
        cause = cause.__context__
    if isinstance(cause, TimeoutError) or isinstance(error, httpx.TimeoutException):
        return Message("place.late")
    if len(cause.args) == 1 and isinstance(cause.args[0], Message):
        return cause.args[0]
    return str(getattr(cause, "strerror", None) or cause or type(cause).__name__)


def _open_file(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise RefusedError(Message("place.missing")) from None
    except OSError as error:
        raise RefusedError(error_text(error)) from error


def _client(is_checked: bool, read_timeout: float) -> httpx.Client:
    """A client with the certificates of the system, because a school's proxy may use a private one."""
    try:
        return httpx.Client(
            follow_redirects=True,
            timeout=read_timeout,
            verify=ssl.create_default_context(),
            event_hooks={} if is_checked else {"response": [refuse_downgrade]},
        )
    except (ImportError, ValueError) as error:  # the environment names a proxy of an unknown scheme, or SOCKS
        raise RefusedError(str(error)) from error


def _source(response: httpx.Response) -> Source:
    parsed = parsedate_tz(response.headers.get("Last-Modified", ""))
    modified = float(mktime_tz(parsed)) if parsed else 0.0
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        return Source(0, int(response.headers.get("Content-Length", 0)), modified, _chunks(response))
    match = re.match(r"bytes (\d+)-\d+/(\d*)", response.headers.get("Content-Range", ""))
    start, length = (int(match[1]), int(match[2] or 0)) if match else (-1, 0)
    return Source(start, length, modified, _chunks(response))


def _chunks(response: httpx.Response) -> Iterator[bytes]:
    """The bytes of the body. An early end is no error where the length is known, because the caller compares the length."""
    try:
        yield from response.iter_raw()
    except httpx.RemoteProtocolError:
        if "Content-Length" not in response.headers:
            raise


def _locate(base: str, name: str = "") -> str | Path:
    """A URL for http and https, a path for files and folders."""
    if base.lower().startswith(("http://", "https://")):
        return f"{base.rstrip('/')}/{quote(name)}" if name else base
    folder = Path(url2pathname(urlsplit(base).path)) if base.lower().startswith("file:") else Path(base).expanduser()
    return folder / name
