"""Only available sets and networks are offered; the table greys the others and gives the reason."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from demo.uploads.availability import Availability
from engine import Address, Dataset, Reachability, translate
from engine.workspace import Workspace
from tests.conftest import Clock
from tests.helpers.pictures import texture


def test_before_hosts_are_checked_only_local_sets_are_offered(workspace: Workspace) -> None:
    availability = Availability(workspace)
    assert [name for _, name in availability.tasks()] == ["tabletop"]
    assert translate("availability.looking") in availability.table()


def test_offline_the_other_sets_are_greyed_with_the_reason(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_OFFLINE", "1")
    availability = Availability(workspace)
    availability.refresh()
    assert [name for _, name in availability.tasks()] == ["tabletop"]
    assert "hs-away" in availability.table()
    assert "not available" in availability.table()
    assert translate("availability.looking") not in availability.table()


def test_a_set_whose_host_answers_is_offered(workspace: Workspace) -> None:
    answer = lambda address, _: "" if "toronto" in address.url else "no answer"  # noqa: E731
    availability = Availability(workspace, obstacle=answer)
    availability.refresh()
    assert [name for _, name in availability.tasks()] == ["tabletop", "cifar10"]
    assert "fetched at the first race" in availability.table()


def test_results_of_checks_are_cached_for_a_minute(workspace: Workspace) -> None:
    clock, checked = Clock(), []
    availability = Availability(workspace, now=clock, obstacle=lambda address, _: checked.append(address.url) or "no answer")
    availability.refresh()
    once = len(checked)
    assert once == len(set(checked)) > 0
    clock.time = 59
    availability.refresh()
    assert len(checked) == once
    clock.time = 61
    availability.refresh()
    assert len(checked) == 2 * once


def test_results_show_as_they_arrive_and_a_second_caller_waits_for_all(workspace: Workspace) -> None:
    first, go_on = threading.Event(), threading.Event()

    def answer(address: Address, _: Reachability) -> str:
        if first.is_set():
            go_on.wait(10)
        first.set()
        return "no answer"

    availability = Availability(workspace, obstacle=answer)
    callers = [threading.Thread(target=availability.refresh) for _ in range(2)]
    for caller in callers:
        caller.start()
    first.wait(10)
    while "no answer" not in availability.table():
        time.sleep(0.01)
    assert translate("availability.looking") in availability.table()
    assert all(caller.is_alive() for caller in callers)
    go_on.set()
    for caller in callers:
        caller.join(10)
    assert translate("availability.looking") not in availability.table()


def test_an_uploaded_set_is_visible_to_its_owner_only(workspace: Workspace) -> None:
    dataset = Dataset(
        "<b>unicorns</b>", ("a", "b"), ((partial(texture, 1),) * 5,) * 2, ((partial(texture, 2),) * 2,) * 2, ()
    )
    workspace.tasks.add("own-secret", dataset)
    availability = Availability(workspace)
    assert "own-secret" not in [name for _, name in availability.tasks()]
    assert "own-secret" in [name for _, name in availability.tasks(("own-secret",))]
    assert "unicorns" not in availability.table()
    assert "own-secret" not in availability.titles()["task"]
    assert workspace.tasks.find("own-secret").is_own


def test_lists_and_table_are_in_the_visitors_language(workspace: Workspace) -> None:
    availability = Availability(workspace)
    assert availability.tasks(language="ja") == [("卓上の物 · 3 クラス", "tabletop")]
    table = availability.table("ja")
    assert "アリの写真とハチの写真" in table
    assert "Photographs" not in table
