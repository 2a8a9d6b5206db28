// The views beside the charts of a replay: a card for each racer, predictions for a few pictures, filters.
import { make, setAttributes, showTile } from "../lib/dom.js";
import { percent } from "../lib/format.js";

/** @typedef {import("../lib/reducer.js").Row} Row */
/** @typedef {import("../lib/reducer.js").Racer} Racer */
/** @typedef {import("./player.js").Translate} Translate */

const FIGURES = { best: "card.best", compute: "card.compute", epochs: "replay.epochs" };
const FILTERS_PER_ROW = 8;

export class Card {
  /** @type {Record<string, any>} */
  #parts = { phase: make("small"), accuracy: make("span"), interval: make("small") };

  /** @param {any} box @param {string} racer @param {Translate} translate */
  constructor(box, racer, translate) {
    this.racer = racer;
    this.translate = translate;
    const node = make("article", `card racer-${racer}`), head = make("h3", "", translate(`racer.${racer}`)), figures = make("dl"), parts = this.#parts;
    head.append(" ", parts.phase);
    const number = make("p", "number");
    number.append(parts.accuracy, parts.interval);
    for (const [name, label] of Object.entries(FIGURES)) {
      const group = make("div");
      parts[name] = make("dd");
      group.append(make("dt", "", translate(label)), parts[name]);
      figures.append(group);
    }
    node.append(head, number, figures);
    box.append(node);
  }

  /** @param {Racer} state */
  paint({ exact, latest, steps, phases, end }) {
    const { translate } = this, parts = this.#parts, best = Math.max(...exact.map((row) => row.correct / row.total));
    const timed = [latest, steps.at(-1), end].filter((row) => row != null).sort((a, b) => a.t - b.t).at(-1), phase = phases.at(-1);
    parts.phase.textContent = translate(end ? `phase.${end.reason}` : phase ? `phase.${phase.phase}` : "replay.waiting");
    parts.accuracy.textContent = latest ? percent(latest.correct / latest.total) : "–";
    parts.interval.textContent = latest ? this.#interval(latest) : "";
    parts.best.textContent = Number.isFinite(best) ? percent(best) : "–";
    parts.compute.textContent = timed ? translate("replay.second", { seconds: timed.seconds.toFixed(1) }) : "–";
    parts.epochs.textContent = timed ? timed.epoch.toFixed(timed.epoch < 10 ? 1 : 0) : "–";
  }

  /** @param {Row} row */
  #interval({ low, high, total }) {
    const text = this.translate("replay.interval", { low: Math.round(100 * low), high: Math.round(100 * high) });
    return `${text}, n = ${total}`;
  }
}

/** One picture, and each racer's prediction for it. */
export class PictureView {
  /** @type {Record<string, any>} */
  #predictions = {};

  /** @param {any} box @param {any} race @param {number} k @param {Translate} translate */
  constructor(box, race, k, translate) {
    this.race = race;
    this.k = k;
    this.translate = translate;
    /** @type {number} its class */
    this.label = race.shown[k];
    const figure = make("figure"), list = make("ul"), name = race.classes[this.label];
    if (race.pictures) {
      const image = setAttributes(make("div", "picture"), { role: "img", "aria-label": name });
      showTile(image, race.pictures.uri, k, race.pictures.count);
      figure.append(image);
    }
    for (const racer of race.racers) this.#predictions[racer] = list.appendChild(make("li", `racer-${racer}`));
    figure.append(make("figcaption", "", name), list);
    box.append(figure);
  }

  /** @param {import("../lib/reducer.js").RaceState} state */
  paint(state) {
    for (const [racer, node] of Object.entries(this.#predictions)) this.#paintPrediction(node, racer, state.racers[racer]?.preview);
  }

  /** @param {any} node @param {string} racer @param {Row | null | undefined} preview */
  #paintPrediction(node, racer, preview) {
    const predicted = preview?.predicted[this.k], isCorrect = predicted === this.label;
    node.replaceChildren(make("b", "who", this.translate(`racer.${racer}`)));
    node.classList.toggle("right", isCorrect);
    if (!preview) { node.append(make("span", "called", "–")); return; }
    const label = this.translate(isCorrect ? "replay.right" : "replay.wrong");
    const mark = setAttributes(make("span", "mark", isCorrect ? "✓" : "✗"), { role: "img", "aria-label": label });
    node.append(mark, make("span", "called", this.race.classes[predicted]), make("span", "sure", percent(preview.confidence[this.k])));
  }
}

/** The filters of a racer's first layer side by side, each a square of `side` pixels with a gap of one. */
export class FiltersView {
  /** @type {Row | null | undefined} */
  #drawn;

  /** @param {any} box @param {string} racer @param {Translate} translate */
  constructor(box, racer, translate) {
    this.racer = racer;
    const figure = make("figure", `racer-${racer}`), name = translate(`racer.${racer}`);
    this.canvas = setAttributes(make("canvas"), { role: "img", "aria-label": translate("replay.filters.of", { name }) });
    figure.append(make("figcaption", "", name), this.canvas);
    box.append(figure);
  }

  /** @param {Row | null} probe WeightsProbed; null before the first */
  paint(probe) {
    if (this.#drawn === probe) return;
    this.#drawn = probe;
    const { count, side, filters } = probe ?? { count: 0, side: 1, filters: "" };
    const columns = Math.min(FILTERS_PER_ROW, count), bytes = Uint8Array.from(atob(filters), (letter) => letter.charCodeAt(0));
    this.canvas.width = Math.max(1, columns * (side + 1) - 1);
    this.canvas.height = Math.max(1, Math.ceil(count / FILTERS_PER_ROW) * (side + 1) - 1);
    const context = this.canvas.getContext("2d");
    for (let k = 0; k < count; k++) {
      const tile = context.createImageData(side, side);
      for (let p = 0; p < side * side; p++) {
        for (let c = 0; c < 3; c++) tile.data[4 * p + c] = bytes[3 * (k * side * side + p) + c];
        tile.data[4 * p + 3] = 255;
      }
      context.putImageData(tile, (k % FILTERS_PER_ROW) * (side + 1), Math.floor(k / FILTERS_PER_ROW) * (side + 1));
    }
  }
}
