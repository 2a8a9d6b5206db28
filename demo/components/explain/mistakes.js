// The mistakes view, from the racers' final predictions: confusion matrices, accuracy per class, most confident mistakes, and
// pictures that only one racer classifies correctly.
import { finder, make, on, setAttributes } from "../../../engine/export/lib/dom.js";
import { percent } from "../../../engine/export/lib/format.js";
import { drawBars, fillBar, showEmpty } from "./pieces.js";

const MOST_CLASSES = 40, MOST_PAIRS = 12, MOST_PICTURES = 24, MOST_MISTAKES = 8;

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** @typedef {import("../lib/race.js").Row} Row */
/** @typedef {{ racer: string, label: number, predicted: number }} Cell of the confusion matrix */

/** The four views of the final predictions. */
export class Mistakes {
  #view = "confusion";
  #isByGap = false;
  /** @type {Cell | null} the cell whose pictures are shown */
  #cell = null;
  #ends = ""; // how the racers had ended at the last drawing

  /** @param {HTMLElement} element @param {import("./pieces.js").Pieces} pieces */
  constructor(element, pieces) {
    const { $, $$ } = finder(element);
    this.$ = $;
    this.$$ = $$;
    this.pieces = pieces;
    this.mainRacers = /** @type {string[]} */ (pieces.config.main_racers);
    on(element, "click", (event) => this.#click(event));
    on(element, "keydown", (event) => this.#key(event));
  }

  /** @param {string} racer @returns {Row | null | undefined} */
  #predictions(racer) {
    return this.pieces.race.state.racers[racer]?.predictions;
  }

  /** @param {string} racer @returns {Row} */
  #finalPredictions(racer) {
    return this.#predictions(racer) ?? {};
  }

  /** @param {string} racer @param {number} row */
  #isCorrect(racer, row) {
    return this.#finalPredictions(racer).predicted[row] === this.pieces.labelOf(row);
  }

  /** @returns {number[]} */
  #rows() {
    return this.pieces.started.labels.map((/** @type {number} */ _, /** @type {number} */ row) => row);
  }

  start() {
    this.#cell = null;
    this.#ends = "";
    showEmpty(this.$(".hs-why-after"), true);
    this.$(".hs-why-after .hs-why-empty").textContent = this.pieces.translate("empty");
    for (const panel of this.$$("[role=tabpanel]")) panel.replaceChildren();
    this.$(".hs-why-legend").replaceChildren(...this.mainRacers.map((racer) => this.pieces.nameOf(racer)));
  }

  // Redraw only when a racer has ended since the last drawing, so that the view does not change while it is read
  update() {
    const { racers, finished } = this.pieces.race.state;
    const ends = this.mainRacers.map((racer) => (
      racers[racer]?.predictions ? "predicted" : racers[racer]?.end || finished ? "ended" : "racing")).join();
    if (ends === this.#ends) return;
    this.#ends = ends;
    const isAvailable = this.mainRacers.some((racer) => this.#predictions(racer));
    showEmpty(this.$(".hs-why-after"), !isAvailable);
    if (isAvailable) this.#show(this.#view);
    else this.$(".hs-why-after .hs-why-empty").textContent = this.pieces.translate(finished ? "no_end" : "empty");
  }

  /** @param {string} view */
  #show(view) {
    this.#view = view;
    for (const tab of this.$$("[role=tab]")) {
      const isShown = tab.dataset.view === view;
      setAttributes(tab, { "aria-selected": isShown, tabindex: isShown ? 0 : -1 });
    }
    for (const panel of this.$$("[role=tabpanel]")) panel.hidden = panel.id !== `hs-why-panel-${view}`;
    const panel = this.$(`#hs-why-panel-${view}`);
    if (view === "confusion") this.#drawConfusion(panel);
    else if (view === "classes") this.#drawClasses(panel);
    else if (view === "mistakes") this.#drawMistakes(panel);
    else this.#drawOnly(panel);
  }

  // The reason why a racer has no final predictions
  /** @param {string} racer */
  #missing(racer) {
    const { racers, finished } = this.pieces.race.state, end = racers[racer]?.end;
    if (end?.reason === "diverged") return this.pieces.translate("diverged_end");
    return this.pieces.translate(end || finished ? "not_ended" : "still");
  }

  // Two halves side by side, one per racer: `draw(racer, half)` where it has final predictions, else the reason
  /** @param {any} panel @param {(racer: string, half: any) => void} draw */
  #drawHalves(panel, draw) {
    const both = make("div", "hs-why-halves");
    for (const racer of this.mainRacers) {
      const half = make("section"), title = make("h3");
      title.append(this.pieces.nameOf(racer));
      half.append(title);
      half.dataset.racer = racer;
      if (this.#predictions(racer)) draw(racer, half);
      else half.append(make("p", "", this.#missing(racer)));
      both.append(half);
    }
    panel.append(both);
  }

  // --- confusion -----------------------------------------------------------------------------------------------------

  /** @param {any} panel */
  #drawConfusion(panel) {
    const { pieces } = this, isTable = pieces.classes.length <= MOST_CLASSES;
    const { of, label, predicted } = /** @type {HTMLElement} */ (document.activeElement).dataset;
    const description = isTable ? pieces.translate("confusion_about") : pieces.translate("pairs_about", { classes: pieces.classes.length });
    panel.replaceChildren(make("p", "", description));
    this.#drawHalves(panel, (racer, half) => (isTable ? this.#drawMatrix(racer, half) : this.#drawPairs(racer, half)));
    // The heading is hidden until it has a text; the live region around it reads the text aloud
    const liveRegion = setAttributes(make("div"), { "aria-live": "polite" });
    liveRegion.append(setAttributes(make("h3", "hs-why-chosen"), { hidden: "" }));
    panel.append(liveRegion, make("div", "hs-why-cell"));
    if (this.#cell) this.#choose(this.#cell);
    // Restore the focus: the other racer has ended meanwhile
    if (of) this.$(`[data-of="${of}"][data-label="${label}"][data-predicted="${predicted}"]`)?.focus();
  }

  /** @param {string} racer @returns {number[][]} counts[label][predicted]: pictures of class `label` predicted as class `predicted` */
  #count(racer) {
    const { classes } = this.pieces, counts = classes.map(() => classes.map(() => 0));
    this.#finalPredictions(racer).predicted.forEach((/** @type {number} */ predicted, /** @type {number} */ row) => {
      counts[this.pieces.labelOf(row)][predicted] += 1;
    });
    return counts;
  }

  /** @param {string} racer @param {any} half */
  #drawMatrix(racer, half) {
    const { pieces } = this, names = pieces.classes, label = pieces.translate("table_of", { racer: pieces.config.names[racer] });
    const table = setAttributes(make("table", "hs-why-matrix"), { role: "grid", "aria-label": label });
    const head = table.createTHead().insertRow();
    head.append(setAttributes(make("th", "", pieces.translate("truth")), { scope: "col" }), ...names.map((name) => {
      const node = setAttributes(make("th"), { scope: "col", title: name });
      node.append(make("span", "", name));
      return node;
    }));
    const body = table.createTBody();
    this.#count(racer).forEach((row, label) => {
      const line = body.insertRow(), total = row.reduce((sum, n) => sum + n, 0) || 1;
      line.append(setAttributes(make("th", "", names[label]), { scope: "row", title: names[label] }));
      row.forEach((n, predicted) => {
        const box = line.insertCell();
        box.style.setProperty("--share", n / total);
        if (label === predicted) box.className = "hs-why-diagonal";
        if (n) box.append(this.#button({ racer, label, predicted }, n, `${n}`));
        else box.textContent = "0";
      });
    });
    const first = table.querySelector("button");
    if (first) first.tabIndex = 0; // the arrow keys lead to the others
    const scroll = make("div", "hs-why-scroll");
    scroll.append(table);
    half.append(scroll);
  }

  /** @param {string} racer @param {any} half */
  #drawPairs(racer, half) {
    const pairs = this.#count(racer).flatMap((row, label) => row.map((count, predicted) => ({ racer, label, predicted, count })))
      .filter(({ label, predicted, count }) => label !== predicted && count);
    const shownPairs = pairs.sort((a, b) => b.count - a.count).slice(0, MOST_PAIRS), list = make("ol", "hs-why-pairs");
    for (const { count, ...cell } of shownPairs) {
      const item = make("li"), button = this.#button(cell, count);
      button.tabIndex = 0;
      item.append(button);
      list.append(item);
    }
    half.append(shownPairs.length ? list : make("p", "", this.pieces.translate("no_pairs")));
  }

  // A button that shows the pictures of a cell
  /** @param {Cell} cell @param {number} count @param {string} [text] */
  #button({ racer, label, predicted }, count, text) {
    const { classes } = this.pieces;
    const title = this.pieces.translate("cell", { label: classes[label], predicted: classes[predicted], count }), button = make("button", "", text ?? title);
    Object.assign(button, { type: "button", tabIndex: -1, ariaLabel: title, ariaPressed: "false", title });
    Object.assign(button.dataset, { of: racer, label, predicted });
    return button;
  }

  /** @param {Cell} cell */
  #choose(cell) {
    const { racer, label, predicted } = this.#cell = cell, { pieces } = this;
    for (const button of this.$$("[data-of]")) {
      const { of, label: a, predicted: b } = button.dataset;
      button.ariaPressed = String(of === racer && Number(a) === label && Number(b) === predicted);
    }
    const rows = this.#rows().filter((row) => pieces.labelOf(row) === label && this.#finalPredictions(racer).predicted[row] === predicted);
    const values = { label: pieces.classes[label], predicted: pieces.classes[predicted], racer: pieces.config.names[racer], count: rows.length };
    this.$(".hs-why-chosen").textContent = pieces.translate("cell_of", values);
    this.$(".hs-why-chosen").hidden = false;
    this.$(".hs-why-cell").replaceChildren(...this.#gallery(rows, MOST_PICTURES));
  }

  // Pictures with each racer's prediction, and the number of further pictures
  /** @param {number[]} rows @param {number} limit */
  #gallery(rows, limit) {
    const { pieces } = this, list = make("ul", "hs-why-gallery"), first = rows.slice(0, limit);
    first.forEach((row, k) => {
      const item = make("li"), label = make("b", "", pieces.classes[pieces.labelOf(row)]);
      label.title = label.textContent;
      item.append(pieces.picture(first, k), label);
      for (const racer of this.mainRacers.filter((name) => this.#predictions(name))) {
        const parts = pieces.createPrediction(racer), { predicted, confidence } = this.#finalPredictions(racer);
        pieces.setPrediction(parts, predicted[row], confidence[row], pieces.labelOf(row));
        parts.node.prepend(pieces.nameOf(racer, "hs-why-racer hs-why-swatch"));
        item.append(parts.node);
      }
      list.append(item);
    });
    return rows.length > limit ? [list, make("p", "hs-why-more", pieces.translate("more", { count: rows.length - limit }))] : [list];
  }

  // --- class by class ------------------------------------------------------------------------------------------------

  /** @param {string[]} racers */
  #perClass(racers) {
    const all = this.pieces.classes.map((name, label) => (
      { name, label, total: 0, correct: /** @type {Record<string, number>} */ (Object.fromEntries(racers.map((racer) => [racer, 0]))) }));
    for (const row of this.#rows()) {
      const entry = all[this.pieces.labelOf(row)];
      entry.total += 1;
      for (const racer of racers) entry.correct[racer] += Number(this.#isCorrect(racer, row));
    }
    return all;
  }

  /** @param {any} panel */
  #drawClasses(panel) {
    const { pieces } = this, racers = this.mainRacers.filter((racer) => this.#predictions(racer)), all = this.#perClass(racers);
    /** @param {{ correct: Record<string, number>, total: number }} entry */
    const gap = ({ correct, total }) => (correct.pretrained - correct.scratch) / (total || 1);
    if (this.#isByGap && racers.length > 1) all.sort((a, b) => gap(b) - gap(a));
    const bar = setAttributes(make("div", "hs-why-tabs"), { role: "group", "aria-label": pieces.translate("order") });
    for (const isGap of [false, true]) {
      const button = setAttributes(make("button", "", pieces.translate(isGap ? "by_gap" : "by_class")), {
        type: "button", "aria-pressed": this.#isByGap === isGap, "data-gap": isGap,
      });
      button.disabled = isGap && racers.length < 2;
      bar.append(button);
    }
    const table = make("table", "hs-why-bars");
    drawBars(table, pieces.translate("class"), racers, all, ({ name }) => name, (racer) => pieces.nameOf(racer));
    all.forEach(({ correct, total }, k) => racers.forEach((racer) => {
      const node = table.tBodies[0].rows[k].querySelector(`[data-racer="${racer}"]`);
      fillBar(node, correct[racer] / (total || 1), total ? percent(correct[racer] / total) : "–");
      node.title = pieces.translate("of", { right: correct[racer], total });
    }));
    const scroll = make("div", "hs-why-scroll hs-why-long");
    setAttributes(scroll, { tabindex: 0, role: "region", "aria-label": pieces.translate("classes") });
    scroll.append(table);
    panel.replaceChildren(make("p", "", pieces.translate("classes_about")), bar, scroll);
  }

  // --- picture by picture --------------------------------------------------------------------------------------------

  /** @param {string} racer @param {(row: number) => boolean} isIncluded */
  #mostConfident(racer, isIncluded) {
    const { confidence } = this.#finalPredictions(racer);
    return this.#rows().filter(isIncluded).sort((a, b) => confidence[b] - confidence[a]);
  }

  /** @param {any} panel */
  #drawMistakes(panel) {
    panel.replaceChildren(make("p", "", this.pieces.translate("mistakes_about")));
    this.#drawHalves(panel, (racer, half) => {
      const rows = this.#mostConfident(racer, (row) => !this.#isCorrect(racer, row)).slice(0, MOST_MISTAKES);
      half.append(...(rows.length ? this.#gallery(rows, MOST_MISTAKES) : [make("p", "", this.pieces.translate("no_mistakes"))]));
    });
  }

  /** @param {any} panel */
  #drawOnly(panel) {
    const { pieces } = this;
    panel.replaceChildren(make("p", "", pieces.translate("only_about")));
    if (!this.mainRacers.every((racer) => this.#predictions(racer))) { panel.append(make("p", "", pieces.translate("both_needed"))); return; }
    const both = make("div", "hs-why-halves");
    this.mainRacers.forEach((racer, k) => {
      const other = this.mainRacers[1 - k];
      const rows = this.#mostConfident(racer, (row) => this.#isCorrect(racer, row) && !this.#isCorrect(other, row));
      const half = make("section");
      const title = make("h3", "hs-why-racer", pieces.translate("only_one", { racer: pieces.config.names[racer], count: rows.length }));
      half.dataset.racer = title.dataset.racer = racer;
      half.append(title, ...(rows.length ? this.#gallery(rows, MOST_PICTURES) : [make("p", "", pieces.translate("only_none"))]));
      both.append(half);
    });
    panel.append(both);
  }

  // --- mouse and keys ------------------------------------------------------------------------------------------------

  /** @param {any} event */
  #click(event) {
    const { view, gap, of, label, predicted } = event.target.closest("button")?.dataset ?? {};
    if (view) this.#show(view);
    if (gap) {
      this.#isByGap = gap === "true";
      this.#show("classes");
      this.$(`[data-gap="${gap}"]`).focus();
    }
    if (of) this.#choose({ racer: of, label: Number(label), predicted: Number(predicted) });
  }

  /** @param {any} event */
  #key(event) {
    const direction = ARROWS[event.key], from = event.target;
    if (!direction) return;
    if (from.getAttribute("role") === "tab" && direction[1]) {
      const tabs = this.$$("[role=tab]"), next = tabs[(tabs.indexOf(from) + direction[1] + tabs.length) % tabs.length];
      this.#show(next.dataset.view);
      next.focus();
    } else if (from.closest(".hs-why-matrix") && from.dataset.of) this.#step(from, direction);
    else return;
    event.preventDefault();
  }

  // Move the focus to the next cell of the matrix with pictures
  /** @param {any} from @param {[number, number]} direction */
  #step(from, direction) {
    const rows = from.closest("table").tBodies[0].rows;
    let row = Number(from.dataset.label), column = Number(from.dataset.predicted), next = null;
    do {
      row += direction[0];
      column += direction[1];
      next = rows[row]?.cells[column + 1]?.querySelector("button"); // the first cell is the class name
    } while (!next && rows[row]?.cells[column + 1] && column >= 0);
    if (next) { from.tabIndex = -1; next.tabIndex = 0; next.focus(); }
  }
}
