// Shows one view and hides the others, without the server.
import { on } from "../../../engine/export/lib/dom.js";

/** @param {import("../lib/part.js").Component} component */
export function mount({ element, props, watch, submit, $$ }) {
  const tabs = $$("[role=tab]");
  let isChosen = false; // by the visitor; a late answer to the page's load must not change the view

  /** @param {string} name */
  function show(name) {
    document.documentElement.dataset.view = name;
    for (const tab of tabs) {
      const isShown = tab.dataset.view === name;
      tab.setAttribute("aria-selected", String(isShown));
      tab.tabIndex = isShown ? 0 : -1;
      const panel = document.getElementById(tab.getAttribute("aria-controls"));
      if (panel) { panel.setAttribute("role", "tabpanel"); panel.setAttribute("aria-labelledby", tab.id); }
    }
    window.dispatchEvent(new Event("resize")); // a chart that was hidden measures its size on resize
    for (const node of document.querySelectorAll(`#hs-view-${name} *`)) node.dispatchEvent(new Event("headstart:shown"));
  }

  /** @param {any} tab */
  function choose(tab) {
    isChosen = true;
    show(tab.dataset.view);
    submit();
  }

  function showValue() {
    if (!isChosen && tabs.some((tab) => tab.dataset.view === props.value)) show(props.value);
  }

  on(element, "click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) choose(tab);
  });
  on(element, "keydown", (event) => {
    const at = tabs.indexOf(event.target.closest("[role=tab]"));
    const to = /** @type {Record<string, number>} */ ({
      ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1,
    })[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    next.focus();
    choose(next);
  });
  watch("value", showValue);
  showValue(); // it may have arrived before this script
}
