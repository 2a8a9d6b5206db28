"""All texts of the real page, in both languages, before and after a race: no identifiers, placeholders or empty names."""

from __future__ import annotations

import re
from typing import Any

import pytest

from demo.components.tabs.component import NAMES
from engine import LANGUAGES, translate
from tests.browser.test_page import Visitor, server  # noqa: F401  # a fixture

pytestmark = pytest.mark.browser
QUICK = "examples_per_class=5&epochs=2&trainable_stages=1&extra_racers=random,top"
# What no text may contain: Gradio's markers, JavaScript values turned into text, placeholders, identifiers
ODD = re.compile(
    r"i18n\{|translation_metadata|__i18n__|\bundefined\b|\[object|\bNaN\b|\$\{|\{\w+\}"
    r"|\b(?!in_features|out_features)[a-z]+(?:_[a-z0-9]+)+\b"  # these two are PyTorch's, and written in code
)
ADDRESS = re.compile(r"https?://\S+|gradio_api/")
# The text of every visible node, its labels for screen readers and the values of fields; without code
READ = """() => {
  const seen = (node) => node.checkVisibility({ visibilityProperty: true });
  const code = "pre, code, script, style, noscript, template, #hs-swap-printed, .js-plotly-plot .modebar";
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const home = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (home && text && !home.closest(code) && seen(home)) texts.push(text);
  }
  for (const node of document.querySelectorAll("[aria-label], [title], [alt], [placeholder], input, textarea")) {
    if (node.closest(code) || !seen(node)) continue;
    const labels = ["aria-label", "alt", "placeholder"].map((name) => node.getAttribute(name));
    if (!node.matches("[type=checkbox], [type=radio]")) labels.push(node.title);  // theirs is Gradio's: a name
    if (node.matches("input:not([type=checkbox], [type=radio], [type=file]), textarea")) labels.push(node.value);
    texts.push(...labels.filter((text) => text && text.trim()));
  }
  return texts;
}"""
# Elements that need an accessible name and have none
NAMELESS = """() => {
  const named = (node) => node.textContent.trim() || node.getAttribute("aria-label")?.trim() || node.title.trim()
    || node.querySelector("img[alt]:not([alt=''])")
    || document.getElementById(node.getAttribute("aria-labelledby") ?? "")?.textContent.trim();
  const all = "h1, h2, h3, h4, h5, h6, label, legend, summary, button, th, dt, caption, [role=tab]";
  return [...document.querySelectorAll(all)]
    .filter((node) => node.checkVisibility({ visibilityProperty: true }) && !named(node))
    .map((node) => node.outerHTML.slice(0, 200));
}"""
OPEN = """() => {
  for (const node of document.querySelectorAll("details")) node.open = true;
  for (const node of document.querySelectorAll("button.label-wrap:not(.open)")) node.click();
}"""


def problems(page: Any) -> list[str]:
    """Texts of the page, as it is now, that no visitor should read, and elements without a name."""
    return [text[:200] for text in page.evaluate(READ) if ODD.search(ADDRESS.sub("", text))] + page.evaluate(NAMELESS)


def show(page: Any, view: str) -> None:
    """Show a view and open everything in it that can be opened."""
    page.click(f"#hs-nav-{view}")
    page.wait_for_selector(f"#hs-view-{view}", state="visible")
    page.evaluate(OPEN)
    page.wait_for_timeout(500)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_view_shows_identifiers_before_or_after_a_race(browser: Any, server: str, language: str) -> None:  # noqa: F811
    visitor = Visitor(browser, server, query=f"/?lang={language}&{QUICK}")
    page = visitor.page
    page.wait_for_selector("html[data-view]")
    page.wait_for_function("document.querySelector('#hs-examples input[type=number]')?.value === '5'")
    problems_by_view: dict[str, list[str]] = {}
    for view in NAMES:
        show(page, view)
        problems_by_view[f"{view} before"] = problems(page)
    for way in ("classes", "hub"):  # upload methods that are not selected at first
        label = page.locator("#hs-way label", has_text=translate(f"upload.way.{way}", language))
        if label.count():
            label.click()
            page.wait_for_timeout(300)
            problems_by_view[f"own {way}"] = problems(page)
    for preset in ("jigsaw", "labels"):
        page.locator("#hs-preset label", has_text=translate(f"preset.{preset}.title", language)).click()
        page.wait_for_function(
            "(text) => document.querySelector('#hs-preset-why').textContent.includes(text)",
            arg=translate(f"preset.{preset}.why", language)[:20],
        )
        problems_by_view[f"preset {preset}"] = problems(page)
    page.locator("#hs-preset label", has_text=translate("preset.none.title", language)).click()
    page.click("#hs-start")
    page.wait_for_function(
        "(text) => document.querySelector('.hs-status')?.textContent === text",
        arg=translate("phase.done", language),
        timeout=90_000,
    )
    for view in NAMES:
        show(page, view)
        if view == "try":
            page.locator("#hs-try-heldout button[data-row]").first.click()
            page.wait_for_selector("#hs-try-said [data-racer=pretrained]", timeout=30_000)
        elif view == "map":
            page.click("#hs-map-draw")
            page.wait_for_selector(".hs-map-chart .main-svg", timeout=60_000)
        elif view == "class":
            page.click("#hs-room [data-do=open]")
            page.wait_for_selector("#hs-room .hs-class-code")
            page.wait_for_timeout(500)
        problems_by_view[f"{view} after"] = problems(page)
    visitor.close()
    lines = [f"{view}: {text}" for view, texts in problems_by_view.items() for text in texts]
    assert not lines, "\n".join(lines)
