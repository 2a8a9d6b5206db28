// The explanation view, from the rows of the race: predictions, filters and weight changes of the racers.
import { finder, make, on, setAttributes } from "../../../engine/export/lib/dom.js";
import { percent } from "../../../engine/export/lib/format.js";
import { racerOf } from "../../../engine/export/lib/reducer.js";
import { channel } from "../lib/race.js";
import { drawBars, fillBar, Pieces, showEmpty } from "./pieces.js";
import { Mistakes } from "./mistakes.js";

/** @typedef {import("../lib/race.js").Row} Row */

const FILTER = 26, GAP = 2, FILTERS_PER_ROW = 8; // pixels on the page
const SCALES = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]; // possible full scales of the weight-change bars
const RANDOM = ["scratch", "random"]; // racers with randomly initialised filters

/** @type {Record<string, (racer: string) => string>} event -> the part to repaint */
const PAINTS = {
  RaceStarted: () => "start", PhaseStarted: () => "weights", PreviewPredicted: (racer) => `predictions ${racer}`, WeightsProbed: () => "weights",
  Predicted: () => "after", Finished: () => "after", RaceFinished: () => "after",
};

/** @param {import("../lib/part.js").Component} component */
export function mount({ element, config, $, $$ }) {
  const pieces = new Pieces(config), live = new Live(element, pieces), mistakes = new Mistakes(element, pieces);
  /** @type {Set<string>} parts that have changed since the last paint */
  let changed = new Set();
  let isWaiting = false;

  // Repaint at most once per frame, only changed parts, and only while the view is visible
  function schedulePaint() {
    if (!changed.size || isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(paint);
  }

  function paint() {
    isWaiting = false;
    if (!element.isConnected || $(".hs-why").offsetParent === null) return;
    const work = changed, isNew = work.has("start");
    changed = new Set();
    if (isNew) {
      live.start();
      mistakes.start();
    }
    const { state } = pieces.race;
    if (!state.started) return;
    for (const racer of pieces.racers) {
      const { preview, filters } = racerOf(state, racer);
      if (preview && (isNew || work.has(`predictions ${racer}`))) live.drawPredictions(racer, preview);
      if (filters && (isNew || work.has(`filters ${racer}`))) live.drawFilters(racer, filters);
    }
    if (isNew || work.has("weights")) live.drawWeightChanges();
    if (isNew || work.has("after")) mistakes.update();
  }

  channel.subscribe(element, (race, rows) => {
    if (pieces.shown !== race) {
      pieces.begin(race);
      changed.add("start");
    }
    for (const row of rows) {
      if (row.event in PAINTS) changed.add(PAINTS[row.event](row.racer));
      if (row.event === "WeightsProbed" && (row.filters || !row.count)) changed.add(`filters ${row.racer}`);
    }
    schedulePaint();
  });
  on(element, "headstart:shown", schedulePaint);
  new IntersectionObserver(schedulePaint).observe(element);
}

/** Predictions, filters and weight changes while the racers train. */
class Live {
  /** @type {Record<string, import("./pieces.js").Prediction[]>} */
  #predictions = {};
  /** @type {Record<string, any[]>} */
  #bars = {};

  /** @param {HTMLElement} element @param {Pieces} pieces */
  constructor(element, pieces) {
    this.pieces = pieces;
    const { $, $$ } = finder(element);
    this.$ = $;
    this.$$ = $$;
  }

  start() {
    const { pieces } = this, { started } = pieces.race.state;
    this.#predictions = {};
    this.#bars = {};
    for (const node of this.$$(".hs-why-strip, .hs-why-filters, .hs-why-moved")) node.replaceChildren();
    showEmpty(this.$(".hs-why-live"), !started);
    if (!started) return;
    this.#drawTable(started.shown);
    this.$(".hs-why-looks").classList.toggle("hs-why-many", pieces.racers.length > pieces.config.main_racers.length);
  }

  // One table row per picture; the style sheet turns rows into columns on wide screens
  /** @param {number[]} shown */
  #drawTable(shown) {
    const { pieces } = this, table = this.$(".hs-why-strip"), head = setAttributes(make("div", "hs-why-row"), { role: "row" });
    /** @param {string} className @param {any} content */
    const title = (className, content) => {
      const node = setAttributes(make("div", className), { role: "columnheader" });
      node.append(content);
      return node;
    };
    head.append(title("hs-why-corner", make("span", "hs-aloud", pieces.translate("picture"))));
    head.append(...pieces.racers.map((racer) => title("hs-why-head", pieces.nameOf(racer))));
    table.style.setProperty("--racers", pieces.racers.length);
    table.append(head, ...shown.map((row, k) => {
      const node = setAttributes(make("div", "hs-why-row"), { role: "row" });
      const header = setAttributes(make("div", "hs-why-what"), { role: "rowheader" });
      const label = make("b", "", pieces.classes[pieces.labelOf(row)]);
      label.title = label.textContent;
      header.append(pieces.picture(shown, k), label);
      node.append(header, ...pieces.racers.map((racer) => {
        const parts = pieces.createPrediction(racer);
        (this.#predictions[racer] ??= []).push(parts);
        return setAttributes(parts.node, { role: "cell" });
      }));
      return node;
    }));
  }

  /** @param {string} racer @param {Row} preview */
  drawPredictions(racer, { predicted, confidence }) {
    const { pieces } = this, { shown } = pieces.started;
    this.#predictions[racer].forEach((parts, k) => pieces.setPrediction(parts, predicted[k], confidence[k], pieces.labelOf(shown[k])));
  }

  // The filters of the first layer in rows of eight, each pixel enlarged by the same integer factor
  /** @param {string} racer @param {Row} probe */
  drawFilters(racer, { count, side, filters: coded }) {
    if (!count) { this.$(".hs-why-filters").textContent = this.pieces.translate("no_filters"); return; }
    const canvas = this.#canvasOf(racer, count), context = canvas.getContext("2d"), scale = Math.max(1, Math.round(FILTER / side));
    const size = side * scale, step = size + GAP, bytes = Uint8Array.from(atob(coded), (letter) => letter.charCodeAt(0));
    canvas.width = Math.min(count, FILTERS_PER_ROW) * step - GAP;
    canvas.height = Math.ceil(count / FILTERS_PER_ROW) * step - GAP;
    for (let k = 0; k < count; k++) {
      const left = (k % FILTERS_PER_ROW) * step, top = Math.floor(k / FILTERS_PER_ROW) * step;
      for (let p = 0; p < side * side; p++) {
        const at = 3 * (k * side * side + p);
        context.fillStyle = `rgb(${bytes[at]},${bytes[at + 1]},${bytes[at + 2]})`;
        context.fillRect(left + (p % side) * scale, top + Math.floor(p / side) * scale, scale, scale);
      }
    }
  }

  /** @param {string} racer @param {number} count */
  #canvasOf(racer, count) {
    const { pieces } = this, box = this.$(".hs-why-filters"), drawn = box.querySelector(`[data-racer="${racer}"] canvas`);
    if (drawn) return drawn;
    const figure = make("figure"), caption = make("figcaption"), label = pieces.translate("filters_of", { racer: pieces.config.names[racer], count });
    figure.dataset.racer = racer;
    const canvas = setAttributes(make("canvas"), { role: "img", "aria-label": label });
    const origin = RANDOM.includes(racer) ? pieces.translate("filters_random") : pieces.translate("filters_pretrained");
    caption.append(pieces.nameOf(racer), make("span", "", origin));
    figure.append(caption, canvas);
    const later = pieces.racers.slice(pieces.racers.indexOf(racer) + 1);
    box.insertBefore(figure, [...box.children].find((node) => later.includes(node.dataset.racer)) || null);
    return canvas;
  }

  // The relative weight change of each stage
  drawWeightChanges() {
    const { pieces } = this, { state } = pieces.race, racers = pieces.racers.filter((racer) => state.racers[racer]?.probe);
    if (!racers.length) return;
    /** @type {string[]} */
    const stages = racerOf(state, racers[0]).probe?.stages, last = stages.length - 1;
    const table = this.$(".hs-why-moved");
    if (!table.rows.length) {
      drawBars(table, pieces.translate("stage"), pieces.racers, stages, (stage) => stage, (racer) => pieces.nameOf(racer));
      for (const racer of pieces.racers) {
        this.#bars[racer] = [...table.tBodies[0].rows].map((row) => row.querySelector(`[data-racer="${racer}"]`));
      }
    }
    /** @param {string} racer @returns {(number | null)[]} */
    const changes = (racer) => racerOf(state, racer).probe?.relative_weight_change;
    /** @param {string} racer @param {number} k */
    const isNew = (racer, k) => k === last && racer !== "scratch"; // every other racer's head starts at zero
    const largest = Math.max(0.1, ...racers.flatMap((racer) => changes(racer).filter((_, k) => !isNew(racer, k)).map(Number)));
    const fullScale = SCALES.find((edge) => edge >= largest) || largest;
    for (const racer of racers) {
      const trainable = racerOf(state, racer).phases.at(-1)?.trainable_stages || stages.length;
      changes(racer).forEach((share, k) => {
        const isFrozen = share === 0 && k < stages.length - trainable;
        const text = isNew(racer, k) && share !== null ? pieces.translate("new") : isFrozen ? pieces.translate("frozen") : this.#share(share);
        fillBar(this.#bars[racer][k], isNew(racer, k) ? 0 : Number(share) / fullScale, text);
      });
    }
  }

  /** @param {number | null} share null where the weights are not finite */
  #share(share) {
    if (share === null) return this.pieces.translate("diverged");
    return share > 0 && share < 0.0995 ? `${(100 * share).toFixed(1)} %` : percent(share);
  }
}
