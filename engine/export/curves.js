// Draws the curves of a race as SVG, from rows of events. Knows nothing of players, pages or where the rows come from.
// Needs of the page: one class `lane-NAME` a lane that sets --lane, and --ink, --soft, --grid, --paper (player.css).
class Curves {
  static DASHES = {
    scratch: "6 3", transfer: "", random: "2 3", frozen: "10 4", top: "8 3 2 3", all: "12 3 3 3",
  };
  static RIVALS = ["scratch", "transfer"];

  // kind: "accuracy" or "loss". word(key, values): the sentence of that key. chance: the share right by guessing.
  // limits: how far each axis goes, {epoch, seconds, pictures}; where one is missing the rows say.
  constructor(host, { kind, word, lanes, chance = null, limits = {}, locale = "en" }) {
    Object.assign(this, { host, kind, word, lanes, chance, limits, locale, rows: [], axis: "epoch", place: null });
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
    this.aloud = this.box.appendChild(document.createElement("div"));
    this.aloud.className = "aloud";
    this.aloud.setAttribute("aria-live", "polite");
    this.box.addEventListener("pointermove", (event) => this.point(event));
    this.box.addEventListener("pointerdown", (event) => this.point(event));
    this.box.addEventListener("pointerleave", () => this.read(null));
    this.box.addEventListener("blur", () => this.read(null));
    this.box.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.paint()).observe(this.box);
  }

  // Rows as the log of a race has them: {event: "Evaluated", lane, epoch, seconds, pictures, correct, total, low, high,
  // is_exact} and {event: "Stepped", lane, epoch, seconds, pictures, loss}. Others are left alone.
  draw(rows, axis = this.axis) {
    this.rows = rows;
    if (axis !== this.axis) this.place = null;
    this.axis = axis;
    this.paint();
  }

  // The points of each lane that are joined by its line, and the rolling estimates between them
  collect() {
    const wanted = this.kind === "loss" ? "Stepped" : "Evaluated";
    this.points = Object.fromEntries(this.lanes.map((lane) => [lane, { main: [], rolling: [] }]));
    for (const row of this.rows) {
      if (row.event !== wanted || !this.points[row.lane]) continue;
      const y = this.kind === "loss" ? row.loss : row.correct / row.total;
      if (!Number.isFinite(y)) continue;
      const isMain = this.kind === "loss" || row.is_exact;
      this.points[row.lane][isMain ? "main" : "rolling"].push({ x: row[this.axis], y, low: row.low, high: row.high });
    }
    this.shown = this.lanes.filter((lane) => this.points[lane].main.length || this.points[lane].rolling.length);
    const all = Object.values(this.points).flatMap((lane) => [...lane.main, ...lane.rolling]);
    this.xMost = this.limits[this.axis] || Math.max(1, ...all.map((p) => p.x));
    this.yMost = this.kind === "loss" ? Curves.enough(all.map((p) => p.y), this.limits.loss) : 1;
  }

  paint() {
    const width = this.box.clientWidth, height = this.box.clientHeight;
    if (!width || !height) return;
    this.collect();
    const left = this.kind === "loss" ? 44 : 58, right = 12, top = 10, bottom = 50;
    this.x = (value) => left + (value / this.xMost) * (width - left - right);
    this.y = (value) => top + (1 - Math.min(value, this.yMost) / this.yMost) * (height - top - bottom);
    Object.assign(this, { left, right: width - right, top, bottom: height - bottom, width });
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.replaceChildren(...this.frame(), ...this.shown.flatMap((lane) => this.line(lane)), ...this.guess());
    this.hair = this.svg.appendChild(Curves.node("g", {}));
    this.svg.setAttribute("aria-label", this.summary());
    this.box.setAttribute("aria-label", this.word("replay.read", { chart: this.word(`replay.${this.kind}`) }));
    this.read(this.place);
  }

  frame() {
    const parts = [];
    const text = (x, y, words, more) => {
      const node = Curves.node("text", { x, y, ...more });
      node.textContent = words;
      parts.push(node);
    };
    const number = new Intl.NumberFormat(this.locale);
    const rows = this.kind === "loss" ? Curves.ticks(this.yMost, 3) : [0, 0.2, 0.4, 0.6, 0.8, 1];
    for (const value of rows) {
      const y = Math.round(this.y(value));
      parts.push(Curves.node("line", { x1: this.left, x2: this.right, y1: y, y2: y, class: value ? "grid" : "axis" }));
      const words = this.kind === "loss" ? number.format(value) : `${Math.round(100 * value)} %`;
      text(this.left - 8, y + 5, words, { "text-anchor": "end" });
    }
    for (const value of Curves.ticks(this.xMost, Math.max(3, Math.floor(this.width / 120)))) {
      const x = Math.round(this.x(value));
      parts.push(Curves.node("line", { x1: x, x2: x, y1: this.bottom, y2: this.bottom + 5, class: "axis" }));
      text(x, this.bottom + 21, number.format(value), { "text-anchor": x > this.right - 12 ? "end" : "middle" });
    }
    text((this.left + this.right) / 2, this.bottom + 42, this.word(`axis.${this.axis}`), { "text-anchor": "middle", class: "title" });
    if (this.kind === "accuracy" && this.chance) {
      const y = this.y(this.chance);
      parts.push(Curves.node("line", { x1: this.left, x2: this.right, y1: y, y2: y, class: "chance" }));
    }
    return parts;
  }

  // The word beside the line of guessing stands above all lines
  guess() {
    if (this.kind !== "accuracy" || !this.chance) return [];
    const node = Curves.node("text", { x: this.right, y: this.y(this.chance) - 6, "text-anchor": "end", class: "soft" });
    node.textContent = this.word("chart.chance");
    return [node];
  }

  line(lane) {
    const { main, rolling } = this.points[lane];
    const path = (points) => points.map((p, k) => `${k ? "L" : "M"}${this.x(p.x).toFixed(1)} ${this.y(p.y).toFixed(1)}`).join("");
    const group = Curves.node("g", { class: `lane-${lane} ${Curves.RIVALS.includes(lane) ? "rival" : "extra"}`, "data-lane": lane });
    if (this.kind === "loss") {
      group.append(Curves.node("path", { d: path(main), class: "loss", "stroke-dasharray": Curves.DASHES[lane] }));
      return [group];
    }
    const band = [...main.map((p) => ({ x: p.x, y: p.high })), ...main.map((p) => ({ x: p.x, y: p.low })).reverse()];
    if (main.length > 1) group.append(Curves.node("path", { d: path(band) + "Z", class: "band" }));
    if (main.length === 1) {
      const x = this.x(main[0].x);
      group.append(Curves.node("line", { x1: x, x2: x, y1: this.y(main[0].low), y2: this.y(main[0].high), class: "whisker" }));
    }
    group.append(Curves.node("path", { d: path(rolling), class: "rolling" }));
    group.append(Curves.node("path", { d: path(main), class: "exact", "stroke-dasharray": Curves.DASHES[lane] }));
    const size = main.length > 60 ? 3 : Curves.RIVALS.includes(lane) ? 5 : 4;
    for (const p of main) group.append(Curves.marker(lane, this.x(p.x), this.y(p.y), size));
    return [group];
  }

  drawLegend() {
    const entry = (className, label, ...shapes) => {
      const item = document.createElement("li"), swatch = Curves.node("svg", { viewBox: "0 0 44 16", "aria-hidden": "true" });
      item.className = className;
      swatch.append(...shapes);
      item.append(swatch, label);
      return item;
    };
    const stroke = (attributes) => Curves.node("line", { x1: 1, x2: 43, y1: 8, y2: 8, ...attributes });
    const items = this.lanes.map((lane) => entry(
      `lane-${lane} ${Curves.RIVALS.includes(lane) ? "rival" : "extra"}`, this.word(`lane.${lane}`),
      stroke({ class: this.kind === "loss" ? "loss" : "exact", "stroke-dasharray": Curves.DASHES[lane] }),
      ...(this.kind === "loss" ? [] : [Curves.marker(lane, 22, 8, 5)]),
    ));
    if (this.kind === "accuracy") {
      const band = Curves.node("rect", { x: 1, y: 2, width: 42, height: 12, class: "band" });
      items.push(entry("plain", this.word("replay.band"), band), entry("plain", this.word("chart.rolling"), stroke({ class: "rolling" })));
    }
    this.legend.replaceChildren(...items);
  }

  // --- reading values off ------------------------------------------------------------------------------------------

  places() {
    return [...new Set(this.shown.flatMap((lane) => this.points[lane].main.map((p) => p.x)))].sort((a, b) => a - b);
  }

  point(event) {
    const box = this.svg.getBoundingClientRect(), places = this.places();
    const at = ((event.clientX - box.left - this.left) / (this.right - this.left)) * this.xMost;
    if (places.length) this.read(places.reduce((best, x) => (Math.abs(x - at) < Math.abs(best - at) ? x : best)));
  }

  key(event) {
    const places = this.places(), now = places.indexOf(this.place);
    const next = {
      ArrowRight: now + 1, ArrowLeft: now < 0 ? places.length - 1 : now - 1, Home: 0, End: places.length - 1,
    }[event.key];
    if (event.key === "Escape") { this.read(null); return; }
    if (next === undefined || !places.length || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation(); // a player's arrow keys are for elsewhere
    this.read(places[Math.min(places.length - 1, Math.max(0, next))]);
    this.aloud.textContent = this.readout.innerText;
  }

  read(place) {
    if (place !== null && !this.places().includes(place)) place = null;
    this.place = place;
    this.readout.hidden = place === null;
    if (!this.hair) return;
    this.hair.replaceChildren();
    if (place === null) return;
    const x = this.x(place), lines = [document.createElement("strong")];
    lines[0].textContent = `${this.word(`axis.${this.axis}`)}: ${this.plain(place)}`;
    this.hair.append(Curves.node("line", { x1: x, x2: x, y1: this.top, y2: this.bottom, class: "hair" }));
    for (const lane of this.shown) {
      const points = this.points[lane].main;
      if (!points.length) continue;
      const p = points.reduce((best, q) => (Math.abs(q.x - place) <= Math.abs(best.x - place) ? q : best));
      const line = document.createElement("span"), name = document.createElement("b");
      line.className = `lane-${lane}`;
      name.textContent = this.word(`lane.${lane}`);
      const value = this.kind === "loss" ? p.y.toFixed(2)
        : `${(100 * p.y).toFixed(1)} % (${Math.round(100 * p.low)}–${Math.round(100 * p.high)})`;
      line.append(name, ` ${value}${p.x === place ? "" : ` @ ${this.plain(p.x)}`}`);
      lines.push(line);
      this.hair.append(Curves.node("circle", { cx: this.x(p.x), cy: this.y(p.y), r: 7, class: `ring lane-${lane}` }));
    }
    this.readout.replaceChildren(...lines);
    const half = x > (this.left + this.right) / 2;
    this.readout.style.left = half ? "" : `${x + 14}px`;
    this.readout.style.right = half ? `${this.width - x + 14}px` : "";
  }

  plain(value) {
    return new Intl.NumberFormat(this.locale, { maximumFractionDigits: 1 }).format(value);
  }

  summary() {
    const ends = this.shown.map((lane) => {
      const last = this.points[lane].main.at(-1) || this.points[lane].rolling.at(-1);
      return `${this.word(`lane.${lane}`)} ${this.kind === "loss" ? last.y.toFixed(2) : `${Math.round(100 * last.y)} %`}`;
    });
    return `${this.word(`replay.${this.kind}`)}: ${ends.join(", ") || "–"}`;
  }

  // --- shapes and numbers ------------------------------------------------------------------------------------------

  static node(name, attributes, ...children) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) if (value !== "") node.setAttribute(key, value);
    node.append(...children);
    return node;
  }

  static marker(lane, x, y, r) {
    if (lane === "transfer") return Curves.node("circle", { cx: x, cy: y, r, class: "marker" });
    const star = Array.from({ length: 10 }, (_, k) => {
      const reach = (k % 2 ? 0.45 : 1.25) * r, turn = (k / 5 - 0.5) * Math.PI;
      return [reach * Math.cos(turn), reach * Math.sin(turn)];
    });
    const corners = {
      scratch: [[0, -1.25 * r], [1.25 * r, 0], [0, 1.25 * r], [-1.25 * r, 0]],
      frozen: [[-r, -r], [r, -r], [r, r], [-r, r]],
      top: [[0, -1.2 * r], [1.2 * r, r], [-1.2 * r, r]],
      all: star,
    }[lane];
    const cross = `M${x - r} ${y - r}L${x + r} ${y + r}M${x - r} ${y + r}L${x + r} ${y - r}`;
    const path = corners ? corners.map(([dx, dy], k) => `${k ? "L" : "M"}${(x + dx).toFixed(1)} ${(y + dy).toFixed(1)}`).join("") + "Z" : cross;
    return Curves.node("path", { d: path, class: corners ? "marker" : "marker open" });
  }

  // Round numbers from 0 up to `most`, about so many
  static ticks(most, count) {
    const rough = most / count, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((k) => k * power >= rough);
    return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, k) => Number((k * step).toPrecision(12)));
  }

  // How far up a chart of losses goes: single wild batches run out of it
  static enough(values, limit) {
    if (limit) return limit;
    const sorted = [...values].sort((a, b) => a - b);
    return Math.max(0.1, 1.1 * (sorted[Math.floor(0.99 * (sorted.length - 1))] || 0));
  }
}
