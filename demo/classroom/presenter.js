// The presenter's view of a room: its address and QR code, the number of phones, their bets and their pictures.
import { nest, on } from "../../engine/export/lib/dom.js";
import { fill, formatNumber } from "../../engine/export/lib/format.js";
import { isDone, racerOf } from "../../engine/export/lib/reducer.js";
import { channel } from "../components/lib/race.js";
import { scoreGap, scoreSeconds, timeToTarget } from "../components/lib/score.js";
import { drawHistogram, gapColumns, secondsColumns } from "./histogram.js";

/** @typedef {import("../components/lib/race.js").ShownRace} ShownRace */
/** @typedef {{ code: string, host: string, address: string, entry: string, qr: string, hint: string, command: string }} Room */
/** @typedef {{ gap: number, seconds: number | null, name?: string }} Bet */
/** @typedef {{ do: string, turn: number } & Record<string, unknown>} Request */

const BEST = 10, POLL_MS = 1000, ANNOUNCE_MS = 15000, REPLY_TIMEOUT_MS = 20000;

/** @param {import("../components/lib/part.js").Component} component */
export function mount({ element, props, watch, submit, config, language, $, $$ }) {
  const words = config.words;
  /** @type {Room | null} the open room */
  let room = null;
  /** @type {any} the room's last state from the server, and its JSON text, to skip drawing an unchanged state */
  let state = null;
  let stateText = "";
  /** @type {{ race: string, gap: number, seconds: number | null } | null} the result of the race on the chart */
  let result = null;
  let announced = "", announcedAt = 0, hasEntered = false;
  /** @type {Request | null} the request without a reply yet; later ones wait in `waiting` */
  let pending = null;
  /** @type {Request[]} */
  const waiting = [];
  let turns = 0;

  /** @param {string} key @param {Record<string, unknown>} [values] */
  const translate = (key, values) => fill(words[key], values);
  /** @param {string} key @param {number} count */
  const counted = (key, count) => translate(`${key}.${count === 1 ? "one" : "many"}`, { count });
  /** @param {number} value */
  const number = (value, digits = 0) => formatNumber(value, language, digits);
  /** @param {number} value */
  const signed = (value, digits = 0) => (value > 0 ? "+" : "") + number(value, digits);
  /** @param {number} points */
  const formatGap = (points, digits = 0) => translate("points", { value: signed(points, digits) });
  /** @param {number | null} seconds */
  const formatSeconds = (seconds) => (seconds === null ? words.never : translate("after", { value: number(seconds, seconds < 10 ? 1 : 0) }));
  const texts = { translate, counted, number, signed, formatGap, formatSeconds, never: words.never };
  /** @param {string} path */
  const address = (path) => {
    const query = new URLSearchParams({ host: room?.host ?? "" });
    return new URL(`${config.base}/class/${room?.code}/${path}?${query}`, document.baseURI);
  };

  // --- requests and answers ------------------------------------------------------------------------------------------

  // All changes of a room go through the page's one handler, which checks the owner. One request at a time, because request
  // and reply share one value
  /** @param {string} action @param {Record<string, unknown>} [more] */
  function request(action, more = {}) {
    if (action !== "lock" && [pending, ...waiting].some((entry) => entry?.do === action)) return; // a second click
    hasEntered = true;
    waiting.push({ do: action, address: new URL(".", document.baseURI).href, ...more, turn: ++turns });
    send();
  }

  function send() {
    if (pending) return;
    const next = waiting.shift();
    if (!next) return;
    pending = next;
    props.value = next;
    submit();
    setTimeout(() => { if (pending === next) { pending = null; send(); } }, REPLY_TIMEOUT_MS);
  }

  /** @param {any} value the server's reply, or the request just sent */
  function apply(value) {
    if (!value || !("room" in value)) return;
    if (pending && value.turn === pending.turn) pending = null;
    setTimeout(send);
    $(".hs-alert").textContent = value.alert || "";
    $(".hs-class-note").textContent = value.note || "";
    if (room?.code === value.room?.code) { paint(); poll(); return; }
    const hadFocus = element.contains(document.activeElement);
    room = value.room;
    state = null;
    stateText = "";
    $(".hs-class-empty").hidden = Boolean(room);
    $(".hs-class-room").hidden = !room;
    if (room) showRoom(room, value.is_new);
    else {
      closeDialogs();
      if (hadFocus) $("[data-do=open]").focus(); // the focused element is hidden now
    }
  }

  /** @param {Room} opened @param {boolean} isNew */
  function showRoom(opened, isNew) {
    for (const box of $$(".hs-class-qr")) {
      box.innerHTML = opened.qr; // an SVG that the server draws from numbers only
      box.firstChild.setAttribute("role", "img");
      box.firstChild.setAttribute("aria-label", translate("qr", { address: opened.address }));
    }
    for (const node of $$("[data-say=code]")) node.textContent = opened.code;
    // A long address may break after a slash
    const parts = opened.entry.split(/(?<=\/)/);
    for (const node of $$("[data-say=address]")) node.replaceChildren(...parts.flatMap((part) => [part, nest("wbr")]));
    $("[data-say=hint]").textContent = opened.hint || "";
    $(".hs-class-start").hidden = !opened.command;
    $("[data-say=command]").textContent = opened.command || "";
    if (isNew) $(".hs-class-title").focus();
    poll();
  }

  const isSeen = () => !document.hidden && element.checkVisibility();

  async function poll() {
    const code = room?.code;
    if (!code) return;
    try {
      const response = await fetch(address("state"));
      if (room?.code !== code) return;
      if (response.status === 404) { apply({ room: null, note: words.ended }); return; }
      const text = await response.text();
      if (room?.code !== code) return;
      $(".hs-class-lost").textContent = "";
      if (text === stateText) return;
      stateText = text;
      state = JSON.parse(text);
      paint();
    } catch { $(".hs-class-lost").textContent = words.lost; }
  }

  async function tick() {
    if (!element.isConnected) return;
    // The visitor's token is available once a race is shown; only then can a room be requested
    if (!hasEntered && isSeen() && channel.visitor) request("enter");
    if (isSeen()) { await poll(); announce(); }
    setTimeout(tick, POLL_MS);
  }

  function closeDialogs() {
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

  // For a screen reader: the changes, at most every 15 seconds
  function announce() {
    if (!state || performance.now() - announcedAt < ANNOUNCE_MS) return;
    const text = translate("spoken", { watching: state.watching, bets: state.bets.length, pictures: pictureCount() });
    if (text === announced) return;
    announced = text;
    announcedAt = performance.now();
    $(".hs-aloud").textContent = text;
  }

  function paintBets() {
    /** @type {Bet[]} */
    const bets = state.bets;
    const end = result && result.race === state.race ? result : null, next = state.next.length;
    $(".hs-class-next").hidden = !next;
    $(".hs-class-next").textContent = translate("next", { bets: counted("bets", next) });
    $(".hs-class-bets-none").hidden = bets.length > 0;
    $(".hs-class-charts").hidden = bets.length === 0;
    $(".hs-class-best").hidden = !end || bets.length === 0;
    if (!bets.length) return;
    const gaps = bets.map((bet) => bet.gap), seconds = bets.map((bet) => bet.seconds);
    drawHistogram($("[data-chart=gap]"), gapColumns(gaps, end?.gap, texts), gaps, end?.gap, texts);
    drawHistogram($("[data-chart=seconds]"), secondsColumns(seconds, texts), seconds, end?.seconds, texts);
    if (end) paintBest(bets, end);
  }

  /** @param {Bet[]} bets @param {{ gap: number, seconds: number | null }} end */
  function paintBest(bets, end) {
    const scored = bets.map((bet) => (
      { ...bet, score: scoreGap(bet.gap, end.gap) + scoreSeconds(bet.seconds, end.seconds) }));
    scored.sort((a, b) => b.score - a.score);
    $(".hs-class-best ol").replaceChildren(...scored.slice(0, BEST).map((bet) => nest("li", [
      nest("b", translate("score", { score: number(bet.score) })), " ", nest("span", bet.name || words.nobody), " ",
      nest("small", translate("said", { gap: formatGap(bet.gap), seconds: formatSeconds(bet.seconds) })),
    ])));
  }

  // --- the cameras ---------------------------------------------------------------------------------------------------

  const pictureCount = () => state.classes.reduce((/** @type {number} */ sum, /** @type {string} */ name) => sum + state.counts[name].pictures, 0);

  function paintCameras() {
    /** @type {string[]} */
    const classes = state.classes;
    $(".hs-class-taken").hidden = classes.length === 0;
    $(".hs-class-again").hidden = pictureCount() === 0;
    if (!classes.length) return;
    const inputs = $$("[name=thing]");
    if (inputs.every((input) => !input.value)) inputs.forEach((input, k) => { input.value = classes[k] || ""; });
    $(".hs-class-taken tbody").replaceChildren(...classes.map((name) => {
      const { pictures, phones } = state.counts[name];
      return nest("tr", [nest("th", name, { scope: "row" }), nest("td", number(pictures)), nest("td", number(phones))]);
    }));
    paintWall(state.latest);
  }

  // Elements of pictures already shown are reused, so that each picture is fetched once
  /** @param {[number, string][]} pictures */
  function paintWall(pictures) {
    const wall = $(".hs-class-wall");
    /** @type {Map<string, any>} */
    const existing = new Map([...wall.children].map((node) => [node.dataset.picture, node]));
    $(".hs-class-wall-none").hidden = pictures.length > 0;
    wall.replaceChildren(...pictures.map(([id, name]) => existing.get(String(id)) || nest("li", [
      nest("img", null, { src: address(`pictures/${id}`), alt: translate("picture", { name }), width: 96, height: 96 }), nest("span", name),
    ], { "data-picture": id })));
  }

  // --- start ---------------------------------------------------------------------------------------------------------

  on(element, "click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.do) {
      closeDialogs();
      request(button.dataset.do);
    }
    if (button.dataset.show) $(`dialog.${button.dataset.show}`).showModal();
    if (button.dataset.close !== undefined) button.closest("dialog").close();
  });
  on(element, "change", (event) => {
    if (event.target.name === "lock") request("lock", { locked: event.target.checked });
  });
  on($(".hs-class-things"), "submit", (event) => {
    event.preventDefault();
    request("collect", { names: $$("[name=thing]").map((input) => input.value.trim()).filter(Boolean) });
  });
  watch("value", () => apply(props.value));
  apply(props.value);
  channel.subscribe(element, ({ id, state: race }, rows) => {
    if (result && result.race !== id) result = null;
    const end = rows.find((row) => row.event === "RaceFinished");
    if (!end || !isDone(race, "scratch", "pretrained")) return;
    result = { race: id, gap: 100 * end.gap, seconds: timeToTarget(racerOf(race, "pretrained").exact, config.target) };
    paint();
  });
  tick();
}
