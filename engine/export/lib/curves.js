// Draws the curves of a race as SVG, from rows of events.
// The page's CSS sets --ink, --soft, --grid and --paper, and one class `racer-NAME` per racer sets --racer and --dash (player.css).
import { MAIN_RACERS } from "./reducer.js";

/** @typedef {import("./reducer.js").Row} Row */
/** @typedef {{ x: number, y: number, low: number, high: number }} Point */

/**
 * @typedef {object} Options
 * @property {string} metric "accuracy" or "loss"
 * @property {(key: string, values?: Record<string, unknown>) => string} translate the message of a key
 * @property {string[]} racers names
 * @property {number | null} [chance] accuracy by guessing
 * @property {Record<string, number>} [limits] upper end of each axis, {epoch, seconds, pictures, loss}; from the rows where missing
 * @property {string} [locale]
 */

export class Curves {

  /** @type {Row[]} */
  rows = [];
  axis = "epoch";
  /** @type {number | null} x value of the readout */
  position = null;
  /** @type {Record<string, { exact: Point[], line: Point[] }>} evaluations on all held-out pictures; what the line joins */
  points = {};
  /** @type {string[]} racers with points */
  shown = [];
  /** @type {any} the SVG group of the readout line, once drawn */
  cursor = null;
  xMax = 1;
  yMax = 1;
  left = 0;
  right = 0;
  top = 0;
  bottom = 0;
  width = 0;

  /** @param {HTMLElement} host @param {Options} options */
  constructor(host, { metric, translate, racers, chance = null, limits = {}, locale = "en" }) {
    this.host = host;
    this.metric = metric;
    this.translate = translate;
    this.racers = racers;
    this.chance = chance;
    this.limits = limits;
    this.locale = locale;
    host.classList.add("curves");
    this.legend = host.appendChild(document.createElement("ul"));
    this.legend.className = "curves-legend";
    this.box = host.appendChild(document.createElement("div"));
    this.box.className = "curves-box";
    this.drawLegend();
    this.box.tabIndex = 0;
    this.box.setAttribute("role", "group");
    this.svg = this.box.appendChild(Curves.node("svg", { role: "img" }));
    this.readout = this.box.appendChild(document.createElement("div"));
    this.readout.className = "curves-readout";
    this.readout.hidden = true;
    this.liveRegion = this.box.appendChild(document.createElement("div"));
    this.liveRegion.className = "aloud";
    this.liveRegion.setAttribute("aria-live", "polite");
    this.box.addEventListener("pointermove", (event) => this.point(event));
    this.box.addEventListener("pointerdown", (event) => this.point(event));
    this.box.addEventListener("pointerleave", () => this.read(null));
    this.box.addEventListener("blur", () => this.read(null));
    this.box.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.paint()).observe(this.box);
  }

  // Rows of a race's log: {event: "Evaluated", racer, epoch, seconds, pictures, correct, total, low, high,
  // is_exact} and {event: "Stepped", racer, epoch, seconds, pictures, loss}. Others are ignored.
  /** @param {Row[]} rows */
  draw(rows, axis = this.axis) {
    this.rows = rows;
    if (axis !== this.axis) this.position = null;
    this.axis = axis;
    this.paint();
  }

  // The points of each racer: exact ones, and those that its line joins (losses, or the accuracy on a subset)
  collect() {
    const eventType = this.metric === "loss" ? "Stepped" : "Evaluated";
    this.points = Object.fromEntries(this.racers.map((racer) => [racer, { exact: [], line: [] }]));
    for (const row of this.rows) {
      if (row.event !== eventType || !this.points[row.racer]) continue;
      const y = this.metric === "loss" ? row.loss : row.correct / row.total;
      if (!Number.isFinite(y)) continue;
      this.points[row.racer][row.is_exact ? "exact" : "line"].push({ x: row[this.axis], y, low: row.low, high: row.high });
    }
    this.shown = this.racers.filter((racer) => this.points[racer].exact.length || this.points[racer].line.length);
    const all = Object.values(this.points).flatMap((racer) => [...racer.exact, ...racer.line]);
    this.xMax = this.limits[this.axis] || Math.max(1, ...all.map((p) => p.x));
    this.yMax = this.metric === "loss" ? Curves.lossLimit(all.map((p) => p.y), this.limits.loss) : 1;
  }

  paint() {
    const width = this.box.clientWidth, height = this.box.clientHeight;
    if (!width || !height) return;
    this.collect();
    const left = this.metric === "loss" ? 44 : 58, right = 12, top = 10, bottom = 50;
    Object.assign(this, { left, right: width - right, top, bottom: height - bottom, width });
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.replaceChildren(...this.frame(), ...this.shown.flatMap((racer) => this.line(racer)), ...this.chanceLabel());
    this.cursor = this.svg.appendChild(Curves.node("g", {}));
    this.svg.setAttribute("aria-label", this.summary());
    this.box.setAttribute("aria-label", this.translate("replay.read", { chart: this.translate(`replay.${this.metric}`) }));
    this.read(this.position);
  }

  /** @param {number} value */
  x(value) {
    return this.left + (value / this.xMax) * (this.right - this.left);
  }

  /** @param {number} value */
  y(value) {
    return this.top + (1 - Math.min(value, this.yMax) / this.yMax) * (this.bottom - this.top);
  }

  frame() {
    /** @type {Element[]} */
    const parts = [];
    /** @param {number} x @param {number} y @param {string} words @param {Record<string, unknown>} more */
    const text = (x, y, words, more) => {
      const node = Curves.node("text", { x, y, ...more });
      node.textContent = words;
      parts.push(node);
    };
    const number = new Intl.NumberFormat(this.locale);
    const rows = this.metric === "loss" ? Curves.ticks(this.yMax, 3) : [0, 0.2, 0.4, 0.6, 0.8, 1];
    for (const value of rows) {
      const y = Math.round(this.y(value));
      parts.push(Curves.node("line", { x1: this.left, x2: this.right, y1: y, y2: y, class: value ? "grid" : "axis" }));
      const words = this.metric === "loss" ? number.format(value) : `${Math.round(100 * value)} %`;
      text(this.left - 8, y + 5, words, { "text-anchor": "end" });
    }
    for (const value of Curves.ticks(this.xMax, Math.max(3, Math.floor(this.width / 120)))) {
      const x = Math.round(this.x(value));
      parts.push(Curves.node("line", { x1: x, x2: x, y1: this.bottom, y2: this.bottom + 5, class: "axis" }));
      text(x, this.bottom + 21, number.format(value), { "text-anchor": x > this.right - 12 ? "end" : "middle" });
    }
    text((this.left + this.right) / 2, this.bottom + 42, this.translate(`axis.${this.axis}`), { "text-anchor": "middle", class: "title" });
    if (this.metric === "accuracy" && this.chance) {
      const y = this.y(this.chance);
      parts.push(Curves.node("line", { x1: this.left, x2: this.right, y1: y, y2: y, class: "chance" }));
    }
    return parts;
  }

  // The label of the chance line is drawn above all lines
  chanceLabel() {
    if (this.metric !== "accuracy" || !this.chance) return [];
    const node = Curves.node("text", { x: this.right, y: this.y(this.chance) - 6, "text-anchor": "end", class: "soft" });
    node.textContent = this.translate("chart.chance");
    return [node];
  }

  /** @param {string} racer */
  line(racer) {
    const { exact, line } = this.points[racer];
    /** @param {{ x: number, y: number }[]} points */
    const path = (points) => points.map((p, k) => `${k ? "L" : "M"}${this.x(p.x).toFixed(1)} ${this.y(p.y).toFixed(1)}`).join("");
    const group = Curves.node("g", { class: `racer-${racer} ${MAIN_RACERS.includes(racer) ? "main-racer" : "extra"}`, "data-racer": racer });
    group.append(Curves.node("path", { d: path(line), class: "line" }));
    const size = exact.length > 60 ? 3 : MAIN_RACERS.includes(racer) ? 5 : 4;
    for (const p of exact) {
      const x = this.x(p.x);
      group.append(Curves.node("line", { x1: x, x2: x, y1: this.y(p.low), y2: this.y(p.high), class: "whisker" }));
      group.append(Curves.marker(racer, x, this.y(p.y), size));
    }
    return [group];
  }

  drawLegend() {
    /** @param {string} className @param {string} label @param {Element[]} shapes */
    const entry = (className, label, ...shapes) => {
      const item = document.createElement("li"), swatch = Curves.node("svg", { viewBox: "0 0 44 16", "aria-hidden": "true" });
      item.className = className;
      swatch.append(...shapes);
      item.append(swatch, label);
      return item;
    };
    /** @param {Record<string, unknown>} attributes */
    const stroke = (attributes) => Curves.node("line", { x1: 1, x2: 43, y1: 8, y2: 8, ...attributes });
    const items = this.racers.map((racer) => entry(
      `racer-${racer} ${MAIN_RACERS.includes(racer) ? "main-racer" : "extra"}`, this.translate(`racer.${racer}`),
      stroke({ class: "line" }),
      ...(this.metric === "loss" ? [] : [Curves.marker(racer, 22, 8, 5)]),
    ));
    if (this.metric === "accuracy") {
      const whisker = Curves.node("line", { x1: 22, x2: 22, y1: 0, y2: 16, class: "whisker" });
      const marker = Curves.node("circle", { cx: 22, cy: 8, r: 5, class: "marker" });
      items.push(entry("plain", this.translate("chart.exact"), whisker, marker));
      items.push(entry("plain", this.translate("chart.subset"), stroke({ class: "line" })));
    }
    this.legend.replaceChildren(...items);
  }

  // --- the readout -------------------------------------------------------------------------------------------------

  // The points of a racer that the readout shows
  /** @param {string} racer */
  #read(racer) {
    return this.points[racer][this.metric === "loss" ? "line" : "exact"];
  }

  positions() {
    return [...new Set(this.shown.flatMap((racer) => this.#read(racer).map((p) => p.x)))].sort((a, b) => a - b);
  }

  /** @param {PointerEvent} event */
  point(event) {
    const box = this.svg.getBoundingClientRect(), positions = this.positions();
    const at = ((event.clientX - box.left - this.left) / (this.right - this.left)) * this.xMax;
    if (positions.length) this.read(positions.reduce((best, x) => (Math.abs(x - at) < Math.abs(best - at) ? x : best)));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const positions = this.positions(), now = positions.indexOf(this.position ?? NaN);
    const next = /** @type {Record<string, number>} */ ({
      ArrowRight: now + 1, ArrowLeft: now < 0 ? positions.length - 1 : now - 1, Home: 0, End: positions.length - 1,
    })[event.key];
    if (event.key === "Escape") { this.read(null); return; }
    if (next === undefined || !positions.length || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation(); // the player uses arrow keys for seeking
    this.read(positions[Math.min(positions.length - 1, Math.max(0, next))]);
    this.liveRegion.textContent = this.readout.innerText;
  }

  /** @param {number | null} position */
  read(position) {
    if (position !== null && !this.positions().includes(position)) position = null;
    this.position = position;
    this.readout.hidden = position === null;
    if (!this.cursor) return;
    this.cursor.replaceChildren();
    if (position === null) return;
    const x = this.x(position), lines = [document.createElement("strong")];
    lines[0].textContent = `${this.translate(`axis.${this.axis}`)}: ${this.plain(position)}`;
    this.cursor.append(Curves.node("line", { x1: x, x2: x, y1: this.top, y2: this.bottom, class: "hair" }));
    for (const racer of this.shown) {
      const points = this.#read(racer);
      if (!points.length) continue;
      const p = points.reduce((best, q) => (Math.abs(q.x - position) <= Math.abs(best.x - position) ? q : best));
      const line = document.createElement("span"), name = document.createElement("b");
      line.className = `racer-${racer}`;
      name.textContent = this.translate(`racer.${racer}`);
      const value = this.metric === "loss" ? p.y.toFixed(2)
        : `${(100 * p.y).toFixed(1)} % (${Math.round(100 * p.low)}–${Math.round(100 * p.high)})`;
      line.append(name, ` ${value}${p.x === position ? "" : ` @ ${this.plain(p.x)}`}`);
      lines.push(line);
      this.cursor.append(Curves.node("circle", { cx: this.x(p.x), cy: this.y(p.y), r: 7, class: `ring racer-${racer}` }));
    }
    this.readout.replaceChildren(...lines);
    const isRight = x > (this.left + this.right) / 2;
    this.readout.style.left = isRight ? "" : `${x + 14}px`;
    this.readout.style.right = isRight ? `${this.width - x + 14}px` : "";
  }

  /** @param {number} value */
  plain(value) {
    return new Intl.NumberFormat(this.locale, { maximumFractionDigits: 1 }).format(value);
  }

  summary() {
    const ends = this.shown.map((racer) => {
      const { exact, line } = this.points[racer], last = [...line.slice(-1), ...exact.slice(-1)].slice(-1)[0];
      return `${this.translate(`racer.${racer}`)} ${this.metric === "loss" ? last.y.toFixed(2) : `${Math.round(100 * last.y)} %`}`;
    });
    return `${this.translate(`replay.${this.metric}`)}: ${ends.join(", ") || "–"}`;
  }

  // --- shapes and numbers ------------------------------------------------------------------------------------------

  /** @param {string} name @param {Record<string, unknown>} attributes @param {Element[]} children @returns {any} */
  static node(name, attributes, ...children) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) if (value !== "") node.setAttribute(key, String(value));
    node.append(...children);
    return node;
  }

  /** @param {string} racer @param {number} x @param {number} y @param {number} r */
  static marker(racer, x, y, r) {
    if (racer === "pretrained") return Curves.node("circle", { cx: x, cy: y, r, class: "marker" });
    const star = Array.from({ length: 10 }, (_, k) => {
      const reach = (k % 2 ? 0.45 : 1.25) * r, turn = (k / 5 - 0.5) * Math.PI;
      return [reach * Math.cos(turn), reach * Math.sin(turn)];
    });
    const corners = /** @type {Record<string, number[][]>} */ ({
      scratch: [[0, -1.25 * r], [1.25 * r, 0], [0, 1.25 * r], [-1.25 * r, 0]],
      frozen: [[-r, -r], [r, -r], [r, r], [-r, r]],
      top: [[0, -1.2 * r], [1.2 * r, r], [-1.2 * r, r]],
      all: star,
    })[racer];
    const cross = `M${x - r} ${y - r}L${x + r} ${y + r}M${x - r} ${y + r}L${x + r} ${y - r}`;
    const path = corners ? corners.map(([dx, dy], k) => `${k ? "L" : "M"}${(x + dx).toFixed(1)} ${(y + dy).toFixed(1)}`).join("") + "Z" : cross;
    return Curves.node("path", { d: path, class: corners ? "marker" : "marker open" });
  }

  // Round tick values from 0 to `limit`, about `count` of them
  /** @param {number} limit @param {number} count */
  static ticks(limit, count) {
    const rough = limit / count, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * ([1, 2, 5, 10].find((k) => k * power >= rough) ?? 10);
    return Array.from({ length: Math.floor(limit / step + 1e-9) + 1 }, (_, k) => Number((k * step).toPrecision(12)));
  }

  // Upper end of the loss axis: 1.1 times the 99th percentile, so single outlier batches are clipped
  /** @param {number[]} values @param {number} [limit] */
  static lossLimit(values, limit) {
    if (limit) return limit;
    const sorted = [...values].sort((a, b) => a - b);
    return Math.max(0.1, 1.1 * (sorted[Math.floor(0.99 * (sorted.length - 1))] || 0));
  }
}
