// Shows why one racer is ahead, from the rows of the race alone: what the racers answer, see and change while they race;
// whom they confuse, where they are surely wrong and what only one gets right afterwards.
// Runs after part.js, which brings `known`, `element`, `$`, `$$`, `fill` and `window.headstart`.
const MOST_CLASSES = 40, MOST_PAIRS = 12, MOST_PICTURES = 24, MOST_MISTAKES = 8;
const FILTER = 26, GAP = 2, FILTERS_A_ROW = 8; // pixels on the page
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const say = (key, values) => fill(known.words[key], values);
const percent = (share) => `${Math.round(100 * share)} %`;

let race = null; // what the rows so far say
let dirty = new Set(), isWaiting = false; // what has changed since the last paint
let strip = {}, moved = {}, view = "confusion", isByGap = false, cell = null, ends = "";

function make(tag, name = "", text = "") {
  const node = document.createElement(tag);
  node.className = name;
  node.textContent = text;
  return node;
}

function attributes(node, values) {
  for (const [name, value] of Object.entries(values)) node.setAttribute(name, value);
  return node;
}

// --- what the rows say ---------------------------------------------------------------------------------------------

function hear(story, rows) {
  if (!race || race.story !== story) {
    race = { story, started: null, plan: null, classes: [], answers: {}, looks: {}, filters: {}, learning: {}, judged: {}, ended: {}, isOver: false };
    mark("start");
  }
  rows.forEach(read);
}

function read(row) {
  const lane = row.lane;
  if (row.event === "RaceStarted") {
    Object.assign(race, { started: row, plan: JSON.parse(row.plan), classes: race.story.classes || row.classes });
    mark("start");
  } else if (row.event === "PhaseStarted") {
    race.learning[lane] = row.learning_stages;
    mark("moved");
  } else if (row.event === "Answered") {
    race.answers[lane] = row;
    mark(`answers ${lane}`);
  } else if (row.event === "Looked") {
    race.looks[lane] = row;
    mark("moved");
    if (row.filters || !row.count) { race.filters[lane] = row; mark(`filters ${lane}`); }
  } else if (row.event === "Judged") {
    race.judged[lane] = row;
    mark("after");
  } else if (row.event === "Finished") {
    race.ended[lane] = row;
    mark("after");
  } else if (row.event === "RaceFinished") {
    race.isOver = true;
    mark("after");
  }
}

const lanes = () => [...known.rivals, ...race.plan.extra_lanes];
const truth = (row) => race.started.labels[row];
const isRight = (lane, row) => race.judged[lane].named[row] === truth(row);
const everyRow = () => race.started.labels.map((_, row) => row);

// --- painting: once a frame at most, only what changed, and only while somebody can see it ---------------------------

function mark(what) {
  dirty.add(what);
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(paint);
}

function wake() { if (dirty.size && !isWaiting) { isWaiting = true; requestAnimationFrame(paint); } }

function paint() {
  isWaiting = false;
  if (!element.isConnected || $(".hs-why").offsetParent === null) return;
  const work = dirty;
  dirty = new Set();
  const isNew = work.has("start");
  if (isNew) start();
  if (!race.started) return;
  for (const lane of lanes()) {
    if ((isNew || work.has(`answers ${lane}`)) && race.answers[lane]) answers(lane);
    if ((isNew || work.has(`filters ${lane}`)) && race.filters[lane]) filters(lane);
  }
  if (isNew || work.has("moved")) move();
  if (isNew || work.has("after")) after();
}

function start() {
  strip = {}; moved = {}; cell = null; ends = "";
  sheets.clear();
  for (const name of [".hs-why-live", ".hs-why-after"]) empty($(name), true);
  $(".hs-why-after .hs-why-empty").textContent = say("empty");
  for (const node of $$(".hs-why-strip, .hs-why-filters, .hs-why-moved, .hs-why-legend, [role=tabpanel]")) node.replaceChildren();
  if (!race.started) return;
  empty($(".hs-why-live"), false);
  drawStrip();
  $(".hs-why-looks").classList.toggle("hs-why-many", lanes().length > known.rivals.length);
  $(".hs-why-legend").append(...known.rivals.map((lane) => nameOf(lane)));
}

function empty(section, isEmpty) {
  section.querySelector(".hs-why-empty").hidden = !isEmpty;
  section.querySelector(".hs-why-full").hidden = isEmpty;
}

// --- pictures ------------------------------------------------------------------------------------------------------

const sheets = new Map(); // address of pictures side by side -> whether it could be loaded

function sheet(address) {
  if (!sheets.has(address)) {
    sheets.set(address, new Promise((resolve) => {
      const image = new Image();
      image.onload = () => resolve(true);
      image.onerror = () => { sheets.delete(address); resolve(false); };
      image.src = address;
    }));
  }
  return sheets.get(address);
}

// The k-th of these held-out pictures; all of them are loaded as one
function picture(rows, k) {
  const label = race.classes[truth(rows[k])], node = make("div", "hs-why-picture");
  attributes(node, { role: "img", "aria-label": label, "data-row": rows[k] });
  const away = (text) => { node.textContent = text; node.ariaLabel = `${label} (${text})`; };
  if (race.story.task == null) { away(say("own")); return node; }
  const address = window.headstart.cells(race.story.task, race.plan, "heldout", rows);
  sheet(address).then((isHere) => {
    if (!isHere) { away(say("missing")); return; }
    node.style.backgroundImage = `url("${address}")`;
    node.style.backgroundSize = `${rows.length * 100}% 100%`;
    node.style.backgroundPosition = `${rows.length > 1 ? (100 * k) / (rows.length - 1) : 0}% 0`;
  });
  return node;
}

// A racer's name with its colour and dash
function nameOf(lane, name = "hs-why-lane") {
  const node = make("span", name, known.names[lane]);
  node.dataset.lane = lane;
  return node;
}

// The place of one answer, which keeps its size whatever the answer is
function place(lane) {
  const node = make("div", "hs-why-answer"), parts = { node, named: null };
  for (const name of ["mark", "name", "sure", "share"]) node.append(parts[name] = make("span", `hs-why-${name}`));
  parts.name.textContent = "–";
  node.dataset.lane = lane;
  return parts;
}

function put(parts, named, confidence, label) {
  const isGood = named === label;
  if (parts.named !== named) {
    const isChange = parts.named !== null;
    parts.named = named;
    parts.name.textContent = parts.name.title = race.classes[named];
    parts.mark.textContent = isGood ? "✓" : "✗";
    attributes(parts.mark, { role: "img", "aria-label": say(isGood ? "right" : "wrong") });
    parts.node.classList.toggle("hs-why-bad", !isGood);
    if (isChange && !still) parts.node.animate([{ backgroundColor: "var(--hs-grid)" }, { backgroundColor: "transparent" }], 1200);
  }
  parts.share.textContent = percent(confidence);
  parts.sure.style.setProperty("--share", confidence);
}

// --- while they race -----------------------------------------------------------------------------------------------

// One row of the table a picture; the style sheet turns rows into columns where there is room
function drawStrip() {
  const { shown } = race.started, head = attributes(make("div", "hs-why-row"), { role: "row" });
  const title = (name, text) => attributes(make("div", name, text), { role: "columnheader" });
  head.append(title("hs-why-corner", ""), ...lanes().map((lane) => {
    const node = title("hs-why-head", "");
    node.append(nameOf(lane));
    return node;
  }));
  head.firstChild.append(make("span", "hs-aloud", say("picture")));
  $(".hs-why-strip").style.setProperty("--lanes", lanes().length);
  $(".hs-why-strip").append(head, ...shown.map((row, k) => {
    const node = attributes(make("div", "hs-why-row"), { role: "row" });
    const what = attributes(make("div", "hs-why-what"), { role: "rowheader" });
    const label = make("b", "", race.classes[truth(row)]);
    label.title = label.textContent;
    what.append(picture(shown, k), label);
    node.append(what, ...lanes().map((lane) => {
      const parts = place(lane);
      (strip[lane] ??= []).push(parts);
      return attributes(parts.node, { role: "cell" });
    }));
    return node;
  }));
}

function answers(lane) {
  const { named, confidence } = race.answers[lane];
  strip[lane].forEach((parts, k) => put(parts, named[k], confidence[k], truth(race.started.shown[k])));
}

// The filters of the first layer in rows of eight, every pixel of a filter enlarged alike
function filters(lane) {
  const { count, side, filters: coded } = race.filters[lane];
  if (!count) { $(".hs-why-filters").textContent = say("no_filters"); return; }
  let figure = $(`.hs-why-filters [data-lane="${lane}"]`);
  if (!figure) {
    figure = make("figure");
    figure.dataset.lane = lane;
    const canvas = attributes(make("canvas"), { role: "img", "aria-label": say("filters_of", { lane: known.names[lane], count }) });
    const isRandom = ["scratch", "random"].includes(lane);
    const caption = make("figcaption");
    caption.append(nameOf(lane), make("span", "", say(isRandom ? "filters_random" : "filters_pretrained")));
    figure.append(caption, canvas);
    const after = lanes().slice(lanes().indexOf(lane) + 1).map((name) => $(`.hs-why-filters [data-lane="${name}"]`));
    $(".hs-why-filters").insertBefore(figure, after.find((node) => node && node.parentNode.matches(".hs-why-filters")) || null);
  }
  const canvas = figure.querySelector("canvas"), pen = canvas.getContext("2d"), scale = Math.max(1, Math.round(FILTER / side));
  const size = side * scale, step = size + GAP, bytes = Uint8Array.from(atob(coded), (letter) => letter.charCodeAt(0));
  canvas.width = Math.min(count, FILTERS_A_ROW) * step - GAP;
  canvas.height = Math.ceil(count / FILTERS_A_ROW) * step - GAP;
  for (let k = 0; k < count; k++) {
    const left = (k % FILTERS_A_ROW) * step, top = Math.floor(k / FILTERS_A_ROW) * step;
    for (let p = 0; p < side * side; p++) {
      const at = 3 * (k * side * side + p);
      pen.fillStyle = `rgb(${bytes[at]},${bytes[at + 1]},${bytes[at + 2]})`;
      pen.fillRect(left + (p % side) * scale, top + Math.floor(p / side) * scale, scale, scale);
    }
  }
}

function move() {
  const some = Object.values(race.looks)[0];
  if (!some) return;
  const table = $(".hs-why-moved");
  if (!table.rows.length) {
    drawBars(table, say("stage"), lanes(), some.stages, (stage) => stage);
    for (const lane of lanes()) moved[lane] = [...table.tBodies[0].rows].map((row) => row.querySelector(`[data-lane="${lane}"]`));
  }
  const isNew = (lane, k) => k === some.stages.length - 1 && lane !== "scratch"; // every other head starts at zero
  const far = Math.max(0.1, ...lanes().flatMap((lane) => (race.looks[lane]?.moved || []).filter((_, k) => !isNew(lane, k))));
  const most = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100].find((edge) => edge >= far) || far;
  for (const lane of lanes().filter((name) => race.looks[name])) {
    const learning = race.learning[lane] || some.stages.length;
    race.looks[lane].moved.forEach((share, k) => {
      const isFrozen = share === 0 && k < some.stages.length - learning;
      const text = isNew(lane, k) ? say("new") : isFrozen ? say("frozen") : share > 0 && share < 0.0995 ? `${(100 * share).toFixed(1)} %` : percent(share);
      fillBar(moved[lane][k], isNew(lane, k) ? 0 : share / most, text);
    });
  }
}

// A table with one row a thing and one bar a racer
function drawBars(table, corner, who, things, nameOfThing) {
  const column = (node) => attributes(node, { scope: "col" });
  table.style.setProperty("--lanes", who.length);
  const head = table.createTHead().insertRow();
  head.append(column(make("th", "", corner)), ...who.map((lane) => {
    const node = column(make("th"));
    node.append(nameOf(lane));
    return node;
  }));
  const body = table.createTBody();
  for (const thing of things) {
    const row = body.insertRow();
    row.append(attributes(make("th", "", nameOfThing(thing)), { scope: "row", title: nameOfThing(thing) }), ...who.map((lane) => {
      const node = make("td"), inner = make("div", "hs-why-track");
      node.dataset.lane = lane;
      inner.append(make("span", "hs-why-sure"), make("span", "hs-why-value", "–"));
      node.append(inner);
      return node;
    }));
  }
}

function fillBar(node, share, text) {
  node.querySelector(".hs-why-sure").style.setProperty("--share", share);
  node.querySelector(".hs-why-value").textContent = text;
}

// --- afterwards ----------------------------------------------------------------------------------------------------

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

// Two halves side by side, one a racer; `draw(lane, half)` where it reached its end, and a word where it did not
function halves(panel, draw) {
  const both = make("div", "hs-why-halves");
  for (const lane of known.rivals) {
    const half = make("section"), title = make("h3");
    title.append(nameOf(lane));
    half.append(title);
    half.dataset.lane = lane;
    if (race.judged[lane]) draw(lane, half);
    else half.append(make("p", "", say(race.ended[lane] || race.isOver ? "not_ended" : "still")));
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

// --- hands and start -----------------------------------------------------------------------------------------------

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

element.addEventListener("headstart:shown", wake);
new IntersectionObserver(wake).observe(element);
window.headstart.listen(element, hear);
