"""Files come whole or not at all, from a real server on this machine that can cut, refuse and forget."""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine import fetch as fetching
from engine.errors import UnavailableError
from engine.events import Progressed
from engine.fetch import Address, fetch, home, is_here, obtainable

BODY = bytes(range(256)) * 4096  # 1 MiB
MD5 = "md5:" + hashlib.md5(BODY).hexdigest()
MONDAY, TUESDAY = "Mon, 02 Nov 2026 10:00:00 GMT", "Tue, 03 Nov 2026 10:00:00 GMT"


@dataclass
class Site:
    """What the server holds, how it misbehaves, and what it was asked."""

    address: str
    body: bytes = BODY
    paths: tuple[str, ...] = ("/b/bees.zip",)
    cuts: list[int] = field(default_factory=list)  # bytes after which the next connections end
    has_ranges: bool = True
    has_length: bool = True
    is_shifting: bool = False  # sends another range than was asked for
    modified: str = ""
    moved: str = ""
    asked: list[Message] = field(default_factory=list)  # headers, one a request

    @property
    def url(self) -> str:
        return self.address + "/b/bees.zip"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.headers)
        if self.moved and request.path == "/b/bees.zip":
            request.send_response(302)
            request.send_header("Location", self.moved)
            return request.end_headers()
        if request.path not in self.paths:
            return request.send_error(404)
        wanted, known = request.headers.get("Range"), request.headers.get("If-Range")
        start = 0
        if wanted and self.has_ranges and known in (None, self.modified):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(self.body):
                return request.send_error(416)
            request.send_response(206)
            shown = start + self.is_shifting
            request.send_header("Content-Range", f"bytes {shown}-{len(self.body) - 1}/{len(self.body)}")
        else:
            request.send_response(200)
        if self.modified:
            request.send_header("Last-Modified", self.modified)
        if self.has_length:
            request.send_header("Content-Length", str(len(self.body) - start))
        request.end_headers()
        end = start + self.cuts.pop(0) if self.cuts else len(self.body)
        request.wfile.write(self.body[start:end])
        return None


@pytest.fixture(autouse=True)
def quick(own_home: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own, and no waiting."""
    monkeypatch.setattr(fetching, "PAUSE", 0.0)


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(ConnectionError):  # some tests hang up first
                held.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield held
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def closed() -> str:
    """A place where nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def bees(url: str, checksum: str = MD5, size: int = len(BODY)) -> Address:
    return Address(url, "tasks/bees/bees.zip", size, checksum)


def collect(address: Address) -> tuple[list[Progressed], Path]:
    """All facts of a download, and the path it returns."""
    facts, download = [], fetch(address)
    while True:
        try:
            facts.append(next(download))
        except StopIteration as end:
            return facts, end.value


def left_behind() -> list[str]:
    """The files under home, by name."""
    return sorted(path.name for path in home().rglob("*") if path.is_file())


def started(address: Address, come: bytes) -> Path:
    """A part as an earlier try left it."""
    part = address.path.with_name("bees.zip.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(come)
    return part


def refusal(address: Address) -> str:
    with pytest.raises(UnavailableError) as caught:
        list(fetch(address))
    return str(caught.value)


def test_a_file_comes_once(site: Site) -> None:
    address = bees(site.url)
    assert not is_here(address)
    _, path = collect(address)
    assert path == address.path == home() / "tasks" / "bees" / "bees.zip"
    assert path.read_bytes() == BODY
    assert is_here(address)
    assert left_behind() == ["bees.zip"]
    assert site.asked[0]["User-Agent"] == "headstart"
    assert collect(address) == ([], path)
    assert len(site.asked) == 1


def test_the_facts_say_how_far_and_how_fast(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "EVERY", 0.0)
    facts, _ = collect(bees(site.url))
    assert {(fact.work, fact.name, fact.total, fact.unit) for fact in facts} == {
        ("download", "bees.zip", len(BODY), "bytes")
    }
    assert [fact.done for fact in facts] == sorted(fact.done for fact in facts)
    assert facts[0].done == 0
    assert facts[0].left == -1
    assert facts[1].rate > 0
    assert facts[1].left == pytest.approx((len(BODY) - facts[1].done) / facts[1].rate)
    assert (facts[-1].done, facts[-1].left) == (len(BODY), 0)


def test_the_facts_are_few(site: Site) -> None:
    begun = time.monotonic()
    facts, _ = collect(bees(site.url))
    assert len(facts) <= 2 + (time.monotonic() - begun) * 5


def test_the_rate_is_that_of_the_last_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([10.0, 12.0, 14.0])
    monkeypatch.setattr(fetching, "time", SimpleNamespace(monotonic=lambda: next(now)))
    seen = fetching.deque([(0.0, 0)])
    rates = [fetching._progress("x", done, 10_000, seen).rate for done in (1000, 1400, 2000)]
    assert rates == [100, 200, 250]


def test_an_unknown_length_is_not_guessed(site: Site) -> None:
    site.has_length = False
    facts, path = collect(bees(site.url, size=0))
    assert [fact.total for fact in facts] == [0, len(BODY)]
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256"])
@pytest.mark.parametrize("digits", [8, None], ids=["prefix", "whole"])
def test_checksums_may_be_whole_or_their_first_digits(site: Site, kind: str, digits: int | None) -> None:
    list(fetch(bees(site.url, f"{kind}:{hashlib.new(kind, BODY).hexdigest()[:digits].upper()}")))
    assert left_behind() == ["bees.zip"]


def test_a_wrong_checksum_leaves_nothing(site: Site) -> None:
    sentence = refusal(bees(site.url, "md5:0123456789abcdef0123456789abcdef"))
    for word in ("bees.zip", "0123456789ab…", MD5[4:16], "HEADSTART_MIRROR"):
        assert word in sentence
    assert left_behind() == []


def test_a_cut_connection_goes_on_from_where_it_was(site: Site) -> None:
    site.cuts = [300_000, 200_000]
    _, path = collect(bees(site.url))
    assert path.read_bytes() == BODY
    assert [headers["Range"] for headers in site.asked] == [None, "bytes=300000-", "bytes=500000-"]


def test_after_four_cuts_the_part_is_kept_for_the_next_try(site: Site) -> None:
    site.cuts = [100_000] * 4
    sentence = refusal(bees(site.url))
    assert "interrupted 4 times (it ended after 0.4 MB of 1.0 MB)" in sentence
    assert "0.4 MB have come; the next try goes on from there" in sentence
    assert left_behind() == ["bees.zip.part"]
    _, path = collect(bees(site.url))
    assert site.asked[-1]["Range"] == "bytes=400000-"
    assert path.read_bytes() == BODY


def test_a_server_without_ranges_starts_again(site: Site) -> None:
    site.cuts, site.has_ranges = [300_000], False
    _, path = collect(bees(site.url))
    assert path.read_bytes() == BODY
    assert site.asked[1]["Range"] == "bytes=300000-"


def test_a_range_that_was_not_asked_for_is_not_used(site: Site) -> None:
    site.cuts, site.is_shifting = [300_000], True
    _, path = collect(bees(site.url))
    assert path.read_bytes() == BODY
    assert site.asked[-1]["Range"] is None


def test_a_part_longer_than_the_file_is_thrown_away(site: Site) -> None:
    started(bees(site.url), BODY + b"more")
    _, path = collect(bees(site.url))
    assert path.read_bytes() == BODY


def test_a_part_of_something_else_is_found_out(site: Site) -> None:
    started(bees(site.url), b"not bees")
    assert "not the expected file" in refusal(bees(site.url))
    assert left_behind() == []
    assert collect(bees(site.url))[1].read_bytes() == BODY


def test_closing_midway_keeps_the_part_only(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "EVERY", 0.0)
    download = fetch(bees(site.url))
    come = next(fact.done for fact in download if fact.done)
    download.close()
    assert left_behind() == ["bees.zip.part"]
    assert bees(site.url).path.with_name("bees.zip.part").stat().st_size == come
    facts, path = collect(bees(site.url))
    assert facts[0].done == come
    assert site.asked[-1]["Range"] == f"bytes={come}-"
    assert path.read_bytes() == BODY


def test_without_a_checksum_the_first_download_sets_it(site: Site) -> None:
    address = bees(site.url, "")
    _, path = collect(address)
    assert left_behind() == ["bees.zip", "bees.zip.sha256"]
    path.unlink()
    assert collect(address)[1] == path
    path.unlink()
    site.body = BODY[::-1]
    sentence = refusal(address)
    assert "as the first time" in sentence
    assert f"delete {path}.sha256" in sentence
    assert left_behind() == ["bees.zip.sha256"]


def test_without_a_checksum_the_size_must_be_met(site: Site) -> None:
    site.body = b"please accept the conditions of this Wi-Fi"
    assert "it offers 42 bytes, not 1,048,576" in refusal(bees(site.url, ""))
    assert left_behind() == []
    site.has_length = False
    assert "it ended after 0.0 MB of 1.0 MB" in refusal(bees(site.url, ""))
    assert not is_here(bees(site.url))


def test_without_a_checksum_two_versions_are_never_glued_together(site: Site) -> None:
    site.cuts, site.modified = [100_000] * 4, MONDAY
    refusal(bees(site.url, ""))
    site.body, site.modified = BODY[::-1], TUESDAY
    _, path = collect(bees(site.url, ""))
    assert site.asked[-1]["If-Range"] == MONDAY
    assert path.read_bytes() == BODY[::-1]


def test_without_a_checksum_an_unchanged_file_is_resumed(site: Site) -> None:
    site.cuts, site.modified = [100_000] * 4, MONDAY
    refusal(bees(site.url, ""))
    facts, path = collect(bees(site.url, ""))
    assert site.asked[-1]["Range"] == "bytes=400000-"
    assert facts[0].done == 400_000
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("name", ["tasks/bees/bees.zip", "bees-v2.zip"])
def test_a_mirror_folder_needs_no_network(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    stick = tmp_path / "stick"
    (stick / name).parent.mkdir(parents=True)
    (stick / name).write_bytes(BODY)
    monkeypatch.setenv("HEADSTART_MIRROR", f"{tmp_path / 'nothing'}, {stick.as_uri()}")
    monkeypatch.setenv("HEADSTART_OFFLINE", "1")
    assert collect(bees(site.address + "/b/bees-v2.zip?download=1"))[1].read_bytes() == BODY
    assert site.asked == []


@pytest.mark.parametrize("name", ["tasks/bees/bees.zip", "bees.zip"])
def test_a_mirror_url_is_asked_first(site: Site, closed: str, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    site.paths = (f"/mirror/{name}",)
    monkeypatch.setenv("HEADSTART_MIRROR", f"{site.address}/mirror/")
    assert collect(bees(closed + "/b/bees.zip"))[1].read_bytes() == BODY


def test_a_mirror_with_a_damaged_file_is_passed_over(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bees.zip").write_bytes(b"half a bee")
    monkeypatch.setenv("HEADSTART_MIRROR", str(tmp_path))
    assert collect(bees(site.url))[1].read_bytes() == BODY
    assert len(site.asked) == 1


def test_a_file_url_is_copied(tmp_path: Path) -> None:
    (tmp_path / "a b.zip").write_bytes(BODY)
    assert collect(bees((tmp_path / "a b.zip").as_uri()))[1].read_bytes() == BODY


def test_the_refusal_names_every_place_and_what_to_do(
    site: Site, closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_MIRROR", f"{tmp_path / 'stick'} {site.address}/mirror")
    address = bees(closed + "/bees.zip")
    sentence = refusal(address)
    assert sentence.startswith("bees.zip is not to be had here.")
    assert f"{tmp_path}/stick/tasks/bees/bees.zip: not there; {tmp_path}/stick/bees.zip: not there" in sentence
    assert f"{site.address}/mirror/bees.zip: it answers 404 Not Found" in sentence
    assert f"{closed}/bees.zip: Connection refused" in sentence
    assert f"put the file at {address.path}, or name a folder that holds it with HEADSTART_MIRROR" in sentence
    assert left_behind() == []


def test_offline_means_that_nobody_is_asked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_OFFLINE", "1")
    assert "not tried, because HEADSTART_OFFLINE is set" in refusal(bees(site.url))
    assert site.asked == []


@pytest.mark.parametrize("name", ["tasks/bees/bees.zip", "bees-v2.zip"])
def test_offline_a_mirror_folder_still_has_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    address = bees("https://example.org/bees-v2.zip")
    monkeypatch.setenv("HEADSTART_OFFLINE", "1")
    monkeypatch.setenv("HEADSTART_MIRROR", str(tmp_path / "stick"))
    assert obtainable(address) == "no network is used, because HEADSTART_OFFLINE is set"
    (tmp_path / "stick" / name).parent.mkdir(parents=True)
    (tmp_path / "stick" / name).write_bytes(BODY)
    assert obtainable(address) == ""
    assert collect(address)[1].read_bytes() == BODY
    monkeypatch.delenv("HEADSTART_MIRROR")
    assert obtainable(address) == ""  # it is here


def test_a_mirror_or_a_publisher_that_answers_may_have_the_file(
    site: Site, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert obtainable(bees(site.url)) == ""
    assert re.fullmatch("127.0.0.1 does not answer: .+", obtainable(bees(closed + "/bees.zip")))
    monkeypatch.setenv("HEADSTART_MIRROR", site.address)
    assert obtainable(bees(closed + "/bees.zip")) == ""
    assert site.asked == []


def test_a_disk_without_room_is_refused_before_anything_is_written(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100_000_000))
    sentence = refusal(bees(site.url, size=0))
    assert "bees.zip needs 101.0 MB" in sentence
    assert f"{home() / 'tasks' / 'bees'} has 100.0 MB free" in sentence
    assert "HEADSTART_HOME" in sentence
    assert left_behind() == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_disk_that_becomes_full_midway_is_given_back(site: Site) -> None:
    part = started(bees(site.url), b"")
    part.unlink()
    part.symlink_to("/dev/full")
    assert "became full while bees.zip came" in refusal(bees(site.url))
    assert not part.is_symlink()
    assert left_behind() == []


@pytest.mark.skipif(sys.platform == "win32", reason="another kind of rights")
def test_a_home_that_cannot_be_made_is_said(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HEADSTART_HOME", str(tmp_path / "file"))
    assert "Name another place with HEADSTART_HOME" in refusal(bees(site.url))


def test_two_at_once_fetch_it_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "EVERY", 0.0)
    first, second = fetch(bees(site.url)), fetch(bees(site.url))
    come = next(fact.done for fact in first if fact.done)
    assert next(second).done == bees(site.url).path.with_name("bees.zip.part").stat().st_size <= come
    list(first)
    assert list(second) == []
    assert bees(site.url).path.read_bytes() == BODY
    assert len(site.asked) == 1
    assert left_behind() == ["bees.zip"]


def test_the_second_goes_on_where_the_first_gave_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "EVERY", 0.0)
    first, second = fetch(bees(site.url)), fetch(bees(site.url))
    come = next(fact.done for fact in first if fact.done)
    next(second)
    first.close()
    list(second)
    assert site.asked[-1]["Range"] == f"bytes={come}-"
    assert bees(site.url).path.read_bytes() == BODY


def test_many_threads_get_the_same_file(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "EVERY", 0.01)
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(collect(bees(site.url))[1])) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths == [bees(site.url).path] * 6
    assert paths[0].read_bytes() == BODY
    assert len(site.asked) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="locks otherwise")
def test_another_process_is_waited_for_until_it_ends(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "EVERY", 0.0)
    lock = started(bees(site.url), BODY[:1000]).with_name("bees.zip.lock")
    code = (
        "import fcntl, sys; f = open(sys.argv[1], 'ab'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-S", "-c", code, str(lock)], **pipes) as other:  # type: ignore[call-overload]
        other.stdout.readline()
        download = fetch(bees(site.url))
        assert [next(download).done for _ in range(3)] == [1000] * 3
        assert site.asked == []
        other.kill()
    list(download)
    assert bees(site.url).path.read_bytes() == BODY
    assert left_behind() == ["bees.zip"]


def test_a_redirect_is_followed(site: Site) -> None:
    site.paths, site.moved = ("/elsewhere",), site.address + "/elsewhere"
    assert collect(bees(site.url, ""))[1].read_bytes() == BODY
