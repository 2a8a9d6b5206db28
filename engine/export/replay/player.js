// Plays the recorded race embedded in this file: the clock, the controls and the charts. `views.js` draws cards and pictures.
import { Curves } from "../lib/curves.js";
import { fillWords, finder, make, on, prefersStill } from "../lib/dom.js";
import { clock, fill, pickLanguage } from "../lib/format.js";
import { apply, emptyRace, racerOf } from "../lib/reducer.js";
import { Card, FiltersView, PictureView } from "./views.js";

/** @typedef {import("../lib/reducer.js").Row} Row */
/** @typedef {import("../lib/reducer.js").RaceState} RaceState */
/** @typedef {(key: string, values?: Record<string, unknown>) => string} Translate */

const LONGEST_FRAME = 1; // seconds: a suspended tab does not jump ahead
const JUMP = 1, LONG_JUMP = 5; // seconds

/** @param {any} race @returns {Row[]} rows like those of a live log, in order of time */
function rowsOf(race) {
  /** @param {string} event @param {any[]} values @returns {Row} */
  const row = (event, values) => Object.fromEntries([["event", event], ...values.map((value, k) => [race.fields[event][k], value])]);
  return Object.entries(race.rows).flatMap(([event, list]) => list.map((/** @type {any[]} */ values) => row(event, values)))
    .sort((a, b) => a.t - b.t);
}

class Player {
  #now = 0;
  #speed = 4;
  #isPlaying = false;
  /** @type {number | null} time of the last frame */
  #before = null;
  #painted = -1; // number of rows drawn
  #axis = "epoch";

  /** @param {any} race @param {any} texts @param {Translate} translate @param {string} language */
  constructor(race, texts, translate, language) {
    const { $, $$ } = finder(document);
    this.race = race;
    this.texts = texts;
    this.translate = translate;
    this.$ = $;
    this.$$ = $$;
    this.rows = rowsOf(race);
    /** @type {string[]} */
    this.racers = race.racers;
    this.charts = ["accuracy", "loss"].map((metric) => new Curves($(`#${metric}`), {
      metric, translate, racers: this.racers, limits: this.#limits(), chance: 1 / race.classes.length, locale: language,
    }));
    this.cards = this.racers.map((racer) => new Card($("#cards"), racer, translate));
    this.pictures = this.#has("PreviewPredicted") ? race.shown.map((/** @type {number} */ _, /** @type {number} */ k) => (
      new PictureView($("#shown"), race, k, translate))) : [];
    this.filters = this.racers.filter((racer) => this.#has("WeightsProbed", racer)).map((racer) => new FiltersView($("#filters"), racer, translate));
    this.#writeTexts();
    this.#listen();
  }

  /** @param {string} event @param {string} [racer] */
  #has(event, racer) {
    return this.rows.some((row) => row.event === event && (racer === undefined || row.racer === racer));
  }

  /** The upper end of each axis. */
  #limits() {
    /** @param {string} name */
    const largest = (name) => Math.max(0, ...this.rows.map((row) => row[name] || 0));
    return {
      epoch: this.race.epochs || largest("epoch"), seconds: largest("seconds"), pictures: largest("pictures"),
      loss: Curves.lossLimit(this.rows.map((row) => row.loss).filter(Number.isFinite)),
    };
  }

  #writeTexts() {
    const { $, $$, texts, translate } = this;
    fillWords(document, translate);
    for (const node of $$("[data-text]")) node.textContent = texts[node.dataset.text];
    /** @type {string[]} */
    const parts = texts.stamp.split(" · "); // no line break inside a date
    $(".stamp").replaceChildren(...parts.flatMap((part, k) => (k ? [" · ", make("span", "", part)] : [make("span", "", part)])));
    for (const [name, value] of texts.settings) {
      const row = $("#settings tbody").appendChild(make("tr")), head = make("th", "", name);
      head.scope = "row";
      row.append(head, make("td", "", value));
    }
    $("#shown-box").hidden = !this.pictures.length;
    $("#no-pictures").hidden = Boolean(this.race.pictures);
    $("#filters-box").hidden = !this.filters.length;
    $("#at").max = this.race.length;
    $("#replay").hidden = false;
  }

  // --- the race at this time ----------------------------------------------------------------------------------------

  get #isOver() {
    return this.#now >= this.race.length;
  }

  paint() {
    const next = this.#isOver ? -1 : this.rows.findIndex((row) => row.t > this.#now), count = next < 0 ? this.rows.length : next;
    this.#paintControls();
    const { $, texts } = this;
    if (count === this.#painted && this.#isOver === Boolean($("#detail").textContent || !texts.detail)) return;
    this.#painted = count;
    const rows = this.rows.slice(0, count), state = apply(emptyRace(), rows);
    $("#headline").textContent = this.#isOver ? texts.verdict : this.#headline(state);
    $("#detail").textContent = this.#isOver ? texts.detail : "";
    for (const chart of this.charts) chart.draw(rows, this.#axis);
    for (const card of this.cards) card.paint(racerOf(state, card.racer));
    for (const picture of this.pictures) picture.paint(state);
    for (const filters of this.filters) filters.paint(racerOf(state, filters.racer).filters);
  }

  #paintControls() {
    const { $, translate, race } = this, now = this.#now;
    $("#at").value = now;
    $("#at").setAttribute("aria-valuetext", translate("replay.position", { now: Math.round(now), all: Math.round(race.length) }));
    $("#time").textContent = `${clock(now)} / ${clock(race.length)}`;
    $("#play").classList.toggle("playing", this.#isPlaying);
    $("#play .name").textContent = translate(this.#isPlaying ? "replay.pause" : this.#isOver ? "replay.again" : "replay.play");
    for (const button of this.$$("[data-speed]")) button.setAttribute("aria-pressed", Number(button.dataset.speed) === this.#speed);
  }

  /** @param {RaceState} state */
  #headline(state) {
    const [scratch, pretrained] = ["scratch", "pretrained"].map((racer) => racerOf(state, racer).latest), { translate } = this;
    if (!scratch || !pretrained) return translate("headline.ready");
    const gap = pretrained.correct / pretrained.total - scratch.correct / scratch.total, points = Math.round(100 * Math.abs(gap));
    if (!points) return translate("headline.even");
    const name = translate(`racer.${gap > 0 ? "pretrained" : "scratch"}`);
    return translate(`headline.leads.${points === 1 ? "one" : "many"}`, { name, points });
  }

  // --- playing -------------------------------------------------------------------------------------------------------

  /** @param {number} to seconds */
  seek(to) {
    this.#now = Math.min(this.race.length, Math.max(0, to));
    if (this.#isOver) this.play(false);
    this.paint();
  }

  end() {
    this.seek(this.race.length);
  }

  /** @param {boolean} isPlaying */
  play(isPlaying) {
    if (isPlaying && this.#isOver) this.#now = 0;
    const hasChanged = this.#isPlaying !== isPlaying;
    this.#isPlaying = isPlaying;
    this.#before = null;
    if (isPlaying) requestAnimationFrame((time) => this.#step(time));
    this.paint();
    if (hasChanged && !isPlaying) this.$("#aloud").textContent = this.$("#headline").textContent; // not announced while it plays
  }

  /** @param {number} time */
  #step(time) {
    if (!this.#isPlaying) return;
    const passed = this.#before === null ? 0 : Math.min(LONGEST_FRAME, (time - this.#before) / 1000);
    this.#before = time;
    this.seek(this.#now + passed * this.#speed);
    if (this.#isPlaying) requestAnimationFrame((next) => this.#step(next));
  }

  #listen() {
    const { $, $$, translate } = this;
    for (const name of ["epoch", "seconds", "pictures"]) {
      const label = make("label"), input = make("input");
      Object.assign(input, { type: "radio", name: "axis", value: name, checked: name === this.#axis });
      on(input, "change", () => { this.#axis = name; this.#painted = -1; this.paint(); });
      label.append(input, ` ${translate(`axis.${name}`)}`);
      $("#axes").append(label);
    }
    on($("#at"), "input", (event) => this.seek(Number(event.target.value)));
    on($("#play"), "click", () => this.play(!this.#isPlaying));
    for (const button of $$("[data-speed]")) on(button, "click", () => { this.#speed = Number(button.dataset.speed); this.paint(); });
    on(document, "keydown", (event) => this.#key(event));
  }

  /** @param {any} event */
  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.type === "radio") return;
    const far = event.shiftKey ? LONG_JUMP : JUMP, now = this.#now, isSlider = event.target === this.$("#at");
    /** @type {Record<string, number>} */
    const targets = { ArrowRight: now + far, ArrowLeft: now - far, Home: 0, End: this.race.length };
    if (isSlider) Object.assign(targets, { ArrowUp: now + far, ArrowDown: now - far, PageUp: now + LONG_JUMP, PageDown: now - LONG_JUMP });
    if (event.key in targets) this.seek(targets[event.key]);
    else if (event.key === " " && event.target.tagName !== "BUTTON") this.play(!this.#isPlaying);
    else return;
    event.preventDefault();
  }
}

function main() {
  /** @param {string} id */
  const data = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");
  const race = data("race"), { forced, messages } = data("words"), language = forced || pickLanguage(messages, [...navigator.languages]);
  const texts = race.texts[language];
  document.documentElement.lang = language;
  document.title = `${texts.title} · Head Start`;
  const player = new Player(race, texts, (key, values) => fill(messages[language][key], values), language);
  if (prefersStill()) player.end();
  else player.play(true);
}

main();
