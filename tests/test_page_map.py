"""The map of features in a real browser: where it cannot be drawn, a sentence says so."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest
from browsing import Tab

from demo import embedding, look
from demo.hub import Hub
from engine import say

pytestmark = pytest.mark.browser


def test_where_the_map_cannot_be_drawn_the_page_says_so(
    browser: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    hub = Hub()
    monkeypatch.setattr(hub, "kept", full)
    with gr.Blocks() as app:
        embedding.build(hub, gr.BrowserState({"visitor": "ann"}))
    _, url, _ = app.launch(
        prevent_thread_lock=True, quiet=True, theme=look.theme(), css=look.css(), server_name="127.0.0.1", show_error=False
    )
    visitor = Tab(browser)
    visitor.page.goto(url)
    visitor.page.click("#hs-map-draw")
    visitor.page.wait_for_function("document.querySelector('.hs-alert')?.textContent")
    assert visitor.page.inner_text(".hs-map .hs-alert") == say("map.failed")
    assert visitor.page.inner_text(".hs-map-status") == ""
    visitor.close()
    app.close()
    hub.close()
