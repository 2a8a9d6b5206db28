// The two Plotly charts of a race. Figures, colours and messages come from Python; points are appended as rows arrive.
import { fill } from "../../../engine/export/lib/format.js";
import { racerOf } from "../../../engine/export/lib/reducer.js";
import { shade } from "../lib/part.js";

/** @typedef {import("../lib/race.js").Row} Row */
/** @typedef {import("../lib/race.js").RaceState} RaceState */
/** @typedef {import("../lib/race.js").Ghost} Ghost */

const NARROW = 560; // pixels
const OPTIONS = { responsive: true, displaylogo: false, showSendToCloud: false, displayModeBar: false };

/** @param {Row} row */
const accuracyOf = (row) => row.correct / row.total;

/** @type {Record<string, [("exact" | "subset" | "steps"), Record<string, (row: Row) => number>]>} a trace's series -> its
 * rows, and the values of its attributes besides x */
const SERIES = {
  exact: ["exact", {
    y: accuracyOf, customdata: (row) => row.total,
    "error_y.array": (row) => row.high - accuracyOf(row), "error_y.arrayminus": (row) => accuracyOf(row) - row.low,
  }],
  subset: ["subset", { y: accuracyOf, customdata: (row) => row.total }],
  loss: ["steps", { y: (row) => row.loss }], rate: ["steps", { y: (row) => row.rate }],
};

export class Charts {
  axis = "epoch";
  tab = "accuracy";
  /** @type {any} the library, once it is loaded */
  plotly = null;
  /** @type {RaceState | null} */
  #state = null;
  /** @type {Record<string, number>} number of drawn points per trace */
  #drawn = {};
  #isDirty = false;
  #isPainting = false;

  /**
   * @param {import("../lib/part.js").Component} component
   * @param {() => Ghost[]} ghosts the ghosts to draw
   */
  constructor({ element, config, $$ }, ghosts) {
    this.element = element;
    this.config = config;
    this.ghosts = ghosts;
    this.nodes = Object.fromEntries($$(".hs-chart").map((node) => [node.dataset.chart, node]));
  }

  get racers() {
    return [...this.config.main_racers, ...(this.#state?.plan?.extra_racers ?? [])];
  }

  /**
   * Draw another race.
   * @param {RaceState} state updated in place by new rows; `paint` draws them
   * @param {string} id
   */
  begin(state, id) {
    this.#state = state;
    this.id = id;
    this.#drawn = {};
    this.redraw();
  }

  /** @param {string} tab @param {string} axis */
  show(tab, axis) {
    this.tab = tab;
    this.axis = axis;
    this.redraw();
  }

  /** @param {string[]} meta racer and series @returns {[Row[], Record<string, (row: Row) => number>]} */
  #series([racer, series]) {
    const [rows, values] = SERIES[series];
    return [this.#state ? racerOf(this.#state, racer)[rows] : [], { x: (row) => row[this.axis], ...values }];
  }

  // Append new points, at most once per frame
  paint() {
    this.#isDirty = true;
    if (this.#isPainting || !this.plotly) return;
    this.#isPainting = true;
    requestAnimationFrame(() => {
      this.#isPainting = false;
      if (this.element.isConnected && this.#isDirty) this.#append();
      this.#isDirty = false;
    });
  }

  #append() {
    const node = this.nodes[this.tab];
    // One call for each series, because its traces have the same attributes
    const updates = /** @type {Record<string, { which: number[], values: Record<string, number[][]> }>} */ ({});
    node.data.forEach((/** @type {any} */ trace, /** @type {number} */ k) => {
      if (!trace.meta || trace.meta[0] === "ghost") return;
      const [rows, values] = this.#series(trace.meta), name = `${this.tab}/${trace.meta.join(":")}`, fresh = rows.slice(this.#drawn[name] || 0);
      if (!fresh.length) return;
      const update = updates[trace.meta[1]] ??= { which: [], values: {} };
      for (const [attribute, value] of Object.entries(values)) (update.values[attribute] ??= []).push(fresh.map(value));
      update.which.push(k);
      this.#drawn[name] = rows.length;
    });
    for (const { which, values } of Object.values(updates)) this.plotly.extendTraces(node, values, which);
    this.#markUnfreezing(node);
  }

  // Redraw the tab: after a change of axis, race, colour scheme or ghosts
  redraw() {
    if (!this.plotly) return;
    const node = this.nodes[this.tab], figure = structuredClone(this.config.figures[this.tab]), tone = shade();
    figure.data = figure.data.filter((/** @type {any} */ trace) => this.racers.includes(trace.meta[0]));
    for (const trace of figure.data) this.#fillTrace(trace, this.config.inks[trace.meta[0]][tone]);
    if (this.tab === "accuracy") figure.data.unshift(...this.ghosts().flatMap((ghost) => this.#ghostTraces(ghost)));
    this.#style(figure.layout, tone, node.clientWidth < NARROW);
    this.plotly.react(node, figure.data, figure.layout, OPTIONS);
    this.#markUnfreezing(node);
  }

  /** @param {any} trace @param {string} ink */
  #fillTrace(trace, ink) {
    const [rows, values] = this.#series(trace.meta);
    for (const [attribute, value] of Object.entries(values)) {
      const [name, inner] = attribute.split(".");
      if (inner) trace[name][inner] = rows.map(value);
      else trace[name] = rows.map(value);
    }
    this.#drawn[`${this.tab}/${trace.meta.join(":")}`] = rows.length;
    for (const part of [trace.line, trace.marker, trace.error_y]) if (part) part.color = ink;
  }

  /** @param {any} layout @param {string} tone @param {boolean} isNarrow */
  #style(layout, tone, isNarrow) {
    const { text, grid, chance } = this.config.page;
    layout.font.color = text[tone];
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
      Object.assign(layout[name], { gridcolor: grid[tone], zerolinecolor: grid[tone] });
    }
    layout.xaxis.title = { text: this.config.axes[this.axis] };
    if (layout.shapes) layout.shapes[0].line.color = chance[tone];
    if (layout.annotations) layout.annotations[0].font.color = chance[tone];
    layout.font.size = isNarrow ? 13 : 17;
    layout.margin = isNarrow ? { l: 48, r: 8, t: 8, b: 48 } : { l: 72, r: 16, t: 8, b: 56 };
    layout.uirevision = `${this.id}/${this.axis}`;
  }

  // Mark the point at which the stages are unfrozen
  /** @param {any} node */
  #markUnfreezing(node) {
    if (this.tab !== "accuracy") return;
    const phases = this.#state ? racerOf(this.#state, "pretrained").phases : [];
    const x = phases.find((row) => row.phase === "fine-tuning")?.[this.axis];
    const { shapes = [], annotations = [] } = node.layout;
    if (x == null) {
      if (shapes.length > 1) this.plotly.relayout(node, { shapes: shapes.slice(0, 1), annotations: annotations.slice(0, 1) });
      return;
    }
    if (shapes.length > 1) return;
    const color = this.config.inks.pretrained[shade()], text = this.config.words.unfrozen;
    this.plotly.relayout(node, {
      shapes: [...shapes, { type: "line", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", line: { color, width: 1, dash: "dot" } }],
      annotations: [...annotations, {
        x, y: 0.02, yref: "paper", yanchor: "bottom", xanchor: "left", text, showarrow: false, font: { color, size: 13 },
      }],
    });
  }

  /** @param {number} accuracy by guessing */
  setChance(accuracy) {
    const layout = this.config.figures.accuracy.layout;
    if (layout.shapes[0].y0 === accuracy) return;
    Object.assign(layout.shapes[0], { y0: accuracy, y1: accuracy });
    layout.annotations[0].y = accuracy;
    this.redraw();
  }

  /** @param {Ghost} ghost */
  #ghostTraces(ghost) {
    const { words, inks } = this.config, name = fill(words.ghost, { label: fill(words.per_class, ghost) });
    return Object.entries(ghost.racers).map(([racer, points]) => ({
      type: "scatter", mode: "lines", x: points.map((p) => p[this.axis]), y: points.map((p) => p.y), meta: ["ghost", racer],
      line: { color: inks[racer][shade()], width: 2, dash: racer === "scratch" ? "dash" : "solid" }, opacity: 0.28,
      showlegend: false, hovertemplate: `${name}: %{y:.0%}<extra></extra>`,
    }));
  }
}
