// Draws a race from the rows of its log, and tells the other parts of the page what it reads (part.js). Knows nothing of
// training: it reads rows and appends points. Figures, colours and words come from Python (live.py).
const base = new URL(known.base + "/", document.baseURI);
const HIDDEN_MS = 30000, OPEN_MS = 4000, POLL_MS = 1000;
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

let plotly = null, axis = "epoch", tab = "accuracy";
let source = null, polled = null, timers = [], attached = null, following = null, index = 0;
let points = {}, drawn = {}, plan = null, isOver = false, isRecorded = false, dirty = false, painting = false;
let spoken = 0, status = "";

const say = (text) => { status = text; $(".hs-status").textContent = text; };
const word = (name, values) => fill(known.words[name], values);
const lost = () => { $(".hs-status").textContent = word("lost"); };
const found = () => { $(".hs-status").textContent = status; };
const key = (meta) => meta.join(":");
const lanes = () => [...known.rivals, ...((plan && plan.extra_lanes) || [])];
// An earlier race is drawn beside one on the same pictures with the same network
const isAlike = (ghost) => ghost.race !== following && ghost.backbone === (plan || known.plan).backbone
  && ghost.task === ((window.headstart.story || {}).task || (plan || known.plan).task);
const ghosts = () => window.headstart.ghosts.filter(isAlike);
const charts = () => Object.fromEntries($$(".hs-chart").map((node) => [node.dataset.chart, node]));

// plotly.js is served by the app; our own reference survives another component's copy
async function loadPlotly() {
  if (window.headstartPlotly) return window.headstartPlotly;
  const others = window.Plotly;
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: new URL(known.plotly, base).href, onload: resolve, onerror: reject });
    document.head.append(script);
  });
  window.headstartPlotly = window.Plotly;
  if (others) window.Plotly = others;
  return window.headstartPlotly;
}

// --- reading the log -----------------------------------------------------------------------------------------------

// `headstart:answer` tells the other parts what the page answered: a race, or an alert; `headstart:queued` how it waits
const announce = (name, detail) => window.dispatchEvent(new CustomEvent(`headstart:${name}`, { detail }));

function attach(value) {
  if (!value) return;
  announce("answer", value);
  if (value.race && !(attached && attached.race === value.race && attached.turn === value.turn)) {
    attached = value;
    window.headstart.visitor = value.me;
    follow(value.race);
  }
  $(".hs-alert").textContent = value.alert || "";
}

function follow(race) {
  detach();
  following = race;
  points = {}; drawn = {}; plan = null; isOver = false; isRecorded = false; index = 0;
  $$(".hs-card dd, .hs-card [data-field=accuracy]").forEach((node) => { node.textContent = "–"; });
  $$(".hs-card small").forEach((node) => { node.textContent = ""; });
  $$(".hs-small").forEach((node) => { node.hidden = true; });
  $(".hs-stamp").hidden = true;
  $(".hs-headline").textContent = word("starting");
  $(".hs-detail").textContent = "";
  $("progress").value = 0;
  $(".hs-left").textContent = "";
  say("");
  setBusy(attached.owner);
  // What the log keeps to itself of a visitor's own pictures comes with the value, for her alone
  const { task = null, classes = null } = isMine() ? attached : {};
  window.headstart.begin({ race, task, classes, isOwner: isMine(), isRecorded: race === "recorded" });
  redraw();
  open();
}

// Watching another visitor's race while waiting is not owning it
function isMine() { return Boolean(attached.owner) && following === attached.race; }

// The new rows for the other parts of the page. By the row that says what is raced on, they know it
function tell(rows) {
  const story = window.headstart.story, started = rows.find((row) => row.event === "RaceStarted");
  const task = started && JSON.parse(started.plan).task;
  if (started && story.task === null && task !== "own") Object.assign(story, { task, classes: started.classes });
  if (rows.length) window.headstart.tell(rows);
}

function detach() {
  if (source) source.close();
  source = polled = null;
  timers.forEach(clearTimeout);
  timers = [];
}

function later(work, ms) { timers.push(setTimeout(work, ms)); }

function open() {
  const mine = following;
  const query = new URLSearchParams({ since: index, visitor: attached.owner ? attached.me : "" });
  const stream = new EventSource(new URL(`races/${mine}/events?${query}`, base));
  source = stream;
  later(() => { if (source === stream && stream.readyState !== 1) { stream.close(); startPoll(mine); } }, OPEN_MS);
  stream.onmessage = (message) => { take(JSON.parse(message.data), Number(message.lastEventId)); };
  stream.addEventListener("end", () => { stream.close(); source = null; ended(); });
  stream.onerror = () => {
    if (stream.readyState === 2) startPoll(mine);
    else lost();
  };
  stream.onopen = found;
}

function startPoll(race) {
  if (polled === race) return;
  polled = race;
  poll(race);
}

async function poll(race) {
  if (race !== following || isOver || !element.isConnected) return;
  try {
    const query = new URLSearchParams({ since: index, visitor: attached.owner ? attached.me : "" });
    const answer = await fetch(new URL(`races/${race}/rows?${query}`, base));
    if (answer.status === 404) { say(word("gone")); setBusy(false); return; }
    const body = await answer.json();
    found();
    take(body.rows, body.next);
    if (body.state === "ended") { ended(); return; }
  } catch { lost(); }
  later(() => poll(race), POLL_MS);
}

function take(rows, next) {
  if (next <= index) return;
  rows = rows.slice(rows.length - (next - index));
  index = next;
  if (rows.length && rows[0].event === "Recorded") { play(rows); return; }
  // A place in the queue is news only while nothing came after it
  tell(rows.filter((row) => row.event !== "Queued"));
  rows.forEach((row, k) => (row.event !== "Queued" ? read(row) : k === rows.length - 1 && queued(row)));
  paint();
}

// A recorded race is shown at the speed at which it happened
function play(rows) {
  isRecorded = true;
  const stamp = $(".hs-stamp");
  stamp.textContent = word("recorded", rows[0]);
  stamp.hidden = false;
  const mine = following, start = performance.now();
  let at = 1;
  const tick = () => {
    if (mine !== following || !element.isConnected) return;
    const now = still ? Infinity : (performance.now() - start) / 1000;
    const from = at;
    while (at < rows.length && rows[at].t <= now) at++;
    if (at > from) tell(rows.slice(from, at));
    rows.slice(from, at).forEach(read);
    paint();
    if (at < rows.length) later(tick, 100);
    else { isOver = true; say(""); }
  };
  tick();
}

function read(row) {
  const lane = row.lane;
  if (row.event === "Evaluated") {
    const at = { epoch: row.epoch, seconds: row.seconds, pictures: row.pictures };
    if (row.is_exact) {
      put(lane, "exact", at, row.correct / row.total);
      put(lane, "low", at, row.low);
      put(lane, "high", at, row.high);
    } else put(lane, "rolling", at, row.correct / row.total);
  } else if (row.event === "Stepped") {
    const at = { epoch: row.epoch, seconds: row.seconds, pictures: row.pictures };
    put(lane, "loss", at, row.loss);
    put(lane, "rate", at, row.rate);
  } else if (row.event === "PhaseStarted" && row.phase === "fine-tuning") {
    put(lane, "phase", { epoch: row.epoch, seconds: row.seconds, pictures: null }, row.phase);
  } else if (row.event === "RaceStarted") {
    plan = JSON.parse(row.plan);
    $$(".hs-small").forEach((node) => { node.hidden = !lanes().some((lane) => node.classList.contains(`hs-${lane}`)); });
    if (ghosts().length || lanes().length > known.rivals.length) redraw();
    say(isRecorded ? "" : `${word("live")} · ${row.network} · ${row.machine}`);
    chance(1 / row.classes.length);
    setBusy(!isRecorded && attached.owner);
    if (!isRecorded && !attached.owner) say(word("watching"));
  } else if (row.event === "Preparing") {
    $(".hs-headline").textContent = word("preparing");
    $("progress").value = row.progress;
    say(row.text[language]);
  } else if (row.event === "Standing") standing(row);
  else if (row.event === "Ended" && (row.message || !plan)) {
    $(".hs-headline").textContent = row.message ? row.message[language] : word("stopped");
  }
}

function put(lane, kind, at, y) { (points[`${lane}:${kind}`] ??= []).push({ ...at, y }); dirty = true; }

function queued(row) {
  wait(row);
  setBusy(attached.owner);
  if (!row.watch || row.watch === following) return;
  const mine = attached.race;
  const ask = async () => {
    if (!attached || attached.race !== mine || following === mine) return;
    try {
      const body = await (await fetch(new URL(`races/${mine}/rows?since=0`, base))).json();
      if (body.state !== "queued") { follow(mine); return; }
      const last = body.rows.filter((r) => r.event === "Queued").pop();
      if (last) wait(last);
    } catch { lost(); }
    later(ask, POLL_MS);
  };
  follow(row.watch);
  later(ask, POLL_MS);
}

function wait(row) {
  say(word("queued", row));
  announce("queued", row);
}

function ended() {
  if (isRecorded) return;
  isOver = true;
  say(word("done"));
  setBusy(false);
  if (isMine()) trigger("submit");  // its networks can be asked from now on
  speak(true);
  if (attached && following !== attached.race) follow(attached.race);
}

function standing(row) {
  $(".hs-headline").textContent = row.headline[language];
  $(".hs-detail").textContent = row.detail[language];
  $("progress").value = row.progress;
  $(".hs-left").textContent = row.left == null || isRecorded ? "" : word("left", { seconds: row.left });
  for (const [lane, facts] of Object.entries(row.lanes)) {
    const card = $(`.hs-card.hs-${lane}`);
    const set = (name, text) => { const node = card.querySelector(`[data-field="${name}"]`); if (node) node.textContent = text; };
    set("accuracy", facts.accuracy);
    set("interval", facts.is_exact ? facts.interval : known.rolling);
    set("best", facts.best);
    set("seconds", facts.seconds);
    set("phase", known.phases[facts.phase] || "");
    facts.targets.forEach((text, k) => set(`target-${k}`, text));
  }
  speak(false);
}

// For a screen reader: the headline every ten seconds and at the end, not five times a second
function speak(now) {
  if (isRecorded || (!now && performance.now() - spoken < 10000)) return;
  spoken = performance.now();
  $(".hs-aloud").textContent = `${$(".hs-headline").textContent}. ${$(".hs-detail").textContent}`;
}

function setBusy(isBusy) {
  const stop = document.querySelector("#hs-stop");
  if (stop) stop.disabled = !isBusy;
}

// --- drawing -------------------------------------------------------------------------------------------------------

function paint() {
  if (!dirty || painting || !plotly) return;
  painting = true;
  requestAnimationFrame(() => {
    painting = false;
    if (!element.isConnected) return;
    dirty = false;
    const node = charts()[tab];
    const update = { x: [], y: [] }, which = [];
    node.data.forEach((trace, k) => {
      if (!trace.meta || trace.meta[0] === "ghost") return;
      const name = key(trace.meta), all = points[name] || [], done = drawn[`${tab}/${name}`] || 0;
      if (all.length === done) return;
      update.x.push(all.slice(done).map((p) => p[axis]));
      update.y.push(all.slice(done).map((p) => p.y));
      which.push(k);
      drawn[`${tab}/${name}`] = all.length;
    });
    if (which.length) plotly.extendTraces(node, update, which);
    marks(node);
  });
}

// Draw a tab anew: another axis, another race, another shade, ghosts
function redraw() {
  if (!plotly) return;
  const node = charts()[tab], figure = structuredClone(known.figures[tab]), tone = shade();
  figure.data = figure.data.filter((trace) => lanes().includes(trace.meta[0]));
  for (const trace of figure.data) {
    const name = key(trace.meta), all = points[name] || [];
    trace.x = all.map((p) => p[axis]);
    trace.y = all.map((p) => p.y);
    drawn[`${tab}/${name}`] = all.length;
    const ink = known.inks[trace.meta[0]][tone];
    trace.line = { ...trace.line, color: ink };
    if (trace.marker) trace.marker.color = ink;
    if (trace.fillcolor) trace.fillcolor = ink + "29";
  }
  if (tab === "accuracy") figure.data.unshift(...ghosts().flatMap(ghostTraces));
  const { text, grid } = known.page;
  figure.layout.font.color = text[tone];
  for (const name of Object.keys(figure.layout).filter((n) => /^[xy]axis/.test(n))) {
    Object.assign(figure.layout[name], { gridcolor: grid[tone], zerolinecolor: grid[tone] });
  }
  figure.layout.xaxis.title = { text: known.axes[axis] };
  if (figure.layout.shapes) figure.layout.shapes[0].line.color = known.page.chance[tone];
  if (figure.layout.annotations) figure.layout.annotations[0].font.color = known.page.chance[tone];
  const isNarrow = node.clientWidth < 560;
  figure.layout.font.size = isNarrow ? 13 : 17;
  figure.layout.margin = isNarrow ? { l: 48, r: 8, t: 8, b: 48 } : { l: 72, r: 16, t: 8, b: 56 };
  figure.layout.uirevision = `${following}/${axis}`;
  const options = { responsive: true, displaylogo: false, showSendToCloud: false, displayModeBar: false };
  plotly.react(node, figure.data, figure.layout, options);
  marks(node);
}

// A line where the stages are unfrozen
function marks(node) {
  if (tab !== "accuracy") return;
  const phase = (points["transfer:phase"] || [])[0];
  const shapes = node.layout.shapes || [];
  if (!phase || phase[axis] == null) {
    if (shapes.length > 1) plotly.relayout(node, { shapes: shapes.slice(0, 1), annotations: node.layout.annotations.slice(0, 1) });
    return;
  }
  if (shapes.length > 1) return;
  const ink = known.inks.transfer[shade()], x = phase[axis];
  plotly.relayout(node, {
    shapes: [...shapes, { type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", line: { color: ink, width: 1, dash: "dot" } }],
    annotations: [...node.layout.annotations, { x, y: 0.02, yref: "paper", yanchor: "bottom", xanchor: "left", text: word("unfrozen"), showarrow: false, font: { color: ink, size: 13 } }],
  });
}

function chance(share) {
  const layout = known.figures.accuracy.layout;
  if (layout.shapes[0].y0 === share) return;
  Object.assign(layout.shapes[0], { y0: share, y1: share });
  layout.annotations[0].y = share;
  redraw();
}

function ghostTraces(ghost) {
  return Object.entries(ghost.lanes).map(([lane, all]) => ({
    type: "scatter", mode: "lines", x: all.map((p) => p[axis]), y: all.map((p) => p.y), meta: ["ghost", lane],
    line: { color: known.inks[lane][shade()], width: 2, dash: lane === "scratch" ? "dash" : "solid" }, opacity: 0.28,
    showlegend: false, hovertemplate: `${word("ghost", { label: word("per_class", ghost) })}: %{y:.0%}<extra></extra>`,
  }));
}

// The list of earlier races has changed (compare.js)
function haunted() {
  $(".hs-clear").hidden = !window.headstart.ghosts.length;
  redraw();
}

function show(name) {
  tab = name;
  for (const button of $$("[role=tab]")) button.setAttribute("aria-selected", String(button.dataset.tab === tab));
  for (const panel of $$(".hs-panel")) panel.hidden = panel.id !== `hs-panel-${tab}`;
  redraw();
}

// --- start ---------------------------------------------------------------------------------------------------------

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.tab) show(button.dataset.tab);
  if (button.classList.contains("hs-clear")) window.dispatchEvent(new Event("headstart:clear"));
});
element.addEventListener("keydown", (event) => {
  if (event.target.getAttribute("role") !== "tab" || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
  const next = $$("[role=tab]").find((button) => button !== event.target);
  next.focus();
  show(next.dataset.tab);
});
element.addEventListener("change", (event) => {
  if (event.target.name === "hs-axis") { axis = event.target.value; redraw(); }
});
new MutationObserver(redraw).observe(document.body, { attributes: true, attributeFilter: ["class"] });
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    // A viewer's stream is closed; the owner's stays, because it is what keeps the race going
    setTimeout(() => { if (document.hidden && source && !attached.owner) { source.close(); source = null; } }, HIDDEN_MS);
  } else if (following && !isOver && !isRecorded && !source) open();
});
window.addEventListener("headstart:ghosts", haunted);
haunted();
loadPlotly().then((library) => { plotly = library; redraw(); paint(); });
watch("value", () => attach(props.value));
attach(props.value);
