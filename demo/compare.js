// Keeps the visitor's finished races in this browser, and ranks them in a table. Knows nothing of training.
const KEPT = 30, STORE = "headstart.races";
const KEPT_REMOVED = 100, REMOVED = "headstart.removed"; // ids of removed races: the log of the newest is read again at a reload
let races = remembered(), order = { column: "race", down: true }, seen = null, answers = {};

function stored(name) {
  try {
    const kept = JSON.parse(localStorage.getItem(name));
    return Array.isArray(kept) ? kept : [];
  } catch { return []; }
}

function store(name, list) {
  try { localStorage.setItem(name, JSON.stringify(list)); } catch { /* the browser keeps nothing: this visit only */ }
}

// What is kept may be of another version, or not ours at all: only what can be shown is taken
function remembered() {
  const isKind = (of, like) => typeof of === typeof like && Array.isArray(of) === Array.isArray(like);
  const whole = (plan) => Object.fromEntries(
    Object.entries(known.defaults).map(([name, otherwise]) => [name, isKind(plan[name], otherwise) ? plan[name] : otherwise]));
  return stored(STORE).filter(isRace).map((race) => ({ ...race, plan: whole(race.plan) }));
}

function isRace(race) {
  const numbers = ["number", "when", "examples", "gap", "low", "high", "wall"];
  return typeof race?.id === "string" && typeof race.plan === "object" && race.plan !== null
    && numbers.every((name) => Number.isFinite(race[name]))
    && ["scratch", "transfer"].every((lane) => Number.isFinite(race.final?.[lane]) && Number.isFinite(race.best?.[lane])
      && Array.isArray(race.curves?.[lane]) && race.curves[lane].every((point) => Number.isFinite(point?.y)));
}

function keep() {
  races = races.slice(-KEPT);
  store(STORE, races);
  haunt();
  draw();
}

function remove(gone) {
  store(REMOVED, [...stored(REMOVED), ...gone.map((race) => race.id)].slice(-KEPT_REMOVED));
  races = races.filter((race) => !gone.includes(race));
  keep();
}

function haunt() {
  window.headstart.haunt(races.filter((race) => race.isShown).map(({ id, task, plan, curves, examples }) => (
    { race: id, task, backbone: plan.backbone, examples, lanes: curves })));
}

// --- from the log ----------------------------------------------------------------------------------------------------

function hear(story, rows) {
  if (story !== seen) { seen = story; answers = { curves: {}, finished: {} }; }
  for (const row of rows) take(story, row);
}

function take(story, row) {
  if (row.event === "RaceStarted") answers.plan = JSON.parse(row.plan);
  else if (row.event === "Evaluated" && row.is_exact) {
    (answers.curves[row.lane] ??= []).push({ epoch: row.epoch, seconds: row.seconds, pictures: row.pictures, y: row.correct / row.total });
  } else if (row.event === "Finished") answers.finished[row.lane] = row;
  else if (row.event === "Standing") answers.standing = row;
  else if (row.event === "RaceFinished") finish(story, row);
}

function finish(story, row) {
  const ends = answers.finished, both = ["scratch", "transfer"].map((lane) => ends[lane]);
  if (story.isRecorded || !story.isOwner || both.some((end) => !end || end.reason !== "done")) return;
  if (races.some((race) => race.id === story.race) || stored(REMOVED).includes(story.race)) return;
  const final = Object.fromEntries(Object.entries(ends).map(([lane, end]) => [lane, end.correct / end.total]));
  const best = Object.fromEntries(Object.entries(answers.curves).map(([lane, all]) => [lane, Math.max(...all.map((p) => p.y))]));
  races.push({
    id: story.race, number: 1 + Math.max(0, ...races.map((race) => race.number)), when: Date.now(), plan: answers.plan,
    task: story.task || answers.plan.task, examples: answers.plan.examples, final, best, gap: row.gap, low: row.gap_low,
    high: row.gap_high, wall: row.wall_seconds, curves: { scratch: answers.curves.scratch, transfer: answers.curves.transfer },
    isShown: true, isReference: !races.length,
  });
  keep();
}

// --- the table -------------------------------------------------------------------------------------------------------

const points = (share) => `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)}`;
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const ranks = {
  race: (race) => race.number, settings: (race) => race.examples, scratch: (race) => race.final.scratch,
  transfer: (race) => race.final.transfer, best: (race) => Math.max(race.best.scratch, race.best.transfer),
  gap: (race) => race.gap, time: (race) => race.wall,
};

function value(name, of) {
  if (name === "task" && of === "own") return known.words.own;
  if (name === "extra_lanes") return of.map((lane) => known.values.extra_lanes[lane] ?? lane).join(", ") || known.words.no;
  if (typeof of === "boolean") return of ? known.words.yes : known.words.no;
  return (known.values[name] || {})[of] ?? String(of);
}

// What tells races apart: the pictures, the network and the number of examples always; else what is not the default
// in any of the races shown
function settings(race, reference) {
  const always = ["task", "backbone", "examples", "learning_stages"];
  const names = Object.keys(known.defaults).filter((name) => always.includes(name)
    || !same(race.plan[name], known.defaults[name]) || !same(race.plan[name], reference.plan[name]));
  return names.map((name) => ({ name, text: value(name, race.plan[name]), differs: !same(race.plan[name], reference.plan[name]) }));
}

function query(plan) {
  const changed = Object.entries(plan).filter(([name, of]) => !same(of, known.defaults[name]));
  return new URLSearchParams(changed.map(([name, of]) => [name, Array.isArray(of) ? of.join(",") : String(of)])).toString();
}

function link(race) {
  const given = new URLSearchParams(location.search).get("lang");
  const parts = [query(race.plan), given ? `lang=${encodeURIComponent(given)}` : ""].filter(Boolean).join("&");
  return location.origin + location.pathname + (parts ? `?${parts}` : "");
}

function make(tag, content, attributes = {}) {
  const node = document.createElement(tag);
  for (const [name, of] of Object.entries(attributes)) node.setAttribute(name, of);
  if (Array.isArray(content)) node.append(...content);
  else if (content != null) node.textContent = content;
  return node;
}

function row(race, reference) {
  const box = make("input", null, { type: "checkbox", "aria-label": fill(known.words.select, { number: race.number }) });
  box.checked = race.isShown;
  box.addEventListener("change", () => { race.isShown = box.checked; keep(); });
  const chips = settings(race, reference).map(({ name, text, differs }) => {
    const chip = make("li", [make("span", `${known.settings[name]}: `), make("b", text)], differs ? { class: "hs-differs" } : {});
    if (differs) { chip.title = known.words.differs; chip.prepend(make("span", "≠ ", { "aria-label": known.words.differs })); }
    return chip;
  });
  const button = (name, work, isOff = false) => {
    const node = make("button", known.words[name], { type: "button", "data-act": name });
    node.disabled = isOff;
    node.addEventListener("click", () => work(node));
    return node;
  };
  const isClose = (race.low <= 0 && race.high >= 0) || Math.abs(race.gap) < threshold(race.examples);
  const actions = [
    race.plan.task === "own" ? "" : make("a", known.words.open, { href: link(race) }),
    race.plan.task === "own" ? "" : button("copy", (node) => copy(node, link(race))),
    race.isReference ? make("em", known.words.is_reference) : button("reference", () => refer(race)),
    button("remove", () => remove([race])),
  ];
  const started = new Date(race.when);
  const cells = [
    make("td", [box]),
    make("th", [make("b", `${race.number}`), make("small", started.toLocaleString(language, { dateStyle: "short", timeStyle: "short" }))], { scope: "row" }),
    make("td", [make("ul", chips)]),
    make("td", percent(race.final.scratch), { class: "hs-number-cell" }),
    make("td", percent(race.final.transfer), { class: "hs-number-cell" }),
    make("td", percent(ranks.best(race)), { class: "hs-number-cell" }),
    make("td", [make("b", fill(known.words.points, { gap: points(race.gap) })),
      make("small", isClose ? known.words.close : fill(known.words.interval, { low: points(race.low), high: points(race.high) }))], { class: "hs-number-cell" }),
    make("td", fill(known.words.seconds, { seconds: race.wall.toFixed(0) }), { class: "hs-number-cell" }),
    make("td", [make("div", actions, { class: "hs-compare-actions" })]),
  ];
  return make("tr", cells, race.isReference ? { class: "hs-reference" } : {});
}

function draw() {
  const ranked = [...races].sort((a, b) => (order.down ? -1 : 1) * (ranks[order.column](a) - ranks[order.column](b)));
  const reference = races.find((race) => race.isReference) || races[0];
  $(".hs-compare-empty").hidden = races.length > 0;
  $(".hs-compare-scroll").hidden = $(".hs-compare-bar").hidden = !races.length;
  $("tbody").replaceChildren(...ranked.map((race) => row(race, reference)));
  for (const head of $$("th[aria-sort]")) {
    const name = head.firstChild.dataset.sort;
    head.setAttribute("aria-sort", name !== order.column ? "none" : order.down ? "descending" : "ascending");
  }
}

function refer(race) {
  for (const other of races) other.isReference = other === race;
  keep();
}

// A page that came over plain http may not copy: there the link stands ready to be copied by hand
async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    byHand(button, text);
    return;
  }
  button.textContent = known.words.copied;
  setTimeout(() => { button.textContent = known.words.copy; }, 1500);
}

function byHand(button, text) {
  const field = make("input", null, { type: "text", readonly: "" });
  field.value = text;
  button.parentNode.querySelector("label")?.remove();
  button.parentNode.append(make("label", [known.words.by_hand, field]));
  field.select();
}

// A spreadsheet would run a cell that begins with one of these as a formula
const cell = (text) => `"${String(text).replace(/^(?=[=+@\t\r]|-\D)/, "'").replaceAll('"', '""')}"`;

function save() {
  const names = Object.keys(known.defaults);
  const head = ["race", "when", ...names, "scratch", "transfer", "gap", "gap_low", "gap_high", "wall_seconds"];
  const lines = races.map((race) => [race.number, new Date(race.when).toISOString(), ...names.map((name) => race.plan[name]),
    race.final.scratch, race.final.transfer, race.gap, race.low, race.high, race.wall]);
  const text = [head, ...lines].map((line) => line.map(cell).join(",")).join("\r\n");
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  make("a", null, { href: address, download: "headstart-races.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.sort) {
    const column = button.dataset.sort;
    order = { column, down: order.column === column ? !order.down : true };
    draw();
    $(".hs-aloud").textContent = fill(known.words.sorted, { column: button.textContent });
  } else if (button.dataset.do === "csv") save();
  else if (button.dataset.do === "clear") remove(races);
});
window.addEventListener("headstart:clear", () => { for (const race of races) race.isShown = false; keep(); });
window.addEventListener("storage", (event) => { if (event.key === STORE) { races = remembered(); haunt(); draw(); } });
if (!races.some((race) => race.isReference) && races.length) races[0].isReference = true;
haunt();
draw();
window.headstart.listen(element, hear);
