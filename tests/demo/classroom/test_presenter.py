"""The presenter opens, locks and ends a room and races on its pictures; nobody else reads it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import escape
from typing import Any

import gradio as gr
import pytest
import segno
from starlette.applications import Starlette
from starlette.testclient import TestClient

from demo.classroom import presenter, presenter_view
from demo.classroom.phone_address import Network, lan_address, phones_base, qr
from demo.classroom.presenter import PresenterHandlers
from demo.classroom.rooms import Rooms
from demo.server.race_queue import RaceQueue
from demo.uploads.availability import Availability
from demo.uploads.store import UploadStore
from engine import LANGUAGES, Plan, messages_under
from engine.workspace import Workspace
from tests.conftest import CPU
from tests.helpers.classroom import add_race
from tests.helpers.pictures import packed, texture

HOST, PHONES = "a-presenter", ["ann-ann-ann-ann-ann", "bob-bob-bob-bob-bob", "cat-cat-cat-cat-cat"]
HOME = "http://192.168.1.20:7860/"
NETWORK = Network(lambda: "192.168.1.20", lambda: False)
HERE = gr.Request(headers={"accept-language": "en"}, query_params={})
Act = Handler = Callable[..., tuple[dict[str, Any], Any]]


@pytest.fixture(scope="module")
def queue() -> Iterator[RaceQueue]:
    queue = RaceQueue(Workspace(), CPU)
    yield queue
    queue.close()


@pytest.fixture(scope="module")
def house(queue: RaceQueue) -> Iterator[tuple[Rooms, UploadStore, Handler]]:
    """Rooms, an upload store, and the handler of the page's buttons."""
    uploads = UploadStore(queue.workspace)
    rooms = Rooms(queue)
    yield rooms, uploads, PresenterHandlers(rooms, uploads, Availability(queue.workspace), NETWORK).act
    rooms.close()
    uploads.close()


@pytest.fixture
def rooms(house: tuple[Rooms, UploadStore, Handler]) -> Iterator[Rooms]:
    rooms, uploads, _ = house
    yield rooms
    for host in (HOST, "another"):
        rooms.end(host)
        uploads.forget(host)


@pytest.fixture
def act(house: tuple[Rooms, UploadStore, Handler], rooms: Rooms) -> Act:
    """Click a button of the page: `act("open")`, as this presenter or another."""

    def act(action: str, host: str = HOST, **more: Any) -> tuple[dict[str, Any], Any]:
        command = {"do": action, "address": HOME, "turn": 1, **more}
        return house[2]({"visitor": host, "race": "the host's race"}, command, "own-long-ago", HERE)

    return act


@pytest.fixture
def client(rooms: Rooms) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=presenter.routes(rooms))) as client:
        yield client


def photograph(rooms: Rooms, phones: list[str], each: int = 3) -> None:
    """Each phone sends `each` pictures of a cup and of a pen."""
    room = rooms.of(HOST)
    assert room
    room.collect(["cup", "pen"])
    for p, phone in enumerate(phones):
        for class_index in range(2):
            for n in range(each):
                room.add_picture(phone, class_index, packed(texture(100 * p + 10 * class_index + n, 64), "JPEG"))


# --- the buttons -----------------------------------------------------------------------------------------------------


def test_an_open_room_has_a_code_an_address_and_a_qr_code(act: Act, rooms: Rooms) -> None:
    reply, picked = act("open")
    room = rooms.of(HOST)
    assert room
    assert reply["room"]["code"] == room.code
    assert reply["room"]["address"] == f"{HOME}gradio_api/headstart/room/{room.code}"
    assert reply["room"]["qr"] == qr(reply["room"]["address"])
    assert reply["room"]["hint"] == reply["room"]["command"] == ""
    assert picked == gr.skip()


def test_a_page_that_is_reloaded_gets_its_room(act: Act) -> None:
    assert act("enter")[0]["room"] is None
    code = act("open")[0]["room"]["code"]
    assert act("enter")[0]["room"]["code"] == code
    assert act("enter", host="another")[0]["room"] is None


def test_a_second_click_on_open_ends_nothing(act: Act) -> None:
    """As after a reload, before the page knows of its room."""
    code = act("open")[0]["room"]["code"]
    reply, _ = act("open")
    assert reply["room"]["code"] == code
    assert "is_new" not in reply


def test_a_room_that_is_opened_during_a_race_shows_it(queue: RaceQueue, act: Act, rooms: Rooms) -> None:
    add_race(queue, "the host's race", owner=HOST)
    act("open")
    assert rooms.of(HOST).race == "the host's race"  # type: ignore[union-attr]


def test_a_page_without_a_visitor_has_to_wait(act: Act) -> None:
    reply, _ = act("open", host="")
    assert reply["room"] is None
    assert "not connected yet" in reply["note"]


def test_a_room_is_locked_opened_again_and_ended(act: Act, rooms: Rooms) -> None:
    act("open")
    room = rooms.of(HOST)
    assert room
    act("lock", locked=True)
    assert room.is_locked
    act("lock", locked="yes")  # only true is
    assert not room.is_locked
    assert "ended" in act("end")[0]["note"]
    assert room.is_over
    assert "ended" in act("lock", locked=True)[0]["note"]


def test_a_task_that_ended_with_the_room_is_no_longer_selected(act: Act, rooms: Rooms) -> None:
    act("open")
    photograph(rooms, PHONES)
    made = act("race")[1]["value"]
    picked = act("end")[1]
    assert picked["value"] == Plan().task
    assert made not in [name for _, name in picked["choices"]]


def test_nobody_else_can_end_it(act: Act, rooms: Rooms) -> None:
    act("open")
    act("end", host="another")
    assert rooms.of(HOST)


def test_the_named_classes_are_requested_from_the_phones(act: Act, rooms: Rooms) -> None:
    act("open")
    assert "cameras" in act("collect", names=["cup", "pen"])[0]["note"]
    assert rooms.of(HOST).state()["classes"] == ["cup", "pen"]  # type: ignore[union-attr]


@pytest.mark.parametrize("names", [["cup"], ["cup", "CUP"]])
def test_too_few_classes_are_refused_in_a_sentence(act: Act, names: list[str]) -> None:
    act("open")
    reply, _ = act("collect", names=names)
    assert reply["alert"]
    assert reply["room"]


@pytest.mark.parametrize(
    "command", [None, "", 3, [], {}, {"do": []}, {"do": "collect", "names": 5}, {"do": "open", "address": {}}]
)
def test_a_malformed_command_breaks_nothing(house: tuple[Rooms, UploadStore, Handler], act: Act, command: object) -> None:
    act("open")
    assert house[2]({"visitor": HOST}, command, Plan().task, HERE)[0]["room"]


def test_the_pictures_of_a_room_become_a_task_of_the_presenter(act: Act, rooms: Rooms, queue: RaceQueue) -> None:
    act("open")
    photograph(rooms, PHONES)
    reply, picked = act("race")
    task = queue.workspace.tasks.find(picked["value"])
    assert task.is_private
    assert task.classes == ("cup", "pen")
    assert task.heldout == 6  # one phone's
    assert rooms.of(HOST).tasks == [picked["value"]]  # type: ignore[union-attr]
    assert picked["value"] in [name for _, name in picked["choices"]]
    assert "other phones" in reply["note"]


def test_the_pictures_of_one_phone_are_refused_in_a_sentence(act: Act, rooms: Rooms) -> None:
    act("open")
    photograph(rooms, PHONES[:1], each=6)
    reply, picked = act("race")
    assert "phone" in reply["alert"]
    assert picked == gr.skip()


# --- the address -----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPACE_HOST", "GRADIO_SERVER_NAME", "HEADSTART_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("base", [HOME, "https://demo.example/race/", "http://[2001:db8::1]:7860/"])
def test_an_address_that_phones_reach_stays(base: str) -> None:
    assert phones_base(base, NETWORK) == (base, "")


@pytest.mark.parametrize("base", ["http://127.0.0.1:7860/", "http://localhost:7860/", "http://[::1]:7860/"])
def test_localhost_is_no_address_for_phones(base: str) -> None:
    assert phones_base(base, NETWORK) == (base, "class.local")


@pytest.mark.parametrize(
    "base", ["", "javascript:alert(1)", "http://", "//x/", "http://[", "http://x:99999/", "file:///etc/"]
)
def test_an_invalid_address_is_treated_as_localhost(base: str) -> None:
    assert phones_base(base, NETWORK) == ("http://127.0.0.1/", "class.local")


def test_a_server_that_listens_to_all_names_the_machine_in_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    assert phones_base("http://localhost:7861/x/", NETWORK) == ("http://192.168.1.20:7861/x/", "class.lan")


@pytest.mark.parametrize("missing", [{"lan_address": lambda: None}, {"is_in_container": lambda: True}])
def test_a_server_that_cannot_know_its_address_gives_a_hint(
    monkeypatch: pytest.MonkeyPatch, missing: dict[str, Callable[[], object]]
) -> None:
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    network = replace(NETWORK, **missing)  # type: ignore[arg-type]
    assert phones_base("http://localhost:7861/", network) == ("http://localhost:7861/", "class.outside")
    monkeypatch.setenv("HEADSTART_ADDRESS", "http://192.168.1.20:80")
    assert phones_base("http://localhost:7861/", network) == ("http://192.168.1.20:80/", "")


def test_on_a_space_its_host_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_HOST", "ann-head-start.hf.space")
    assert phones_base("http://127.0.0.1:7860/", NETWORK) == ("https://ann-head-start.hf.space/", "")


def test_a_presenter_at_localhost_gets_the_command_that_lets_phones_in(act: Act) -> None:
    reply, _ = act("open", address="http://localhost:7860/")
    assert reply["room"]["command"] == "GRADIO_SERVER_NAME=0.0.0.0 python app.py"
    assert "cannot reach" in reply["room"]["hint"]


class Probe:
    """A socket on a machine with this address, or without a network."""

    def __init__(self, name: str | None):
        self.name = name

    def __call__(self, *_: object) -> Probe:
        return self

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *_: object) -> None: ...

    def connect(self, _: object) -> None:
        if self.name is None:
            raise OSError("Network is unreachable")

    def getsockname(self) -> tuple[str, int]:
        return str(self.name), 9


@pytest.mark.parametrize(("name", "address"), [("10.0.0.7", "10.0.0.7"), ("127.0.1.1", None), (None, None)])
def test_the_address_in_the_local_network(name: str | None, address: str | None) -> None:
    assert lan_address(Probe(name)) == address  # type: ignore[arg-type]


def test_a_code_is_dark_on_white_with_its_quiet_zone() -> None:
    drawn = qr(f"{HOME}gradio_api/headstart/room/CDFHJK")
    size = int(re.findall(r'viewBox="0 0 (\d+) \1"', drawn)[0])
    assert size == segno.make(f"{HOME}gradio_api/headstart/room/CDFHJK", error="m", micro=False).symbol_size()[0]
    assert f'fill="#fff" d="M0 0h{size}v{size}h-{size}z"' in drawn
    assert 'stroke="#000" d="M4 4.5h7' in drawn


# --- the routes ------------------------------------------------------------------------------------------------------


def test_only_the_presenters_token_reads_the_room(act: Act, rooms: Rooms, client: TestClient) -> None:
    code = act("open")[0]["room"]["code"]
    act("open", host="another")
    where = f"/gradio_api/headstart/class/{code}/state"
    assert client.get(where, params={"host": HOST}).json()["code"] == code
    for stranger in ("", "another", code):
        assert client.get(where, params={"host": stranger}).status_code == 404


def test_the_newest_pictures_are_shown_to_the_presenter_alone(act: Act, rooms: Rooms, client: TestClient) -> None:
    code = act("open")[0]["room"]["code"]
    photograph(rooms, PHONES, each=5)
    where = f"/gradio_api/headstart/class/{code}"
    latest = client.get(f"{where}/state", params={"host": HOST}).json()["latest"]
    assert len(latest) == 24
    assert latest[0][1] == "pen"
    answer = client.get(f"{where}/pictures/{latest[0][0]}", params={"host": HOST})
    assert answer.headers["content-type"] == "image/jpeg"
    assert "no-store" in answer.headers["cache-control"]
    assert answer.content[:2] == b"\xff\xd8"
    assert client.get(f"{where}/pictures/{latest[0][0]}", params={"host": PHONES[0]}).status_code == 404
    assert client.get(f"{where}/pictures/99999", params={"host": HOST}).status_code == 404


def test_a_room_that_is_over_is_not_read(act: Act, client: TestClient) -> None:
    code = act("open")[0]["room"]["code"]
    act("end")
    assert client.get(f"/gradio_api/headstart/class/{code}/state", params={"host": HOST}).status_code == 404


# --- the markup ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_view_explains_a_room_and_names_every_control(language: str) -> None:
    markup, text = presenter_view.markup(language), messages_under("class", language)
    assert escape(text["about"]) in markup
    assert escape(text["leak"]) in markup
    assert markup.count('name="thing"') == 5
    assert markup.count(" required") == 2
    assert "${" not in markup
    for name in re.findall(r'aria-labelledby="([\w-]+)"', markup):
        assert f'id="{name}"' in markup
