// A histogram of a class's bets: columns with the result marked, and the same values as a table.
import { nest } from "../../engine/export/lib/dom.js";

/**
 * @typedef {object} Texts
 * @property {(key: string, values?: Record<string, unknown>) => string} translate
 * @property {(key: string, count: number) => string} counted
 * @property {(value: number, digits?: number) => string} number
 * @property {(value: number, digits?: number) => string} signed
 * @property {(points: number, digits?: number) => string} formatGap
 * @property {(seconds: number | null) => string} formatSeconds
 * @property {string} never
 */

/**
 * @typedef {object} Columns
 * @property {string[]} ticks labels of the edges
 * @property {string[]} names one per column
 * @property {(value: any) => number} at position of a value in units of columns
 * @property {(value: any) => number} column index of the column that counts a value
 * @property {(value: any, digits?: number) => string} format
 * @property {boolean} hasNever whether the last column counts the bets on never
 */

/**
 * Columns of ten percentage points, from -20 to 80, or wider where the bets or the result need it.
 * @param {number[]} bets
 * @param {number | undefined} end
 * @param {Texts} texts
 * @returns {Columns}
 */
export function gapColumns(bets, end, { translate, signed, formatGap }) {
  const all = end === undefined ? bets : [...bets, end];
  const low = Math.min(-20, 10 * Math.floor(Math.min(...all) / 10)), high = Math.max(80, 10 * Math.ceil(Math.max(...all) / 10));
  const edges = Array.from({ length: (high - low) / 10 + 1 }, (_, k) => low + 10 * k);
  return {
    ticks: edges.map((edge) => signed(edge)), at: (value) => (value - low) / 10, format: formatGap, hasNever: false,
    column: (value) => Math.min(edges.length - 2, Math.max(0, Math.floor((value - low) / 10))),
    names: edges.slice(1).map((edge, k) => translate("range", { low: formatGap(edges[k]), high: formatGap(edge) })),
  };
}

/**
 * Each column is twice as wide as the one before, like the score; the last is "never".
 * @param {(number | null)[]} bets
 * @param {Texts} texts
 * @returns {Columns}
 */
export function secondsColumns(bets, { translate, number, formatSeconds, never }) {
  const largest = Math.max(64, ...bets.map((seconds) => seconds || 0)), edges = [0, 1];
  while (edges[edges.length - 1] < largest) edges.push(2 * edges[edges.length - 1]);
  const last = edges.length - 1; // index of the column for never
  /** @param {number | null} seconds */
  const at = (seconds) => (seconds === null ? last + 0.5 : seconds < 1 ? seconds : Math.min(last, 1 + Math.log2(seconds)));
  return {
    ticks: edges.map((edge) => number(edge)), at, format: formatSeconds, hasNever: true,
    column: (seconds) => (seconds === null ? last : Math.min(last - 1, Math.floor(at(seconds)))),
    names: [...edges.slice(1).map((edge, k) => translate("range", { low: formatSeconds(edges[k]), high: formatSeconds(edge) })), never],
  };
}

/**
 * The median (the lower of two); null, a bet on "never", ranks above every number.
 * @param {(number | null)[]} values
 */
export const median = (values) => [...values].sort((a, b) => (a ?? Infinity) - (b ?? Infinity))[Math.floor((values.length - 1) / 2)];

/**
 * @param {any} node
 * @param {Columns} columns
 * @param {(number | null)[]} values
 * @param {number | null | undefined} end the result; undefined before the race ends
 * @param {Texts} texts
 */
export function drawHistogram(node, columns, values, end, { translate, counted, number, never }) {
  const counts = columns.names.map((_, k) => values.filter((value) => columns.column(value) === k).length);
  const summary = [translate("middle", { bets: counted("bets", values.length), middle: columns.format(median(values)) })];
  const plot = node.querySelector(".hs-class-plot");
  /** @param {any} tick @param {number} at */
  const place = (tick, at) => { tick.style.left = `${(100 * at) / counts.length}%`; return tick; };
  plot.replaceChildren(...counts.map((count) => {
    const bar = nest("i", [], { class: "hs-class-bar" });
    bar.style.height = `${(100 * count) / Math.max(...counts)}%`;
    return nest("div", [nest("span", count ? number(count) : ""), bar], { class: "hs-class-column" });
  }));
  if (end !== undefined) {
    const text = translate("real", { value: columns.format(end, 1) }), at = columns.at(end);
    const side = at > counts.length / 2 ? "hs-class-left" : "";
    plot.append(place(nest("div", [nest("b", text)], { class: `hs-class-real ${side}` }), at));
    summary.push(text);
  }
  plot.setAttribute("aria-label", summary.join(". "));
  node.querySelector(".hs-class-summary").textContent = summary[0];
  const ticks = columns.ticks.map((text, k) => place(nest("span", text), k));
  if (columns.hasNever) ticks.push(place(nest("span", never), counts.length - 0.42));
  node.querySelector(".hs-class-ticks").replaceChildren(...ticks);
  node.querySelector("tbody").replaceChildren(...counts.map((count, k) => (
    nest("tr", [nest("th", columns.names[k], { scope: "row" }), nest("td", number(count))]))));
}
