"""The address at which phones reach this page, or why they cannot, and its QR code."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import segno

QUIET_ZONE = 4  # white modules around a QR code (ISO/IEC 18004)
ALL_INTERFACES = ("0.0.0.0", "::")  # values of GRADIO_SERVER_NAME that admit other machines
COMMANDS = {  # hint -> the command line that lets phones in
    "class.local": "GRADIO_SERVER_NAME=0.0.0.0 python app.py",
    "class.outside": "HEADSTART_ADDRESS=http://192.168.1.20:7860",
}
MAX_LENGTH = 300  # characters of the page's address


def lan_address(make_socket: Callable[[int, int], socket.socket] = socket.socket) -> str | None:
    """This machine's address in the local network; None without one. Connecting a UDP socket sends nothing."""
    with make_socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a documentation address (RFC 5737): only the route is looked up
        except OSError:
            return None
        name = str(probe.getsockname()[0])
    return None if name.startswith("127.") else name


def is_in_container() -> bool:
    """Whether this runs in Docker or Podman, whose inner network phones cannot reach."""
    return any(Path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv"))


@dataclass(frozen=True)
class Network:
    """How this machine finds out where it is; tests pass functions of their own."""

    lan_address: Callable[[], str | None] = lan_address
    is_in_container: Callable[[], bool] = is_in_container


def phones_base(base: str, network: Network = Network()) -> tuple[str, str]:
    """The page's address for phones, and the message key of a hint about it ("" for none).

    base: the page's address in the presenter's browser. The result is HEADSTART_ADDRESS where it is set; on a Space its
    host; for a page opened as localhost, the address in the local network if the server listens to other machines.
    Otherwise `base` stays, with the hint "class.local" where the server must listen to other machines first, or
    "class.outside" where it cannot know its address (in a container, or without a network). An invalid `base` is treated
    as localhost.
    """
    if configured := os.environ.get("HEADSTART_ADDRESS", "").strip():
        return configured.rstrip("/") + "/", ""
    if space := os.environ.get("SPACE_HOST"):
        return f"https://{space}/", ""
    try:
        url = urlsplit(base[:MAX_LENGTH])
        name, port = url.hostname, url.port
    except ValueError:
        name, port, url = None, None, urlsplit("")
    if url.scheme not in ("http", "https") or not name:
        return "http://127.0.0.1/", "class.local"
    if name != "localhost" and not name.startswith("127.") and name != "::1":
        return base[:MAX_LENGTH], ""
    if os.environ.get("GRADIO_SERVER_NAME") not in ALL_INTERFACES:
        return base[:MAX_LENGTH], "class.local"
    if network.is_in_container() or not (lan := network.lan_address()):
        return base[:MAX_LENGTH], "class.outside"
    return f"{url.scheme}://{lan}{f':{port}' if port else ''}{url.path}", "class.lan"


def qr(address: str) -> str:
    """A QR code as SVG, dark on white with its quiet zone, whatever the page's colours are."""
    code = segno.make(address, error="m", micro=False)
    return str(code.svg_inline(border=QUIET_ZONE, omitsize=True, dark="#000", light="#fff"))
