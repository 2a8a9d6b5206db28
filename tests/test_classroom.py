"""The presenter opens, locks and ends her room and races on its pictures; nobody else reads it."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import gradio as gr
import pytest
import segno
from pupils import log
from starlette.applications import Starlette
from starlette.testclient import TestClient
from visitors import packed, texture

from demo import classroom, part
from demo.classroom import phones_base, qr
from demo.hub import Hub
from demo.offer import Offer
from demo.rooms import Rooms
from demo.shelf import Shelf
from engine import LANGUAGES, Plan, find_task, said

HOST, PHONES = "a-presenter", ["ann-ann-ann-ann-ann", "bob-bob-bob-bob-bob", "cat-cat-cat-cat-cat"]
HOME = "http://192.168.1.20:7860/"
HERE = gr.Request(headers={"accept-language": "en"}, query_params={})
Act = Handler = Callable[..., tuple[dict[str, Any], Any]]


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Rooms, Shelf, Handler]]:
    """Rooms, a shelf, and the handler of the page's buttons."""
    hub, shelf = Hub(), Shelf()
    rooms = Rooms(hub)
    with gr.Blocks() as app:
        classroom.build(rooms, shelf, Offer(), gr.BrowserState({}), gr.Dropdown([Plan().task]))
    yield rooms, shelf, next(fn.fn for fn in app.fns.values())  # type: ignore[misc]
    app.close()
    rooms.close()
    shelf.close()
    hub.close()


@pytest.fixture
def rooms(house: tuple[Rooms, Shelf, Handler], guests: None) -> Iterator[Rooms]:
    rooms, shelf, _ = house
    yield rooms
    for host in (HOST, "another"):
        rooms.end(host)
        shelf.forget(host)


@pytest.fixture
def act(house: tuple[Rooms, Shelf, Handler], rooms: Rooms) -> Act:
    """What a click on the page does: `act("open")`, as this presenter or another."""

    def act(what: str, host: str = HOST, **more: Any) -> tuple[dict[str, Any], Any]:
        asked = {"do": what, "address": HOME, "turn": 1, **more}
        return house[2]({"visitor": host, "race": "her race"}, asked, "own-long-ago", HERE)

    return act


@pytest.fixture
def client(rooms: Rooms) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=classroom.routes(rooms))) as client:
        yield client


def photograph(rooms: Rooms, phones: list[str], each: int = 3) -> None:
    """So many pictures of a cup and a pen from each phone."""
    room = rooms.of(HOST)
    assert room
    room.collect(["cup", "pen"])
    for p, phone in enumerate(phones):
        for kind in range(2):
            for n in range(each):
                room.put(phone, kind, packed(texture(100 * p + 10 * kind + n, 64), "JPEG"))


# --- the buttons -----------------------------------------------------------------------------------------------------


def test_an_open_room_has_a_code_an_address_and_a_picture_of_it(act: Act, rooms: Rooms) -> None:
    told, picked = act("open")
    room = rooms.of(HOST)
    assert room
    assert told["room"]["code"] == room.code
    assert told["room"]["address"] == f"{HOME}gradio_api/headstart/room/{room.code}"
    assert told["room"]["qr"] == qr(told["room"]["address"])
    assert told["room"]["hint"] == told["room"]["command"] == ""
    assert picked == gr.skip()


def test_a_page_that_comes_again_finds_its_room(act: Act) -> None:
    assert act("enter")[0]["room"] is None
    code = act("open")[0]["room"]["code"]
    assert act("enter")[0]["room"]["code"] == code
    assert act("enter", host="another")[0]["room"] is None


def test_a_second_click_on_open_ends_nothing(act: Act) -> None:
    """As after a reload, before the page knows of its room."""
    code = act("open")[0]["room"]["code"]
    told, _ = act("open")
    assert told["room"]["code"] == code
    assert "is_new" not in told


def test_a_room_that_is_opened_during_a_race_shows_it(act: Act, rooms: Rooms) -> None:
    log(rooms._hub, "her race").owner = HOST
    act("open")
    assert rooms.of(HOST).race == "her race"  # type: ignore[union-attr]
    rooms._hub._logs.clear()


def test_a_page_without_a_visitor_is_told_to_wait(act: Act) -> None:
    told, _ = act("open", host="")
    assert told["room"] is None
    assert "not connected yet" in told["note"]


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


def test_a_set_that_went_with_the_room_is_no_longer_picked(act: Act, rooms: Rooms) -> None:
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


def test_the_phones_are_asked_for_what_is_named(act: Act, rooms: Rooms) -> None:
    act("open")
    assert "cameras" in act("collect", names=["cup", "pen"])[0]["note"]
    assert rooms.of(HOST).state()["classes"] == ["cup", "pen"]  # type: ignore[union-attr]


@pytest.mark.parametrize("names", [["cup"], ["cup", "CUP"]])
def test_too_few_things_are_refused_in_a_sentence(act: Act, names: list[str]) -> None:
    act("open")
    told, _ = act("collect", names=names)
    assert told["alert"]
    assert told["room"]


@pytest.mark.parametrize(
    "asked", [None, "", 3, [], {}, {"do": []}, {"do": "collect", "names": 5}, {"do": "open", "address": {}}]
)
def test_an_odd_question_breaks_nothing(house: tuple[Rooms, Shelf, Handler], act: Act, asked: object) -> None:
    act("open")
    assert house[2]({"visitor": HOST}, asked, Plan().task, HERE)[0]["room"]


def test_the_pictures_of_a_room_become_a_task_of_the_presenter(act: Act, rooms: Rooms) -> None:
    act("open")
    photograph(rooms, PHONES)
    told, picked = act("race")
    task = find_task(picked["value"])
    assert task.is_private
    assert task.classes == ("cup", "pen")
    assert task.heldout == 6  # one phone's
    assert rooms.of(HOST).tasks == [picked["value"]]  # type: ignore[union-attr]
    assert picked["value"] in [name for _, name in picked["choices"]]
    assert "other phones" in told["note"]


def test_the_pictures_of_one_phone_are_refused_in_a_sentence(act: Act, rooms: Rooms) -> None:
    act("open")
    photograph(rooms, PHONES[:1], each=6)
    told, picked = act("race")
    assert "phone" in told["alert"]
    assert picked == gr.skip()


# --- the address -----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPACE_HOST", "GRADIO_SERVER_NAME", "HEADSTART_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(classroom, "lan_address", lambda: "192.168.1.20")
    monkeypatch.setattr(classroom, "is_in_container", lambda: False)


@pytest.mark.parametrize("base", [HOME, "https://demo.example/race/", "http://[2001:db8::1]:7860/"])
def test_an_address_that_phones_reach_stays(base: str) -> None:
    assert phones_base(base) == (base, "")


@pytest.mark.parametrize("base", ["http://127.0.0.1:7860/", "http://localhost:7860/", "http://[::1]:7860/"])
def test_this_computers_own_address_is_none_for_phones(base: str) -> None:
    assert phones_base(base) == (base, "class.local")


@pytest.mark.parametrize(
    "base", ["", "javascript:alert(1)", "http://", "//x/", "http://[", "http://x:99999/", "file:///etc/"]
)
def test_what_is_no_address_of_a_page_leads_nowhere(base: str) -> None:
    assert phones_base(base) == ("http://127.0.0.1/", "class.local")


def test_a_server_that_listens_to_all_names_the_machine_in_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    assert phones_base("http://localhost:7861/x/") == ("http://192.168.1.20:7861/x/", "class.lan")


@pytest.mark.parametrize("missing", ["a network", "a way out of the container"])
def test_one_that_cannot_know_its_address_says_so(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    if missing == "a network":
        monkeypatch.setattr(classroom, "lan_address", lambda: None)
    else:
        monkeypatch.setattr(classroom, "is_in_container", lambda: True)
    assert phones_base("http://localhost:7861/") == ("http://localhost:7861/", "class.outside")
    monkeypatch.setenv("HEADSTART_ADDRESS", "http://192.168.1.20:80")
    assert phones_base("http://localhost:7861/") == ("http://192.168.1.20:80/", "")


def test_on_a_space_its_host_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_HOST", "ann-head-start.hf.space")
    assert phones_base("http://127.0.0.1:7860/") == ("https://ann-head-start.hf.space/", "")


def test_a_presenter_at_localhost_is_told_how_phones_come_in(act: Act) -> None:
    told, _ = act("open", address="http://localhost:7860/")
    assert told["room"]["command"] == "GRADIO_SERVER_NAME=0.0.0.0 python app.py"
    assert "cannot reach" in told["room"]["hint"]


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


@pytest.mark.parametrize(("name", "told"), [("10.0.0.7", "10.0.0.7"), ("127.0.1.1", None), (None, None)])
def test_the_address_in_the_local_network(name: str | None, told: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(socket, "socket", Probe(name))
    assert classroom.lan_address() == told


def test_a_code_is_dark_on_white_with_its_quiet_zone() -> None:
    drawn = qr(f"{HOME}gradio_api/headstart/room/CDFHJK")
    size = int(re.findall(r'viewBox="0 0 (\d+) \1"', drawn)[0])
    assert size == segno.make(f"{HOME}gradio_api/headstart/room/CDFHJK", error="m", micro=False).symbol_size()[0]
    assert f'fill="#fff" d="M0 0h{size}v{size}h-{size}z"' in drawn
    assert 'stroke="#000" d="M4 4.5h7' in drawn


# --- the routes ------------------------------------------------------------------------------------------------------


def test_only_the_presenters_token_reads_her_room(act: Act, rooms: Rooms, client: TestClient) -> None:
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
def test_the_view_says_what_a_room_is_and_names_every_control(language: str) -> None:
    markup, text = classroom.markup(language), said("class", language)
    assert escape(text["about"]) in markup
    assert escape(text["leak"]) in markup
    assert markup.count('name="thing"') == 5
    assert markup.count(" required") == 2
    assert "${" not in markup
    for name in re.findall(r'aria-labelledby="([\w-]+)"', markup):
        assert f'id="{name}"' in markup


def test_the_same_points_are_counted_as_on_a_phone() -> None:
    with gr.Blocks():
        box = part.build("x", (classroom.SCORE, classroom.SCRIPT), classroom.markup, classroom.known)
    assert box.js_on_load is not None
    assert box.js_on_load.index("const worthOfGap") < box.js_on_load.index("worthOfGap(bet.gap, end.gap)")
