// Shows why one racer is ahead, from the rows of the race alone: what the racers answer, see and change while they race.
// What went wrong afterwards is shown by mistakes.js. Runs after part.js, which brings `known`, `element`, `$`, `$$`, `fill`
// and `window.headstart`.
const FILTER = 26, GAP = 2, FILTERS_A_ROW = 8; // pixels on the page
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const say = (key, values) => fill(known.words[key], values);
const percent = (share) => `${Math.round(100 * share)} %`;

let race = null; // what the rows so far say
let dirty = new Set(), isWaiting = false; // what has changed since the last paint
let strip = {}, moved = {};

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
  strip = {}; moved = {};
  sheets.clear();
  empty($(".hs-why-live"), true);
  for (const node of $$(".hs-why-strip, .hs-why-filters, .hs-why-moved")) node.replaceChildren();
  startAfter();
  if (!race.started) return;
  empty($(".hs-why-live"), false);
  drawStrip();
  $(".hs-why-looks").classList.toggle("hs-why-many", lanes().length > known.rivals.length);
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
  parts.share.textContent = confidence === null ? "–" : percent(confidence); // null: not a number, its weights diverged
  parts.sure.style.setProperty("--share", confidence ?? 0);
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
      const text = share === null ? say("diverged") : isNew(lane, k) ? say("new") : isFrozen ? say("frozen") : share > 0 && share < 0.0995 ? `${(100 * share).toFixed(1)} %` : percent(share);
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

// --- start ----------------------------------------------------------------------------------------------------------

element.addEventListener("headstart:shown", wake);
new IntersectionObserver(wake).observe(element);
window.headstart.listen(element, hear);
