"""Chromium for the browser tests, and a page that collects its errors."""

from __future__ import annotations

import shutil
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
RACE = "/gradio_api/headstart/js/demo/components/lib/race.js"  # the module through which the page's components get rows
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def on_channel(page: Any, work: str, value: Any = None) -> Any:
    """Evaluate a JavaScript expression of `channel` (the page's, of lib/race.js) and `value`."""
    return page.evaluate(f"async (value) => {{ const {{ channel }} = await import({RACE!r}); return {work}; }}", value)


def wait_on_channel(page: Any, condition: str, seconds: int = 120) -> None:
    """Wait until a JavaScript condition on `channel` is true, at most so many seconds."""
    wait = f"for (let k = 0; !({condition}); k++) {{ if (k > {50 * seconds}) return false; await pause(); }} return true;"
    pause = "const pause = () => new Promise((done) => setTimeout(done, 20));"
    code = f"async () => {{ const {{ channel }} = await import({RACE!r}); {pause} {wait} }}"
    assert page.evaluate(code), condition


class Tab:
    """A browser context with one page; `problems` collects its console errors and exceptions."""

    def __init__(self, browser: Any, width: int = 1440, scheme: str = "light", language: str = "en"):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce", locale=language
        )
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.problems.append(str(e)))

    def on_channel(self, work: str, value: Any = None) -> Any:
        """Evaluate a JavaScript expression of `channel` and `value`."""
        return on_channel(self.page, work, value)

    def wait_on_channel(self, condition: str) -> None:
        """Wait until a JavaScript condition on `channel` is true."""
        wait_on_channel(self.page, condition)

    def begin_race(self, race: dict[str, Any]) -> None:
        """Make this the race of the page, as the chart does."""
        self.on_channel("channel.begin(value)", race)

    def publish(self, rows: list[dict[str, Any]]) -> None:
        """Send rows of the race to the page's components."""
        self.on_channel("channel.publish(value)", rows)

    def close(self) -> None:
        """Close the browser context; fails if the page had problems."""
        self.context.close()
        assert self.problems == []
