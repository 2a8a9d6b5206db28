// The comparison table: stores the visitor's finished races in this browser, and sorts them.
import { nest, on } from "../../../engine/export/lib/dom.js";
import { fill } from "../../../engine/export/lib/format.js";
import { isDone, MAIN_RACERS } from "../../../engine/export/lib/reducer.js";
import { channel, onAnnounced } from "../lib/race.js";
import { onChangeElsewhere, readList, writeList } from "../lib/store.js";
import { toCsv } from "./csv.js";

/** @typedef {import("../lib/race.js").ShownRace} ShownRace */
/** @typedef {import("../lib/race.js").Row} Row */
/** @typedef {Record<string, any>} StoredRace a finished race as `storedRace` returns it */

const MAX_RACES = 30, STORE = "races";
const MAX_REMOVED = 100, REMOVED = "removed"; // ids of removed races: a reload reads the log of the newest race again
const SAVED_MS = 1000, COPIED_MS = 1500;

/** @param {number} share */
const points = (share) => `${share < 0 ? "−" : "+"}${Math.abs(100 * share).toFixed(1)}`;
/** @param {number} share */
const percent = (share) => `${(100 * share).toFixed(1)} %`;
/** @param {unknown} a @param {unknown} b */
const isSame = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** @type {Record<string, (race: StoredRace) => number>} */
const ranks = {
  race: (race) => race.number, settings: (race) => race.examples_per_class, scratch: (race) => race.final.scratch,
  pretrained: (race) => race.final.pretrained, best: (race) => Math.max(race.best.scratch, race.best.pretrained),
  gap: (race) => race.gap, time: (race) => race.wall,
};

/** @param {any} race a stored value, possibly from another version */
function isRace(race) {
  const numbers = ["number", "when", "examples_per_class", "gap", "low", "high", "wall"];
  return typeof race?.id === "string" && typeof race.plan === "object" && race.plan !== null
    && numbers.every((name) => Number.isFinite(race[name]))
    && MAIN_RACERS.every((racer) => Number.isFinite(race.final?.[racer]) && Number.isFinite(race.best?.[racer])
      && Array.isArray(race.curves?.[racer]) && race.curves[racer].every((/** @type {any} */ point) => Number.isFinite(point?.y)));
}

/**
 * The stored values of a finished race.
 * @param {ShownRace} shown
 * @param {Row} end
 */
function storedRace({ id, task, state }, end) {
  const names = Object.keys(state.racers), plan = state.plan;
  const curves = Object.fromEntries(names.map((name) => [name, state.racers[name].subset.map((row) => (
    { epoch: row.epoch, seconds: row.seconds, pictures: row.pictures, y: row.correct / row.total }))]));
  const best = names.filter((name) => state.racers[name].exact.length).map((name) => (
    [name, Math.max(...state.racers[name].exact.map((row) => row.correct / row.total))]));
  const finals = names.filter((name) => state.racers[name].end).map((name) => [name, state.racers[name].end]);
  return {
    id, when: Date.now(), plan, task: task || plan?.task, examples_per_class: plan?.examples_per_class,
    final: Object.fromEntries(finals.map(([name, last]) => [name, /** @type {Row} */ (last).correct / /** @type {Row} */ (last).total])),
    best: Object.fromEntries(best),
    gap: end.gap, low: end.gap_low, high: end.gap_high, wall: end.wall_seconds,
    curves: { scratch: curves.scratch, pretrained: curves.pretrained },
  };
}

/** @param {import("../lib/part.js").Component} component */
export function mount({ element, config, language, $, $$ }) {
  const words = config.words;
  let races = storedRaces(), order = { column: "race", isDown: true };

  // --- storage -------------------------------------------------------------------------------------------------------

  /** @returns {StoredRace[]} each with a value for every current setting */
  function storedRaces() {
    /** @param {unknown} value @param {unknown} example */
    const isLike = (value, example) => typeof value === typeof example && Array.isArray(value) === Array.isArray(example);
    /** @param {Record<string, any>} plan */
    const whole = (plan) => Object.fromEntries(Object.entries(config.defaults).map(([name, defaultValue]) =>
      [name, isLike(plan[name], defaultValue) ? plan[name] : defaultValue]));
    return readList(STORE).filter(isRace).map((race) => ({ ...race, plan: whole(race.plan) }));
  }

  function store() {
    races = writeList(STORE, races, MAX_RACES);
    showGhosts();
    draw();
  }

  /** @param {StoredRace[]} removed */
  function remove(removed) {
    writeList(REMOVED, [...readList(REMOVED), ...removed.map((race) => race.id)], MAX_REMOVED);
    races = races.filter((race) => !removed.includes(race));
    store();
  }

  /** @param {StoredRace} reference the race that the others are compared with */
  function setReference(reference) {
    for (const race of races) race.isReference = race === reference;
    store();
  }

  function showGhosts() {
    channel.setGhosts(races.filter((race) => race.isShown).map(({ id, task, plan, curves, examples_per_class }) => (
      { race: id, task, backbone: plan.backbone, examples_per_class, racers: curves })));
  }

  channel.subscribe(element, (shown, rows) => {
    const end = rows.find((row) => row.event === "RaceFinished");
    if (!end || shown.isRecorded || !shown.isOwner || !isDone(shown.state, ...MAIN_RACERS)) return;
    if (races.some((race) => race.id === shown.id) || readList(REMOVED).includes(shown.id)) return;
    const number = 1 + Math.max(0, ...races.map((race) => race.number));
    races.push({ ...storedRace(shown, end), number, isShown: true, isReference: !races.length });
    store();
  });

  // --- the table -----------------------------------------------------------------------------------------------------

  /** @param {StoredRace} race */
  const isClose = (race) => race.low <= 0 && race.high >= 0;

  /** @param {string} name @param {any} value */
  function valueText(name, value) {
    if (name === "task" && value === "own") return words.own;
    if (name === "extra_racers") {
      return value.map((/** @type {string} */ racer) => config.values.extra_racers[racer] ?? racer).join(", ") || words.no;
    }
    if (typeof value === "boolean") return value ? words.yes : words.no;
    return (config.values[name] || {})[value] ?? String(value);
  }

  // The settings to show: always task, backbone, examples_per_class and trainable_stages; others where they differ from the
  // default or from the reference
  /** @param {StoredRace} race @param {StoredRace} reference */
  function settings(race, reference) {
    const always = ["task", "backbone", "examples_per_class", "trainable_stages"];
    const names = Object.keys(config.defaults).filter((name) => always.includes(name)
      || !isSame(race.plan[name], config.defaults[name]) || !isSame(race.plan[name], reference.plan[name]));
    return names.map((name) => (
      { name, text: valueText(name, race.plan[name]), isDifferent: !isSame(race.plan[name], reference.plan[name]) }));
  }

  /** @param {Record<string, any>} plan */
  function query(plan) {
    const changed = Object.entries(plan).filter(([name, value]) => !isSame(value, config.defaults[name]));
    return new URLSearchParams(changed.map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : String(value)])).toString();
  }

  /** @param {StoredRace} race */
  function link(race) {
    const requested = new URLSearchParams(location.search).get("lang");
    const parts = [query(race.plan), requested ? `lang=${encodeURIComponent(requested)}` : ""].filter(Boolean).join("&");
    return location.origin + location.pathname + (parts ? `?${parts}` : "");
  }

  /** @param {{ name: string, text: string, isDifferent: boolean }} setting */
  function chip({ name, text, isDifferent }) {
    const node = nest("li", [nest("span", `${config.settings[name]}: `), nest("b", text)], isDifferent ? { class: "hs-differs" } : {});
    if (isDifferent) { node.title = words.differs; node.prepend(nest("span", "≠ ", { "aria-label": words.differs })); }
    return node;
  }

  /** @param {StoredRace} race */
  function actions(race) {
    /** @param {string} name @param {(button: any) => void} work */
    const button = (name, work) => {
      const node = nest("button", words[name], { type: "button", "data-act": name });
      node.addEventListener("click", () => work(node));
      return node;
    };
    const isUpload = race.plan.task === "own";
    return [
      isUpload ? "" : nest("a", words.open, { href: link(race) }),
      isUpload ? "" : button("copy", (node) => copy(node, link(race))),
      race.isReference ? nest("em", words.is_reference) : button("reference", () => setReference(race)),
      button("remove", () => remove([race])),
    ];
  }

  /** @param {StoredRace} race @param {StoredRace} reference */
  function rowOf(race, reference) {
    const box = nest("input", null, { type: "checkbox", "aria-label": fill(words.select, { number: race.number }) });
    box.checked = race.isShown;
    box.addEventListener("change", () => { race.isShown = box.checked; store(); });
    const when = new Date(race.when).toLocaleString(language, { dateStyle: "short", timeStyle: "short" });
    const uncertainty = isClose(race) ? words.close : fill(words.interval, { low: points(race.low), high: points(race.high) });
    const isNumber = { class: "hs-number-cell" };
    const cells = [
      nest("td", [box]),
      nest("th", [nest("b", `${race.number}`), nest("small", when)], { scope: "row" }),
      nest("td", [nest("ul", settings(race, reference).map(chip))]),
      nest("td", percent(race.final.scratch), isNumber),
      nest("td", percent(race.final.pretrained), isNumber),
      nest("td", percent(ranks.best(race)), isNumber),
      nest("td", [nest("b", fill(words.points, { gap: points(race.gap) })), nest("small", uncertainty)], isNumber),
      nest("td", fill(words.seconds, { seconds: race.wall.toFixed(0) }), isNumber),
      nest("td", [nest("div", actions(race), { class: "hs-compare-actions" })]),
    ];
    return nest("tr", cells, race.isReference ? { class: "hs-reference" } : {});
  }

  function draw() {
    const { column, isDown } = order, rank = ranks[column];
    const ranked = [...races].sort((a, b) => (isDown ? -1 : 1) * (rank(a) - rank(b)));
    const reference = races.find((race) => race.isReference) || races[0];
    $(".hs-compare-empty").hidden = races.length > 0;
    $(".hs-compare-scroll").hidden = $(".hs-compare-bar").hidden = !races.length;
    $("tbody").replaceChildren(...ranked.map((race) => rowOf(race, reference)));
    for (const head of $$("th[aria-sort]")) {
      const isOrder = head.firstChild.dataset.sort === column;
      head.setAttribute("aria-sort", !isOrder ? "none" : isDown ? "descending" : "ascending");
    }
  }

  // --- actions -------------------------------------------------------------------------------------------------------

  // Pages served over plain http cannot use the clipboard: there the link is shown in a field
  /** @param {any} button @param {string} text */
  async function copy(button, text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      showLink(button, text);
      return;
    }
    button.textContent = words.copied;
    setTimeout(() => { button.textContent = words.copy; }, COPIED_MS);
  }

  /** @param {any} button @param {string} text */
  function showLink(button, text) {
    const field = nest("input", null, { type: "text", readonly: "" });
    field.value = text;
    button.parentNode.querySelector("label")?.remove();
    button.parentNode.append(nest("label", [words.by_hand, field]));
    field.select();
  }

  function save() {
    const names = Object.keys(config.defaults);
    const head = ["race", "when", ...names, "scratch", "pretrained", "gap", "gap_low", "gap_high", "wall_seconds"];
    const lines = races.map((race) => [race.number, new Date(race.when).toISOString(), ...names.map((name) => race.plan[name]),
      race.final.scratch, race.final.pretrained, race.gap, race.low, race.high, race.wall]);
    const address = URL.createObjectURL(new Blob([toCsv([head, ...lines])], { type: "text/csv" }));
    nest("a", null, { href: address, download: "headstart-races.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), SAVED_MS);
  }

  /** @param {any} button */
  function sort(button) {
    const column = button.dataset.sort;
    order = { column, isDown: order.column === column ? !order.isDown : true };
    draw();
    $(".hs-aloud").textContent = fill(words.sorted, { column: button.textContent });
  }

  on(element, "click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.sort) sort(button);
    else if (button?.dataset.do === "csv") save();
    else if (button?.dataset.do === "clear") remove(races);
  });
  onAnnounced("clear", () => { for (const race of races) race.isShown = false; store(); });
  onChangeElsewhere(STORE, () => { races = storedRaces(); showGhosts(); draw(); });
  if (!races.some((race) => race.isReference) && races.length) races[0].isReference = true;
  showGhosts();
  draw();
}
