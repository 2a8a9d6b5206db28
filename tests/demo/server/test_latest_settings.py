"""Results for settings that a page no longer shows are recognised."""

from __future__ import annotations

from demo.server.latest_settings import LatestSettings


def test_each_tab_has_its_own_current_settings() -> None:
    latest = LatestSettings(capacity=2)
    latest.put("tab 1", (1,))
    latest.put("tab 2", (2,))
    assert latest.are_current("tab 1", (1,))
    assert not latest.are_current("tab 1", (2,))


def test_settings_of_a_forgotten_page_count_as_current() -> None:
    latest = LatestSettings(capacity=1)
    latest.put("tab 1", (1,))
    latest.put("tab 2", (2,))
    assert latest.are_current("tab 1", (2,))
