// Shows what went wrong, from the racers' final answers: whom they confuse, where they are surely wrong, and what only one
// gets right. Runs after why.js, which reads the rows and brings `race`, `make`, `say`, pictures and bars.
const MOST_CLASSES = 40, MOST_PAIRS = 12, MOST_PICTURES = 24, MOST_MISTAKES = 8;
let view = "confusion", isByGap = false, cell = null, ends = "";

const isRight = (lane, row) => race.judged[lane].named[row] === truth(row);
const everyRow = () => race.started.labels.map((_, row) => row);

function startAfter() {
  cell = null; ends = "";
  empty($(".hs-why-after"), true);
  $(".hs-why-after .hs-why-empty").textContent = say("empty");
  for (const panel of $$("[role=tabpanel]")) panel.replaceChildren();
  $(".hs-why-legend").replaceChildren(...known.rivals.map((lane) => nameOf(lane)));
}

function after() {
  const now = known.rivals.map((lane) => (race.judged[lane] ? "judged" : race.ended[lane] || race.isOver ? "ended" : "racing")).join();
  if (now === ends) return; // what somebody is reading stays as it is
  ends = now;
  const isThere = known.rivals.some((lane) => race.judged[lane]);
  empty($(".hs-why-after"), !isThere);
  if (isThere) show(view);
  else $(".hs-why-after .hs-why-empty").textContent = say(race.isOver ? "no_end" : "empty");
}

function show(name) {
  view = name;
  for (const tab of $$("[role=tab]")) attributes(tab, { "aria-selected": tab.dataset.view === view, tabindex: tab.dataset.view === view ? 0 : -1 });
  for (const panel of $$("[role=tabpanel]")) panel.hidden = panel.id !== `hs-why-panel-${view}`;
  ({ confusion, classes, mistakes, only })[view]($(`#hs-why-panel-${view}`));
}

// Why there are no final answers of a racer
function missing(lane) {
  if (race.ended[lane]?.reason === "diverged") return say("diverged_end");
  return say(race.ended[lane] || race.isOver ? "not_ended" : "still");
}

// Two halves side by side, one a racer; `draw(lane, half)` where it reached its end, and a word where it did not
function halves(panel, draw) {
  const both = make("div", "hs-why-halves");
  for (const lane of known.rivals) {
    const half = make("section"), title = make("h3");
    title.append(nameOf(lane));
    half.append(title);
    half.dataset.lane = lane;
    if (race.judged[lane]) draw(lane, half);
    else half.append(make("p", "", missing(lane)));
    both.append(half);
  }
  panel.append(both);
}

// How often a racer called a picture of class `label` by the name of class `named`: counts[label][named]
function count(lane) {
  const counts = race.classes.map(() => race.classes.map(() => 0));
  race.judged[lane].named.forEach((named, row) => { counts[truth(row)][named] += 1; });
  return counts;
}

function confusion(panel) {
  const isTable = race.classes.length <= MOST_CLASSES, { of, label, named } = document.activeElement.dataset;
  panel.replaceChildren(make("p", "", isTable ? say("confusion_about") : say("pairs_about", { classes: race.classes.length })));
  halves(panel, (lane, half) => (isTable ? matrix(lane, half) : pairs(lane, half)));
  panel.append(attributes(make("h3", "hs-why-chosen"), { "aria-live": "polite" }), make("div", "hs-why-cell"));
  if (cell) choose(cell.lane, cell.label, cell.named);
  if (of) $(`[data-of="${of}"][data-label="${label}"][data-named="${named}"]`)?.focus(); // the other racer's end came in between
}

function matrix(lane, half) {
  const counts = count(lane), names = race.classes;
  const table = attributes(make("table", "hs-why-matrix"), { role: "grid", "aria-label": say("table_of", { lane: known.names[lane] }) });
  const head = table.createTHead().insertRow();
  head.append(attributes(make("th", "", say("truth")), { scope: "col" }), ...names.map((name) => {
    const node = attributes(make("th"), { scope: "col", title: name });
    node.append(make("span", "", name));
    return node;
  }));
  const body = table.createTBody();
  counts.forEach((row, label) => {
    const line = body.insertRow(), total = row.reduce((sum, n) => sum + n, 0) || 1;
    line.append(attributes(make("th", "", names[label]), { scope: "row", title: names[label] }));
    row.forEach((n, named) => {
      const box = line.insertCell();
      box.style.setProperty("--share", n / total);
      if (label === named) box.className = "hs-why-diagonal";
      if (n) box.append(pick(make("button", "", n), lane, label, named, n));
      else box.textContent = "0";
    });
  });
  const first = table.querySelector("button");
  if (first) first.tabIndex = 0; // the arrow keys lead to the others
  const scroll = make("div", "hs-why-scroll");
  scroll.append(table);
  half.append(scroll);
}

function pairs(lane, half) {
  const counts = new Map(), size = race.classes.length;
  race.judged[lane].named.forEach((named, row) => {
    const key = truth(row) * size + named;
    if (named !== truth(row)) counts.set(key, (counts.get(key) || 0) + 1);
  });
  const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, MOST_PAIRS);
  const list = make("ol", "hs-why-pairs");
  for (const [key, n] of most) {
    const label = Math.floor(key / size), named = key % size, item = make("li");
    const values = { label: race.classes[label], named: race.classes[named], count: n };
    item.append(pick(make("button", "", say("cell", values)), lane, label, named, n));
    item.firstChild.tabIndex = 0;
    list.append(item);
  }
  half.append(most.length ? list : make("p", "", say("no_pairs")));
}

// A button that shows the pictures of a cell
function pick(button, lane, label, named, n) {
  const values = { label: race.classes[label], named: race.classes[named], count: n };
  Object.assign(button, { type: "button", tabIndex: -1, ariaLabel: say("cell", values), ariaPressed: "false", title: say("cell", values) });
  Object.assign(button.dataset, { of: lane, label, named });
  return button;
}

function choose(lane, label, named) {
  cell = { lane, label, named };
  for (const button of $$("[data-of]")) {
    const { of, label: a, named: b } = button.dataset;
    button.ariaPressed = String(of === lane && Number(a) === label && Number(b) === named);
  }
  const rows = everyRow().filter((row) => truth(row) === label && race.judged[lane].named[row] === named);
  const values = { label: race.classes[label], named: race.classes[named], lane: known.names[lane], count: rows.length };
  $(".hs-why-chosen").textContent = say("cell_of", values);
  $(".hs-why-cell").replaceChildren(...gallery(rows, MOST_PICTURES));
}

// Pictures with what each racer called them, and how many more there are
function gallery(rows, most) {
  const list = make("ul", "hs-why-gallery"), first = rows.slice(0, most);
  first.forEach((row, k) => {
    const item = make("li"), label = make("b", "", race.classes[truth(row)]);
    label.title = label.textContent;
    item.append(picture(first, k), label);
    for (const lane of known.rivals.filter((name) => race.judged[name])) {
      const parts = place(lane), { named, confidence } = race.judged[lane];
      put(parts, named[row], confidence[row], truth(row));
      parts.node.prepend(nameOf(lane, "hs-why-lane hs-why-swatch"));
      item.append(parts.node);
    }
    list.append(item);
  });
  return rows.length > most ? [list, make("p", "hs-why-more", say("more", { count: rows.length - most }))] : [list];
}

function classes(panel) {
  const who = known.rivals.filter((lane) => race.judged[lane]);
  const all = race.classes.map((name, label) => ({ name, label, total: 0, right: Object.fromEntries(who.map((lane) => [lane, 0])) }));
  for (const row of everyRow()) {
    all[truth(row)].total += 1;
    for (const lane of who) all[truth(row)].right[lane] += isRight(lane, row);
  }
  const gap = ({ right, total }) => (right.transfer - right.scratch) / (total || 1);
  if (isByGap && who.length > 1) all.sort((a, b) => gap(b) - gap(a));
  const bar = attributes(make("div", "hs-why-tabs"), { role: "group", "aria-label": say("order") });
  for (const on of [false, true]) {
    const button = attributes(make("button", "", say(on ? "by_gap" : "by_class")), { type: "button", "aria-pressed": isByGap === on, "data-gap": on });
    button.disabled = on && who.length < 2;
    bar.append(button);
  }
  const table = make("table", "hs-why-bars");
  drawBars(table, say("class"), who, all, ({ name }) => name);
  all.forEach(({ right, total }, k) => who.forEach((lane) => {
    const node = table.tBodies[0].rows[k].querySelector(`[data-lane="${lane}"]`);
    fillBar(node, right[lane] / (total || 1), total ? percent(right[lane] / total) : "–");
    node.title = say("of", { right: right[lane], total });
  }));
  const scroll = attributes(make("div", "hs-why-scroll hs-why-long"), { tabindex: 0, role: "region", "aria-label": say("classes") });
  scroll.append(table);
  panel.replaceChildren(make("p", "", say("classes_about")), bar, scroll);
}

function mistakes(panel) {
  panel.replaceChildren(make("p", "", say("mistakes_about")));
  halves(panel, (lane, half) => {
    const { confidence } = race.judged[lane];
    const wrong = everyRow().filter((row) => !isRight(lane, row)).sort((a, b) => confidence[b] - confidence[a]);
    half.append(...(wrong.length ? gallery(wrong.slice(0, MOST_MISTAKES), MOST_MISTAKES) : [make("p", "", say("no_mistakes"))]));
  });
}

function only(panel) {
  panel.replaceChildren(make("p", "", say("only_about")));
  if (!known.rivals.every((lane) => race.judged[lane])) { panel.append(make("p", "", say("both_needed"))); return; }
  const both = make("div", "hs-why-halves");
  known.rivals.forEach((lane, k) => {
    const other = known.rivals[1 - k], { confidence } = race.judged[lane];
    const rows = everyRow().filter((row) => isRight(lane, row) && !isRight(other, row)).sort((a, b) => confidence[b] - confidence[a]);
    const half = make("section"), title = make("h3", "hs-why-lane", say("only_one", { lane: known.names[lane], count: rows.length }));
    half.dataset.lane = title.dataset.lane = lane;
    half.append(title, ...(rows.length ? gallery(rows, MOST_PICTURES) : [make("p", "", say("only_none"))]));
    both.append(half);
  });
  panel.append(both);
}

// --- hands ----------------------------------------------------------------------------------------------------------

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { view: name, gap, of, label, named } = button.dataset;
  if (name) show(name);
  if (gap) {
    isByGap = gap === "true";
    show("classes");
    $(`[data-gap="${gap}"]`).focus();
  }
  if (of) choose(of, Number(label), Number(named));
});

element.addEventListener("keydown", (event) => {
  const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key], from = event.target;
  if (!way) return;
  if (from.getAttribute("role") === "tab" && way[1]) {
    const tabs = $$("[role=tab]"), next = tabs[(tabs.indexOf(from) + way[1] + tabs.length) % tabs.length];
    show(next.dataset.view);
    next.focus();
  } else if (from.closest(".hs-why-matrix") && from.dataset.of) {
    const rows = from.closest("table").tBodies[0].rows;
    let row = Number(from.dataset.label), column = Number(from.dataset.named), next = null;
    do {
      row += way[0]; column += way[1];
      next = rows[row]?.cells[column + 1]?.querySelector("button"); // before the cells stands the class
    } while (!next && rows[row]?.cells[column + 1] && column >= 0);
    if (next) { from.tabIndex = -1; next.tabIndex = 0; next.focus(); }
  } else return;
  event.preventDefault();
});
