"""The feature map in a real browser: an error is shown as a message."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from demo import theme
from demo.components.feature_map import component as feature_map
from demo.server import scripts
from demo.server.race_queue import RaceQueue
from engine import translate
from engine.workspace import Workspace
from tests.conftest import CPU
from tests.helpers.browsing import Tab

pytestmark = pytest.mark.browser


class FullQueue(RaceQueue):
    """A queue whose races do not fit into memory."""

    def kept(self, visitor: str) -> list[tuple[str, str]]:
        raise MemoryError


def test_an_error_is_shown_as_a_message(browser: Any, capsys: pytest.CaptureFixture[str]) -> None:
    queue = FullQueue(Workspace(), CPU)
    with gr.Blocks() as app:
        feature_map.build(queue, gr.BrowserState({"visitor": "ann"}))
    _, url, _ = app.launch(
        prevent_thread_lock=True,
        quiet=True,
        theme=theme.theme(),
        css=theme.css(),
        server_name="127.0.0.1",
        show_error=False,
        app_kwargs={"routes": scripts.routes()},
    )
    visitor = Tab(browser)
    visitor.page.goto(url)
    visitor.page.click("#hs-map-draw")
    visitor.page.wait_for_function("document.querySelector('.hs-alert')?.textContent")
    assert visitor.page.inner_text(".hs-map .hs-alert") == translate("map.failed")
    assert visitor.page.inner_text(".hs-map-status") == ""
    visitor.close()
    app.close()
    queue.close()
