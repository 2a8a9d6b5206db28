// Shows one view and hides the others, in the browser alone. Knows nothing of what is in them.
const tabs = $$("[role=tab]");
let isChosen = false;  // by the visitor, whom the answer to the page's opening must not throw back

function show(name) {
  document.documentElement.dataset.view = name;
  for (const tab of tabs) {
    const isIt = tab.dataset.view === name;
    tab.setAttribute("aria-selected", String(isIt));
    tab.tabIndex = isIt ? 0 : -1;
    const panel = document.getElementById(tab.getAttribute("aria-controls"));
    if (panel) { panel.setAttribute("role", "tabpanel"); panel.setAttribute("aria-labelledby", tab.id); }
  }
  window.dispatchEvent(new Event("resize"));  // a chart that was hidden has no size until it is told
  for (const node of document.querySelectorAll(`#hs-view-${name} *`)) node.dispatchEvent(new Event("headstart:shown"));
}

function choose(tab) {
  isChosen = true;
  show(tab.dataset.view);
  trigger("submit");
}

element.addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]");
  if (tab) choose(tab);
});
element.addEventListener("keydown", (event) => {
  const at = tabs.indexOf(event.target.closest("[role=tab]"));
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  const next = tabs[(to + tabs.length) % tabs.length];
  next.focus();
  choose(next);
});
watch("value", () => { if (!isChosen && tabs.some((tab) => tab.dataset.view === props.value)) show(props.value); });
