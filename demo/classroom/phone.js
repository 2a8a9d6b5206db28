// The phone page of a classroom: reads the room's events, draws its race, sends a bet and pictures.
import { fillWords, finder, setText } from "../../engine/export/lib/dom.js";
import { fill, pickLanguage, readersLanguages } from "../../engine/export/lib/format.js";
import { apply, emptyRace } from "../../engine/export/lib/reducer.js";
import { read, write } from "../components/lib/store.js";
import { StreamReader } from "../components/lib/stream.js";
import { BetForm } from "./phone_bet.js";
import { Camera } from "./phone_camera.js";
import { RaceView } from "./phone_race.js";

/** @typedef {{ gap: number, seconds: number | null }} Bet */
/** @typedef {{ bet: Bet | null, next: Bet | null, sent: Record<string, number> }} You the room's record of this phone */
/** @typedef {import("../../engine/export/lib/reducer.js").RaceState & { id: string }} Race */

/**
 * @typedef {object} Page shared by all parts of this page
 * @property {any} config the configuration from Python
 * @property {string} language
 * @property {(key: string, values?: Record<string, unknown>) => string} translate
 * @property {(selector: string) => any} $
 * @property {(selector: string) => any[]} $$
 * @property {any} state of the room, null before it has arrived
 * @property {You} you
 * @property {Race | null} race
 * @property {boolean} isOver the room has ended
 * @property {() => void} paintSoon
 * @property {(path: string, body: BodyInit, type: string, more?: Record<string, unknown>) => Promise<void>} post
 */

const RETRY_MS = 10000, SILENT_MS = 25000, ANNOUNCE_MS = 10000, REQUEST_MS = 4000, SPREAD_MS = 1000;
const GUEST = /^[\w-]{16,64}$/;

/** An error with a message from the server. */
class Refusal extends Error {
  isExplained = true;

  /** @param {string} text @param {number} status */
  constructor(text, status) {
    super(text);
    this.isRateLimited = status === 429;
  }
}

/** This phone's random token, stored in its browser. */
function guestToken() {
  const stored = read("guest");
  if (GUEST.test(stored || "")) return stored;
  const bytes = [...crypto.getRandomValues(new Uint8Array(15))];
  const guest = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  write("guest", guest);
  return guest;
}

/** The form that asks for a room's code. */
class CodeForm {
  /** @param {(selector: string) => any} $ */
  constructor($) {
    this.$ = $;
    $("#ask").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      const code = $("#typed").value.normalize("NFKC").replace(/[^\p{L}\p{N}]/gu, "").toUpperCase();
      const home = location.pathname.replace(/\/room(\/[^/]*)?$/, "/room");
      if (code) location.assign(`${home}/${encodeURIComponent(code)}${location.search}`);
      else $("#typed").focus();
    });
  }

  /** @param {string} reason */
  show(reason) {
    this.$("#room").hidden = true;
    this.$("#ask").hidden = false;
    this.$("#gone").textContent = "";
    this.$("#wrong").textContent = reason;
  }
}

/** @param {string} code of the room @param {CodeForm} codeForm @param {Pick<Page, "config" | "language" | "translate" | "$" | "$$">} base */
function followRoom(code, codeForm, base) {
  const { $, translate, language } = base, guest = guestToken();
  let isDirty = false, refusal = "", announcedAt = 0;
  /** @type {Page} */
  const page = {
    ...base, state: null, you: { bet: null, next: null, sent: {} }, race: null, isOver: false, paintSoon, post,
  };
  const stored = read("bet.room");
  if (stored && stored.code === code) page.you.bet = stored.bet; // until the server's reply
  const raceView = new RaceView(page), betForm = new BetForm(page), camera = new Camera(page);

  /** @param {string} path @param {Record<string, unknown>} [more] */
  const address = (path, more = {}) => {
    const query = new URLSearchParams({ guest, lang: language });
    for (const [name, value] of Object.entries(more)) query.set(name, String(value));
    return new URL(`${code}/${path}?${query}`, location.href);
  };

  // --- events of the room --------------------------------------------------------------------------------------------

  const reader = new StreamReader({
    streamUrl: (since) => address("events", { since }),
    request: async (since) => {
      const answer = await fetch(address("state", { since }), { signal: AbortSignal.timeout(REQUEST_MS) });
      return { status: answer.status, isOk: answer.ok, body: await answer.json() };
    },
    onReply, onRows,
    events: { you: (event) => setYou(JSON.parse(event.data)), still: () => {} },
    onEnd: () => end("phone.over"),
    onOnline: () => { $("#status").textContent = ""; },
    onOffline: () => { $("#status").textContent = translate("phone.lost"); },
    retryMs: RETRY_MS, silentMs: SILENT_MS,
  });

  /** @param {any[]} entries */
  function onRows(entries) {
    for (const entry of entries) {
      if (entry.event === "Race") {
        // Spread the requests of all phones over time
        if (page.race) reader.later(() => reader.fetchOnce().catch(() => {}), SPREAD_MS * Math.random());
        begin(entry.race);
      } else if (entry.event === "Room") page.state = entry;
      else apply(page.race ?? begin(""), [entry]);
    }
    paintSoon();
  }

  /** @param {string} id @returns {Race} */
  function begin(id) {
    page.race = { id, ...emptyRace() };
    raceView.clear();
    return page.race;
  }

  /** @param {{ status: number, isOk: boolean, body: any }} answer @param {boolean} isNew */
  function onReply({ status, isOk, body }, isNew) {
    refusal = isOk ? "" : body.error;
    $("#gone").textContent = refusal;
    if (isOk) {
      if (isNew) reader.receive(body.entries, body.next); // else a stream, or an earlier request, has delivered them
      setYou(body.you);
      return true;
    }
    const isFinal = status === 404 || status === 410;
    if (!page.state && (isFinal || status === 429)) {
      end("", refusal);
      codeForm.show(refusal);
    } else if (isFinal) end("", refusal);
    else paintSoon(); // locked or full: may change
    return !page.isOver;
  }

  /** @param {You} you */
  function setYou(you) {
    page.you = you;
    write("bet.room", { code, bet: you.bet });
    paintSoon();
  }

  function end(key = "", text = "") {
    page.isOver = true;
    reader.stop();
    $("#status").textContent = "";
    $("#gone").textContent = text || translate(key);
    paintSoon();
  }

  /** @type {Page["post"]} */
  async function post(path, body, type, more = {}) {
    const answer = await fetch(address(path, more), { method: "POST", headers: { "Content-Type": type }, body });
    const reply = await answer.json();
    if (!answer.ok) throw new Refusal(reply.error, answer.status);
    setYou(reply);
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  function paintSoon() {
    if (isDirty) return;
    isDirty = true;
    requestAnimationFrame(() => { isDirty = false; paint(); });
  }

  function paint() {
    const text = headline();
    setText($("#code"), page.state ? page.state.code : "");
    setText($("#headline"), text);
    setText($("#detail"), page.race?.standing ? page.race.standing.detail[language] : "");
    announce(text);
    raceView.paint();
    betForm.paint();
    camera.paint();
  }

  function headline() {
    const { state, race } = page;
    if (!state) return refusal ? "" : translate("phone.connecting");
    if (race?.standing) return race.standing.headline[language];
    if (race?.ended) return (race.ended.message || {})[language] || translate("phone.stopped");
    if (race?.preparing) return race.preparing.text[language];
    return translate(race?.started ? "phone.starting" : race?.id ? "phone.soon" : "phone.waiting");
  }

  // For a screen reader: the headline at most every ten seconds and at the end, not five times a second
  /** @param {string} text */
  function announce(text) {
    const isDue = Date.now() - announcedAt > ANNOUNCE_MS || Boolean(page.race?.ended);
    if (!isDue || $("#aloud").textContent === text) return;
    announcedAt = Date.now();
    setText($("#aloud"), text);
  }

  paint();
  reader.followPage();
  reader.connect();
}

function main() {
  const config = JSON.parse(document.getElementById("known")?.textContent ?? "{}"), language = pickLanguage(config.messages, readersLanguages());
  const { $, $$ } = finder(document);
  /** @type {Page["translate"]} */
  const translate = (key, values) => fill(config.messages[language][key], values);
  document.documentElement.lang = language;
  fillWords(document, translate);
  $("main").hidden = false;
  const codeForm = new CodeForm($), [, code = ""] = location.pathname.match(/\/room\/([^/]+)$/) || [];
  if (!code) { codeForm.show(""); return; }
  $("#room").hidden = false;
  followRoom(code, codeForm, { config, language, translate, $, $$ });
}

main();
