// Shared by the parts of the explanation view: pictures, racers' names, predictions, tables of bars.
import { make, prefersStill, setAttributes, showTile } from "../../../engine/export/lib/dom.js";
import { fill, percent } from "../../../engine/export/lib/format.js";
import { picturesUrl } from "../lib/pictures.js";

/** @typedef {import("../lib/race.js").ShownRace} ShownRace */
/** @typedef {{ node: any, mark: any, name: any, confidence: any, share: any, predicted: number | null }} Prediction its elements */

const CHANGED_MS = 1200; // how long a changed prediction is highlighted
const still = prefersStill();

/**
 * A table with one row per item and one bar per racer.
 * @template T
 * @param {any} table
 * @param {string} corner
 * @param {string[]} racers
 * @param {T[]} items
 * @param {(item: T) => string} nameOfItem
 * @param {(racer: string) => any} nameOf
 */
export function drawBars(table, corner, racers, items, nameOfItem, nameOf) {
  /** @param {any} node */
  const column = (node) => setAttributes(node, { scope: "col" });
  table.style.setProperty("--racers", racers.length);
  const head = table.createTHead().insertRow();
  head.append(column(make("th", "", corner)), ...racers.map((racer) => {
    const node = column(make("th"));
    node.append(nameOf(racer));
    return node;
  }));
  const body = table.createTBody();
  for (const item of items) {
    const row = body.insertRow(), name = nameOfItem(item);
    row.append(setAttributes(make("th", "", name), { scope: "row", title: name }), ...racers.map((racer) => {
      const node = make("td"), inner = make("div", "hs-why-track");
      node.dataset.racer = racer;
      inner.append(make("span", "hs-why-meter"), make("span", "hs-why-value", "–"));
      node.append(inner);
      return node;
    }));
  }
}

/** @param {any} node @param {number} share @param {string} text */
export function fillBar(node, share, text) {
  node.querySelector(".hs-why-meter").style.setProperty("--share", share);
  node.querySelector(".hs-why-value").textContent = text;
}

/** @param {any} section @param {boolean} isEmpty */
export function showEmpty(section, isEmpty) {
  section.querySelector(".hs-why-empty").hidden = !isEmpty;
  section.querySelector(".hs-why-full").hidden = isEmpty;
}

/** Draws pictures and predictions of the current race; `begin` sets the race. */
export class Pieces {
  /** @type {ShownRace | null} */
  shown = null;
  /** @type {Map<string, Promise<boolean>>} address of a file of pictures -> whether it loaded */
  #sheets = new Map();

  /** @param {any} config */
  constructor(config) {
    this.config = config;
  }

  /** @param {ShownRace} shown */
  begin(shown) {
    this.shown = shown;
    this.#sheets.clear();
  }

  /** @returns {ShownRace} */
  get race() {
    if (!this.shown) throw new TypeError("shown");
    return this.shown;
  }

  /** @returns {Record<string, any>} */
  get started() {
    return this.race.state.started ?? {};
  }

  /** @returns {string[]} */
  get classes() {
    return this.race.classes || this.started.classes || [];
  }

  /** @returns {string[]} */
  get racers() {
    return [...this.config.main_racers, ...(this.race.state.plan?.extra_racers ?? [])];
  }

  /** @param {number} row index of a held-out picture @returns {number} its class index */
  labelOf(row) {
    return this.started.labels[row];
  }

  /** @param {string} key @param {Record<string, unknown>} [values] */
  translate(key, values) {
    return fill(this.config.words[key], values);
  }

  // A racer's name with its colour and dash
  /** @param {string} racer */
  nameOf(racer, className = "hs-why-racer") {
    const node = make("span", className, this.config.names[racer]);
    node.dataset.racer = racer;
    return node;
  }

  /** @param {string} address */
  #load(address) {
    let loading = this.#sheets.get(address);
    if (!loading) {
      loading = new Promise((resolve) => {
        const image = new Image();
        image.onload = () => resolve(true);
        image.onerror = () => { this.#sheets.delete(address); resolve(false); };
        image.src = address;
      });
      this.#sheets.set(address, loading);
    }
    return loading;
  }

  // The k-th of these held-out pictures, from one file with all of them
  /** @param {number[]} rows @param {number} k */
  picture(rows, k) {
    const label = this.classes[this.labelOf(rows[k])], node = make("div", "hs-why-picture");
    setAttributes(node, { role: "img", "aria-label": label, "data-row": rows[k] });
    /** @param {string} text */
    const showMissing = (text) => { node.textContent = text; node.ariaLabel = `${label} (${text})`; };
    const { task, state } = this.race;
    if (task == null) { showMissing(this.translate("own")); return node; }
    const address = picturesUrl(task, state.plan ?? {}, "heldout", rows);
    this.#load(address).then((isLoaded) => {
      if (isLoaded) showTile(node, address, k, rows.length);
      else showMissing(this.translate("missing"));
    });
    return node;
  }

  // The elements of one prediction; their size does not depend on the prediction
  /** @param {string} racer @returns {Prediction} */
  createPrediction(racer) {
    /** @type {any} */
    const parts = { node: make("div", "hs-why-answer"), predicted: null };
    for (const [name, suffix] of [["mark", "mark"], ["name", "name"], ["confidence", "meter"], ["share", "share"]]) {
      parts.node.append(parts[name] = make("span", `hs-why-${suffix}`));
    }
    parts.name.textContent = "–";
    parts.node.dataset.racer = racer;
    return parts;
  }

  /** @param {Prediction} parts @param {number} predicted @param {number | null} confidence @param {number} label */
  setPrediction(parts, predicted, confidence, label) {
    const isCorrect = predicted === label;
    if (parts.predicted !== predicted) {
      const isChange = parts.predicted !== null;
      parts.predicted = predicted;
      parts.name.textContent = parts.name.title = this.classes[predicted];
      parts.mark.textContent = isCorrect ? "✓" : "✗";
      setAttributes(parts.mark, { role: "img", "aria-label": this.translate(isCorrect ? "right" : "wrong") });
      parts.node.classList.toggle("hs-why-bad", !isCorrect);
      if (isChange && !still) {
        parts.node.animate([{ backgroundColor: "var(--hs-grid)" }, { backgroundColor: "transparent" }], CHANGED_MS);
      }
    }
    parts.share.textContent = percent(confidence);
    parts.confidence.style.setProperty("--share", confidence ?? 0);
  }
}
