"""Files arrive complete or not at all, from a local server that can drop connections and refuse requests."""

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

from engine.download.fetch import Address, Meter, Timing, fetch, is_here, obtainable
from engine.download.mirrors import Reachability, home
from engine.errors import UnavailableError
from engine.events import Progressed

BODY = bytes(range(256)) * 4096  # 1 MiB
MD5 = "md5:" + hashlib.md5(BODY).hexdigest()
QUICK = Timing(retry_delay=0.0)
EVERY_CHUNK = Timing(report_interval=0.0, retry_delay=0.0)
MONDAY, TUESDAY = "Mon, 02 Nov 2026 10:00:00 GMT", "Tue, 03 Nov 2026 10:00:00 GMT"


@dataclass
class Site:
    """The content of the server, its faults, and the requests it received."""

    address: str
    body: bytes = BODY
    paths: tuple[str, ...] = ("/b/bees.zip",)
    cuts: list[int] = field(default_factory=list)  # bytes after which the next connections are closed
    has_ranges: bool = True
    has_length: bool = True
    is_shifting: bool = False  # sends another range than requested
    modified: str = ""
    redirect: str = ""  # where requests for bees.zip are sent
    requests: list[Message] = field(default_factory=list)  # headers, one per request

    @property
    def url(self) -> str:
        return self.address + "/b/bees.zip"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.requests.append(request.headers)
        if self.redirect and request.path == "/b/bees.zip":
            request.send_response(302)
            request.send_header("Location", self.redirect)
            return request.end_headers()
        if request.path not in self.paths:
            return request.send_error(404)
        requested, if_range = request.headers.get("Range"), request.headers.get("If-Range")
        start = 0
        if requested and self.has_ranges and if_range in (None, self.modified):
            start = int(requested.removeprefix("bytes=").rstrip("-"))
            if start >= len(self.body):
                return request.send_error(416)
            request.send_response(206)
            first = start + self.is_shifting
            request.send_header("Content-Range", f"bytes {first}-{len(self.body) - 1}/{len(self.body)}")
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


pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(ConnectionError):  # some tests close the connection
                site.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def closed() -> str:
    """An address where no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def bees(url: str, checksum: str = MD5, size: int = len(BODY)) -> Address:
    return Address(url, "tasks/bees/bees.zip", size, checksum)


def collect(address: Address, timing: Timing = QUICK) -> tuple[list[Progressed], Path]:
    """All progress reports of a download, and the path it returns."""
    reports, download = [], fetch(address, timing)
    while True:
        try:
            reports.append(next(download))
        except StopIteration as end:
            return reports, end.value


def files_in_home() -> list[str]:
    """The files under home, by name."""
    return sorted(path.name for path in home().rglob("*") if path.is_file())


def write_part(address: Address, received: bytes) -> Path:
    """Write a part as an earlier attempt leaves it."""
    part = address.path.with_name("bees.zip.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(received)
    return part


def refusal(address: Address, timing: Timing = QUICK) -> str:
    with pytest.raises(UnavailableError) as caught:
        list(fetch(address, timing))
    return str(caught.value)


def unavailable_reason(address: Address) -> str:
    return obtainable(address, Reachability())


def test_a_file_is_downloaded_once(site: Site) -> None:
    address = bees(site.url)
    assert not is_here(address)
    _, path = collect(address)
    assert path == address.path == home() / "tasks" / "bees" / "bees.zip"
    assert path.read_bytes() == BODY
    assert is_here(address)
    assert files_in_home() == ["bees.zip"]
    assert site.requests[0]["User-Agent"] == "headstart"
    assert collect(address) == ([], path)
    assert len(site.requests) == 1


def test_reports_state_progress_and_rate(site: Site) -> None:
    reports, _ = collect(bees(site.url), EVERY_CHUNK)
    assert {(report.work, report.name, report.total, report.unit) for report in reports} == {
        ("download", "bees.zip", len(BODY), "bytes")
    }
    assert [report.done for report in reports] == sorted(report.done for report in reports)
    assert reports[0].done == 0
    assert reports[0].left == -1
    assert reports[1].rate > 0
    assert reports[1].left == pytest.approx((len(BODY) - reports[1].done) / reports[1].rate)
    assert (reports[-1].done, reports[-1].left) == (len(BODY), 0)


def test_reports_are_few(site: Site) -> None:
    started = time.monotonic()
    reports, _ = collect(bees(site.url))
    assert len(reports) <= 2 + (time.monotonic() - started) * 5


def test_the_rate_covers_the_last_few_seconds() -> None:
    now = iter([0.0, 10.0, 12.0, 14.0])
    meter = Meter("x", 0, 10_000, now=lambda: next(now))
    rates = []
    for meter.done in (1000, 1400, 2000):
        rates.append(meter.read().rate)
    assert rates == [100, 200, 250]


def test_an_unknown_length_stays_unknown(site: Site) -> None:
    site.has_length = False
    reports, path = collect(bees(site.url, size=0))
    assert [report.total for report in reports] == [0, len(BODY)]
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
@pytest.mark.parametrize("digits", [8, None], ids=["prefix", "whole"])
def test_checksums_may_be_complete_or_a_prefix(site: Site, algorithm: str, digits: int | None) -> None:
    list(fetch(bees(site.url, f"{algorithm}:{hashlib.new(algorithm, BODY).hexdigest()[:digits].upper()}")))
    assert files_in_home() == ["bees.zip"]


def test_a_wrong_checksum_leaves_no_file(site: Site) -> None:
    sentence = refusal(bees(site.url, "md5:0123456789abcdef0123456789abcdef"))
    for word in ("bees.zip", "0123456789ab…", MD5[4:16], "HEADSTART_MIRROR"):
        assert word in sentence
    assert files_in_home() == []


def test_an_interrupted_download_is_resumed(site: Site) -> None:
    site.cuts = [300_000, 200_000]
    _, path = collect(bees(site.url))
    assert path.read_bytes() == BODY
    assert [headers["Range"] for headers in site.requests] == [None, "bytes=300000-", "bytes=500000-"]


def test_after_four_interruptions_the_part_is_kept(site: Site) -> None:
    site.cuts = [100_000] * 4
    sentence = refusal(bees(site.url))
    assert "interrupted 4 times (it ended after 0.4 MB of 1.0 MB)" in sentence
    assert "0.4 MB have been downloaded; the next attempt resumes there" in sentence
    assert files_in_home() == ["bees.zip.part"]
    _, path = collect(bees(site.url))
    assert site.requests[-1]["Range"] == "bytes=400000-"
    assert path.read_bytes() == BODY


def test_a_server_without_ranges_sends_the_file_again(site: Site) -> None:
    site.cuts, site.has_ranges = [300_000], False
    _, path = collect(bees(site.url))
    assert path.read_bytes() == BODY
    assert site.requests[1]["Range"] == "bytes=300000-"


def test_a_wrong_range_is_not_used(site: Site) -> None:
    site.cuts, site.is_shifting = [300_000], True
    _, path = collect(bees(site.url))
    assert path.read_bytes() == BODY
    assert site.requests[-1]["Range"] is None


def test_a_part_longer_than_the_file_is_deleted(site: Site) -> None:
    write_part(bees(site.url), BODY + b"more")
    _, path = collect(bees(site.url))
    assert path.read_bytes() == BODY


def test_a_part_of_another_file_is_detected(site: Site) -> None:
    write_part(bees(site.url), b"not bees")
    assert "not the expected file" in refusal(bees(site.url))
    assert files_in_home() == []
    assert collect(bees(site.url))[1].read_bytes() == BODY


def test_closing_the_generator_keeps_the_part_only(site: Site) -> None:
    download = fetch(bees(site.url), EVERY_CHUNK)
    received = next(report.done for report in download if report.done)
    download.close()
    assert files_in_home() == ["bees.zip.part"]
    assert bees(site.url).path.with_name("bees.zip.part").stat().st_size == received
    reports, path = collect(bees(site.url))
    assert reports[0].done == received
    assert site.requests[-1]["Range"] == f"bytes={received}-"
    assert path.read_bytes() == BODY


def test_without_a_checksum_the_first_download_records_it(site: Site) -> None:
    address = bees(site.url, "")
    _, path = collect(address)
    assert files_in_home() == ["bees.zip", "bees.zip.sha256"]
    path.unlink()
    assert collect(address)[1] == path
    path.unlink()
    site.body = BODY[::-1]
    sentence = refusal(address)
    assert "as the first time" in sentence
    assert f"delete {path}.sha256" in sentence
    assert files_in_home() == ["bees.zip.sha256"]


def test_without_a_checksum_the_size_must_match(site: Site) -> None:
    site.body = b"please accept the conditions of this Wi-Fi"
    assert "it offers 42 bytes, not 1,048,576" in refusal(bees(site.url, ""))
    assert files_in_home() == []
    site.has_length = False
    assert "it ended after 0.0 MB of 1.0 MB" in refusal(bees(site.url, ""))
    assert not is_here(bees(site.url))


def test_without_a_checksum_two_versions_are_never_joined(site: Site) -> None:
    site.cuts, site.modified = [100_000] * 4, MONDAY
    refusal(bees(site.url, ""))
    site.body, site.modified = BODY[::-1], TUESDAY
    _, path = collect(bees(site.url, ""))
    assert site.requests[-1]["If-Range"] == MONDAY
    assert path.read_bytes() == BODY[::-1]


def test_without_a_checksum_an_unchanged_file_is_resumed(site: Site) -> None:
    site.cuts, site.modified = [100_000] * 4, MONDAY
    refusal(bees(site.url, ""))
    reports, path = collect(bees(site.url, ""))
    assert site.requests[-1]["Range"] == "bytes=400000-"
    assert reports[0].done == 400_000
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("name", ["tasks/bees/bees.zip", "bees-v2.zip"])
def test_a_mirror_folder_needs_no_network(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    mirror = tmp_path / "mirror"
    (mirror / name).parent.mkdir(parents=True)
    (mirror / name).write_bytes(BODY)
    monkeypatch.setenv("HEADSTART_MIRROR", f"{tmp_path / 'nothing'}, {mirror.as_uri()}")
    monkeypatch.setenv("HEADSTART_OFFLINE", "1")
    assert collect(bees(site.address + "/b/bees-v2.zip?download=1"))[1].read_bytes() == BODY
    assert site.requests == []


@pytest.mark.parametrize("name", ["tasks/bees/bees.zip", "bees.zip"])
def test_a_mirror_url_is_tried_first(site: Site, closed: str, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    site.paths = (f"/mirror/{name}",)
    monkeypatch.setenv("HEADSTART_MIRROR", f"{site.address}/mirror/")
    assert collect(bees(closed + "/b/bees.zip"))[1].read_bytes() == BODY


def test_a_mirror_with_a_damaged_file_is_skipped(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bees.zip").write_bytes(b"half a bee")
    monkeypatch.setenv("HEADSTART_MIRROR", str(tmp_path))
    assert collect(bees(site.url))[1].read_bytes() == BODY
    assert len(site.requests) == 1


def test_a_file_url_is_copied(tmp_path: Path) -> None:
    (tmp_path / "a b.zip").write_bytes(BODY)
    assert collect(bees((tmp_path / "a b.zip").as_uri()))[1].read_bytes() == BODY


def test_the_error_names_every_source_and_what_to_do(
    site: Site, closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADSTART_MIRROR", f"{tmp_path / 'stick'} {site.address}/mirror")
    address = bees(closed + "/bees.zip")
    sentence = refusal(address)
    assert sentence.startswith("bees.zip is not available here.")
    assert f"{tmp_path}/stick/tasks/bees/bees.zip: not there; {tmp_path}/stick/bees.zip: not there" in sentence
    assert f"{site.address}/mirror/bees.zip: it answers 404 Not Found" in sentence
    assert f"{closed}/bees.zip: Connection refused" in sentence
    assert f"put the file at {address.path}, or name a folder that holds it with HEADSTART_MIRROR" in sentence
    assert files_in_home() == []


def test_offline_no_request_is_sent(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_OFFLINE", "1")
    assert "not tried, because HEADSTART_OFFLINE is set" in refusal(bees(site.url))
    assert site.requests == []


@pytest.mark.parametrize("name", ["tasks/bees/bees.zip", "bees-v2.zip"])
def test_offline_a_mirror_folder_is_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    address = bees("https://example.org/bees-v2.zip")
    monkeypatch.setenv("HEADSTART_OFFLINE", "1")
    monkeypatch.setenv("HEADSTART_MIRROR", str(tmp_path / "stick"))
    assert unavailable_reason(address) == "no network is used, because HEADSTART_OFFLINE is set"
    (tmp_path / "stick" / name).parent.mkdir(parents=True)
    (tmp_path / "stick" / name).write_bytes(BODY)
    assert unavailable_reason(address) == ""
    assert collect(address)[1].read_bytes() == BODY
    monkeypatch.delenv("HEADSTART_MIRROR")
    assert unavailable_reason(address) == ""  # the file is in the cache


def test_a_file_is_obtainable_where_a_mirror_or_the_publisher_answers(
    site: Site, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unavailable_reason(bees(site.url)) == ""
    assert re.fullmatch("127.0.0.1 does not answer: .+", unavailable_reason(bees(closed + "/bees.zip")))
    monkeypatch.setenv("HEADSTART_MIRROR", site.address)
    assert unavailable_reason(bees(closed + "/bees.zip")) == ""
    assert site.requests == []


def test_a_disk_without_space_is_refused_before_writing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100_000_000))
    sentence = refusal(bees(site.url, size=0))
    assert "bees.zip needs 101.0 MB" in sentence
    assert f"{home() / 'tasks' / 'bees'} has 100.0 MB free" in sentence
    assert "HEADSTART_HOME" in sentence
    assert files_in_home() == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_the_part_is_deleted_when_the_disk_becomes_full(site: Site) -> None:
    part = write_part(bees(site.url), b"")
    part.unlink()
    part.symlink_to("/dev/full")
    assert "became full while bees.zip came" in refusal(bees(site.url))
    assert not part.is_symlink()
    assert files_in_home() == []


@pytest.mark.skipif(sys.platform == "win32", reason="file permissions differ")
def test_a_cache_folder_that_cannot_be_created_is_reported(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HEADSTART_HOME", str(tmp_path / "file"))
    assert "Name another place with HEADSTART_HOME" in refusal(bees(site.url))


def test_two_downloads_at_once_send_one_request(site: Site) -> None:
    first, second = fetch(bees(site.url), EVERY_CHUNK), fetch(bees(site.url), EVERY_CHUNK)
    received = next(report.done for report in first if report.done)
    assert next(second).done == bees(site.url).path.with_name("bees.zip.part").stat().st_size <= received
    list(first)
    assert list(second) == []
    assert bees(site.url).path.read_bytes() == BODY
    assert len(site.requests) == 1
    assert files_in_home() == ["bees.zip"]


def test_a_waiting_download_resumes_where_the_first_stopped(site: Site) -> None:
    first, second = fetch(bees(site.url), EVERY_CHUNK), fetch(bees(site.url), EVERY_CHUNK)
    received = next(report.done for report in first if report.done)
    next(second)
    first.close()
    list(second)
    assert site.requests[-1]["Range"] == f"bytes={received}-"
    assert bees(site.url).path.read_bytes() == BODY


def test_many_threads_get_the_same_file(site: Site) -> None:
    paths: list[Path] = []
    timing = Timing(report_interval=0.01, retry_delay=0.0)
    threads = [threading.Thread(target=lambda: paths.append(collect(bees(site.url), timing)[1])) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths == [bees(site.url).path] * 6
    assert paths[0].read_bytes() == BODY
    assert len(site.requests) == 1


def test_a_download_waits_for_another_process(site: Site) -> None:
    lock = write_part(bees(site.url), BODY[:1000]).with_name("bees.zip.lock")
    code = "import filelock, sys; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, str(lock)], **pipes) as other:  # type: ignore[call-overload]
        other.stdout.readline()
        download = fetch(bees(site.url), EVERY_CHUNK)
        assert [next(download).done for _ in range(3)] == [1000] * 3
        assert site.requests == []
        other.kill()
    list(download)
    assert bees(site.url).path.read_bytes() == BODY
    assert files_in_home() == ["bees.zip"]


def test_a_silent_server_is_tried_four_times() -> None:
    timing = Timing(retry_delay=0.0, read_timeout=0.05)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/bees.zip"
        assert f"{url}: interrupted 4 times (it does not answer in time)" in refusal(bees(url), timing)


def test_an_early_end_of_a_body_of_unknown_length_is_noticed(site: Site) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.protocol_version = "HTTP/1.1"
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(b"400\r\n" + BODY[:100])

    site.answer = answer  # type: ignore[method-assign]
    assert "interrupted 4 times" in refusal(bees(site.url, "", size=0))
    assert files_in_home() == ["bees.zip.part"]


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "gopher://127.0.0.1:1"])
def test_an_unusable_proxy_is_reported(site: Site, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("all_proxy", proxy)
    assert re.search(rf"{site.url}: .*(SOCKS|scheme)", refusal(bees(site.url)))


def test_an_invalid_url_is_reported() -> None:
    assert "Invalid port" in refusal(bees("http://127.0.0.1:port/bees.zip"))


def test_a_redirect_loop_is_reported(site: Site) -> None:
    site.redirect = site.url
    assert "redirects" in refusal(bees(site.url))


def test_a_redirect_is_followed(site: Site) -> None:
    site.paths, site.redirect = ("/elsewhere",), site.address + "/elsewhere"
    assert collect(bees(site.url, ""))[1].read_bytes() == BODY
