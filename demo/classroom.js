// The presenter's side of a room: leads phones in, counts them, draws their bets and shows their pictures. Knows no training.
// Runs after part.js, which brings `known`, `element`, `$`, `$$`, `fill`, `language` and `window.headstart`, and score.js.
const words = known.words, BEST = 10, POLL_MS = 1000, SPOKEN_MS = 15000, PATIENCE_MS = 20000;
const say = (key, values) => fill(words[key], values);
const counted = (key, count) => say(`${key}.${count === 1 ? "one" : "many"}`, { count });
const number = (value, digits = 0) =>
  value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");
const signed = (value, digits = 0) => (value > 0 ? "+" : "") + number(value, digits);
const ofGap = (points, digits = 0) => say("points", { value: signed(points, digits) });
const ofSeconds = (seconds) => (seconds === null ? words.never : say("after", { value: number(seconds, seconds < 10 ? 1 : 0) }));
const room = (path) => new URL(`${known.base}/class/${here.code}/${path}?${new URLSearchParams({ host: here.host })}`, document.baseURI);

let here = null;    // the room that is open: { code, host, address, entry, qr, hint, command }
let state = null;   // what the server told of it last
let heard = "";     // the same as text: what did not change is not drawn again
let race = null;    // the race on the chart: { id, points, ends, result }
let spoken = "", spokenAt = 0, hasEntered = false;
let asked = null, waiting = [], turns = 0;  // the question that has no answer yet, and those after it

function make(tag, content = null, attributes = {}) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (Array.isArray(content)) node.append(...content);
  else if (content !== null) node.textContent = content;
  return node;
}

// --- asking and being told -----------------------------------------------------------------------------------------

// Everything that changes a room goes through the page's one handler, which knows whose it is; one question at a time,
// because question and answer share one value
function ask(what, more = {}) {
  if ([asked, ...waiting].some((one) => one && one.do === what && what !== "lock")) return;  // a second click
  hasEntered = true;
  waiting.push({ do: what, address: new URL(".", document.baseURI).href, ...more, turn: ++turns });
  send();
}

function send() {
  if (asked || !waiting.length) return;
  const mine = asked = waiting.shift();
  props.value = mine;
  trigger("submit");
  setTimeout(() => { if (asked === mine) { asked = null; send(); } }, PATIENCE_MS);
}

function take(value) {
  if (!value || !("room" in value)) return;  // what was just asked
  if (asked && value.turn === asked.turn) asked = null;
  setTimeout(send);
  $(".hs-alert").textContent = value.alert || "";
  $(".hs-class-note").textContent = value.note || "";
  if ((here && here.code) === (value.room && value.room.code)) { paint(); poll(); return; }
  const isNew = value.room && value.is_new, hadFocus = element.contains(document.activeElement);
  here = value.room;
  state = null;
  heard = "";
  $(".hs-class-empty").hidden = Boolean(here);
  $(".hs-class-room").hidden = !here;
  if (!here) {
    close();
    if (hadFocus) $("[data-do=open]").focus();  // what had it is hidden now
    return;
  }
  for (const box of $$(".hs-class-qr")) {
    box.innerHTML = here.qr;  // drawn by the server out of numbers alone
    box.firstChild.setAttribute("role", "img");
    box.firstChild.setAttribute("aria-label", say("qr", { address: here.address }));
  }
  for (const node of $$("[data-say=code]")) node.textContent = here.code;
  for (const node of $$("[data-say=address]")) breakable(node, here.entry);
  $("[data-say=hint]").textContent = here.hint || "";
  $(".hs-class-start").hidden = !here.command;
  $("[data-say=command]").textContent = here.command || "";
  if (isNew) $(".hs-class-title").focus();
  poll();
}

// A long address may break behind a slash
function breakable(node, address) {
  node.replaceChildren(...address.split(/(?<=\/)/).flatMap((part) => [part, document.createElement("wbr")]));
}

const isSeen = () => !document.hidden && element.checkVisibility();

async function poll() {
  if (!here) return;
  const code = here.code;
  try {
    const answer = await fetch(room("state"));
    if (!here || here.code !== code) return;
    if (answer.status === 404) { over(); return; }
    const text = await answer.text();
    if (!here || here.code !== code) return;
    $(".hs-class-lost").textContent = "";
    if (text === heard) return;
    heard = text;
    state = JSON.parse(text);
    paint();
  } catch { $(".hs-class-lost").textContent = words.lost; }
}

async function tick() {
  if (!element.isConnected) return;
  // The page's own visitor is known once a race is shown; only then may a room be asked for
  if (!hasEntered && isSeen() && window.headstart.visitor) ask("enter");
  if (isSeen()) { await poll(); speak(); }
  setTimeout(tick, POLL_MS);
}

function over() {
  take({ room: null, note: words.ended });
}

function close() {
  for (const dialog of $$("dialog[open]")) dialog.close();
}

// --- drawing -------------------------------------------------------------------------------------------------------

function paint() {
  if (!state) return;
  $("[data-say=watching]").textContent = number(state.watching);
  $("[data-say=watchers]").textContent = words[`watching.${state.watching === 1 ? "one" : "many"}`];
  $("[data-say=phase]").textContent = words[`phase.${state.phase}`] || "";
  $("[name=lock]").checked = state.locked;
  paintBets();
  paintCameras();
}

// For a screen reader: what changed, a few times a minute and not every second
function speak() {
  if (!state || performance.now() - spokenAt < SPOKEN_MS) return;
  const text = say("spoken", { watching: state.watching, bets: state.bets.length, pictures: taken() });
  if (text === spoken) return;
  spoken = text;
  spokenAt = performance.now();
  $(".hs-aloud").textContent = text;
}

const result = () => (race && state && race.id === state.race ? race.result : null);

function paintBets() {
  const bets = state.bets, end = result(), next = state.next.length;
  $(".hs-class-next").hidden = !next;
  $(".hs-class-next").textContent = say("next", { bets: counted("bets", next) });
  $(".hs-class-bets-none").hidden = bets.length > 0;
  $(".hs-class-charts").hidden = bets.length === 0;
  $(".hs-class-best").hidden = !end || bets.length === 0;
  if (!bets.length) return;
  chart($("[data-chart=gap]"), ofGap, gapColumns(bets, end), bets.map((bet) => bet.gap), end && end.gap);
  chart($("[data-chart=seconds]"), ofSeconds, secondsColumns(bets), bets.map((bet) => bet.seconds), end && end.seconds);
  if (!end) return;
  const scored = bets.map((bet) => ({ ...bet, score: worthOfGap(bet.gap, end.gap) + worthOfCrossing(bet.seconds, end.seconds) }));
  scored.sort((a, b) => b.score - a.score);
  $(".hs-class-best ol").replaceChildren(...scored.slice(0, BEST).map((bet) => make("li", [
    make("b", say("score", { score: number(bet.score) })), " ", make("span", bet.name || words.nobody), " ",
    make("small", say("said", { gap: ofGap(bet.gap), seconds: ofSeconds(bet.seconds) })),
  ])));
}

// Columns of ten points, from -20 to 80 or as far as the bets and the result go
function gapColumns(bets, end) {
  const all = [...bets.map((bet) => bet.gap), ...(end ? [end.gap] : [])];
  const low = Math.min(-20, 10 * Math.floor(Math.min(...all) / 10)), high = Math.max(80, 10 * Math.ceil(Math.max(...all) / 10));
  const edges = Array.from({ length: (high - low) / 10 + 1 }, (_, k) => low + 10 * k);
  return {
    ticks: edges.map((edge) => signed(edge)), at: (value) => (value - low) / 10,
    column: (value) => Math.min(edges.length - 2, Math.max(0, Math.floor((value - low) / 10))),
    names: edges.slice(1).map((edge, k) => say("range", { low: ofGap(edges[k]), high: ofGap(edge) })),
  };
}

// Each column twice as long as the one before, as the score counts; the last is "never"
function secondsColumns(bets) {
  const most = Math.max(64, ...bets.map((bet) => bet.seconds || 0)), edges = [0, 1];
  while (edges.at(-1) < most) edges.push(2 * edges.at(-1));
  const last = edges.length - 1;  // the column of those who say never
  const at = (seconds) => (seconds === null ? last + 0.5 : seconds < 1 ? seconds : Math.min(last, 1 + Math.log2(seconds)));
  return {
    ticks: edges.map((edge) => number(edge)), at, never: true,
    column: (seconds) => (seconds === null ? last : Math.min(last - 1, Math.floor(at(seconds)))),
    names: [...edges.slice(1).map((edge, k) => say("range", { low: ofSeconds(edges[k]), high: ofSeconds(edge) })), words.never],
  };
}

// null stands above every number: a bet on "never"
const middle = (values) => [...values].sort((a, b) => (a ?? Infinity) - (b ?? Infinity))[Math.floor((values.length - 1) / 2)];

function chart(node, tell, columns, values, came) {
  const counts = columns.names.map((_, k) => values.filter((value) => columns.column(value) === k).length);
  const most = Math.max(...counts), hasCome = came !== undefined && came !== null || (came === null && result() !== null);
  const place = (at) => `${(100 * at) / counts.length}%`;
  const parts = counts.map((count, k) => {
    const bar = make("i", [], { class: "hs-class-bar" });
    bar.style.height = `${(100 * count) / most}%`;
    return make("div", [make("span", count ? number(count) : ""), bar], { class: "hs-class-column" });
  });
  const summary = [say("middle", { bets: counted("bets", values.length), middle: tell(middle(values)) })];
  const plot = node.querySelector(".hs-class-plot");
  plot.replaceChildren(...parts);
  if (hasCome) {
    const text = say("real", { value: tell(came, 1) }), at = columns.at(came), flag = make("b", text);
    const line = make("div", [flag], { class: `hs-class-real ${at > counts.length / 2 ? "hs-class-left" : ""}` });
    line.style.left = place(at);
    plot.append(line);
    summary.push(text);
  }
  plot.setAttribute("aria-label", summary.join(". "));
  node.querySelector(".hs-class-summary").textContent = summary[0];
  const ticks = columns.ticks.map((text, k) => {
    const tick = make("span", text);
    tick.style.left = place(k);
    return tick;
  });
  if (columns.never) {
    const tick = make("span", words.never);
    tick.style.left = place(counts.length - 0.42);
    ticks.push(tick);
  }
  node.querySelector(".hs-class-ticks").replaceChildren(...ticks);
  node.querySelector("tbody").replaceChildren(...counts.map((count, k) => (
    make("tr", [make("th", columns.names[k], { scope: "row" }), make("td", number(count))]))));
}

// --- the cameras ---------------------------------------------------------------------------------------------------

const taken = () => state.classes.reduce((sum, kind) => sum + state.counts[kind].pictures, 0);

function paintCameras() {
  const kinds = state.classes;
  $(".hs-class-taken").hidden = kinds.length === 0;
  $(".hs-class-again").hidden = taken() === 0;
  if (!kinds.length) return;
  const inputs = $$("[name=thing]");
  if (inputs.every((input) => !input.value)) inputs.forEach((input, k) => { input.value = kinds[k] || ""; });
  $(".hs-class-taken tbody").replaceChildren(...kinds.map((kind) => {
    const { pictures, phones } = state.counts[kind];
    return make("tr", [make("th", kind, { scope: "row" }), make("td", number(pictures)), make("td", number(phones))]);
  }));
  hang(state.latest);
}

// Pictures that hang already stay: each is fetched once
function hang(pictures) {
  const wall = $(".hs-class-wall"), hanging = new Map([...wall.children].map((node) => [node.dataset.picture, node]));
  $(".hs-class-wall-none").hidden = pictures.length > 0;
  wall.replaceChildren(...pictures.map(([id, kind]) => hanging.get(String(id)) || make("li", [
    make("img", null, { src: room(`pictures/${id}`), alt: say("picture", { name: kind }), width: 96, height: 96 }), make("span", kind),
  ], { "data-picture": id })));
}

// --- the race ------------------------------------------------------------------------------------------------------

function hear(story, rows) {
  if (!race || race.story !== story) {
    race = { story, id: story.race, points: [], ends: {}, result: null };
  }
  for (const row of rows) {
    if (row.event === "Evaluated" && row.lane === "transfer" && row.is_exact) race.points.push(row);
    if (row.event === "Finished") race.ends[row.lane] = row.reason;
    if (row.event === "RaceFinished" && ["scratch", "transfer"].every((lane) => race.ends[lane] === "done")) {
      race.result = { gap: 100 * row.gap, seconds: crossing(race.points, known.target) };
      if (state) paint();
    }
  }
}

// --- start ---------------------------------------------------------------------------------------------------------

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.do) {
    close();
    ask(button.dataset.do);
  }
  if (button.dataset.show) $(`dialog.${button.dataset.show}`).showModal();
  if (button.dataset.close !== undefined) button.closest("dialog").close();
});
element.addEventListener("change", (event) => {
  if (event.target.name === "lock") ask("lock", { locked: event.target.checked });
});
$(".hs-class-things").addEventListener("submit", (event) => {
  event.preventDefault();
  ask("collect", { names: $$("[name=thing]").map((input) => input.value.trim()).filter(Boolean) });
});
watch("value", () => take(props.value));
take(props.value);
window.headstart.listen(element, hear);
tick();
