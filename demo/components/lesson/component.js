// The lesson: its steps, the requests for their races, and the results from the rows of these races.
import { make, on } from "../../../engine/export/lib/dom.js";
import { fill } from "../../../engine/export/lib/format.js";
import { isDone } from "../../../engine/export/lib/reducer.js";
import { channel, onAnnounced } from "../lib/race.js";
import { read, write } from "../lib/store.js";

/** @typedef {import("../lib/race.js").ShownRace} ShownRace */
/**
 * @typedef {object} Result
 * @property {Record<string, number>} shares accuracies in percent; a racer that diverged has none
 * @property {number} gap in percentage points
 * @property {number} total held-out pictures
 */
/** @typedef {{ step: string, results: Record<string, Result>, answers: Record<string, string> }} Progress results by race, answers by question */

const KEY = "lesson";
const ENDS = ["RaceFinished", "Ended"];

/**
 * Half of the 95 % interval of a sum or difference of independent accuracies, in percentage points (normal approximation).
 * @param {Result[]} results
 * @param {(result: Result) => number[]} shares the accuracies that count, in percent
 */
const uncertainty = (results, shares) => 196 * Math.sqrt(results.flatMap((result) => (
  shares(result).map((share) => (share / 100) * (1 - share / 100) / result.total))).reduce((sum, variance) => sum + variance, 0));
/** @param {number} value */
const points = (value) => Math.abs(value).toFixed(0);
/** @param {number} value */
const percent = (value) => value.toFixed(1);
/** @param {string} tag @param {string} text @param {string} [className] */
const line = (tag, text, className = "") => make(tag, className, text);

/** @param {import("../lib/part.js").Component} component */
export function mount({ element, props, submit, config, $, $$ }) {
  const words = config.words, steps = Object.keys(config.steps);
  let progress = storedProgress();
  /** @type {Record<string, { text: string, isOnChart: boolean }>} note beside or instead of a race's result */
  const notes = {};
  /** @type {{ name: string, race: string | null } | null} the requested start, until it begins; `race` is its id */
  let requested = null;
  /** @type {ShownRace | null} */
  let shown = null;
  /** @type {string[]} races of the lesson with the settings of the current race */
  let races = [];
  let isOver = false;

  /** @returns {Progress} the progress stored in this browser, without invalid entries */
  function storedProgress() {
    const stored = read(KEY);
    /** @type {(entry: [string, any]) => boolean} */
    const isResult = ([name, result]) => name in config.races && Number.isFinite(result?.shares?.scratch) && result.total > 0
      && Object.values(result.shares).every(Number.isFinite);
    return {
      step: steps.includes(stored?.step) ? stored.step : steps[0],
      results: Object.fromEntries(Object.entries(stored?.results ?? {}).filter(isResult)),
      answers: { ...stored?.answers },
    };
  }

  const store = () => write(KEY, progress);

  /** @param {string} name @param {string} text */
  function note(name, text, isOnChart = false) {
    notes[name] = { text, isOnChart };
  }

  // --- steps ---------------------------------------------------------------------------------------------------------

  /** @param {string} step */
  function show(step, { isMoving = false } = {}) {
    progress.step = step;
    store();
    for (const page of $$("article")) page.hidden = page.dataset.step !== step;
    for (const button of $$("nav button")) {
      if (button.dataset.step === step) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    }
    const place = steps.indexOf(step);
    for (const button of $$("[data-turn]")) button.disabled = !steps[place + Number(button.dataset.turn)];
    if (isMoving) $(`#hs-lesson-${step}`).focus();
  }

  /** @param {string} name @param {boolean} isStart */
  function request(name, isStart) {
    props.value = { plan: config.races[name].query, start: isStart, turn: Date.now() };
    submit();
    if (requested) delete notes[requested.name];
    requested = isStart ? { name, race: null } : null;
    note(name, isStart ? words.asked : words.was_set, true);
    paint();
  }

  // The page's reply to a start: a race, or a message that says why there is none. Reset replies with a race without owner
  onAnnounced("answer", ({ race, owner, alert }) => {
    if (!requested || (requested.race && alert)) return; // the race has an id already, so the alert is not about it
    if (owner) requested.race = race;
    else {
      delete notes[requested.name];
      if (alert) note(requested.name, alert);
      requested = null;
    }
    paint();
  });

  onAnnounced("queued", (row) => {
    if (!requested) return;
    note(requested.name, fill(words.queued, row), true);
    paint();
  });

  // --- results -------------------------------------------------------------------------------------------------------

  // The races of the lesson with these settings; the seed is ignored
  /** @param {Record<string, any>} plan */
  function matching(plan) {
    /** @param {unknown} a @param {unknown} b */
    const isSame = (a, b) => JSON.stringify(a) === JSON.stringify(b);
    return Object.keys(config.races).filter((name) =>
      Object.entries(config.races[name].plan).every(([key, value]) => key === "seed" || isSame(plan[key], value)));
  }

  /** @param {string} name */
  function interpretation(name) {
    const race = config.races[name], result = progress.results[name];
    if (result.shares.pretrained === undefined) return words[`race.${name}.diverged`];
    const other = progress.results[race.against], isRacer = race.against in result.shares;
    if (!isRacer && !other) return fill(words.first, { name: words[`race.${race.against}.name`] });
    /** @param {Result} outcome */
    const value = (outcome) => (race.measure === "gap" ? outcome.gap : outcome.shares.pretrained);
    const difference = isRacer ? result.shares.pretrained - result.shares[race.against] : value(result) - value(other);
    const rise = race.is_fall ? -difference : difference;
    const least = isRacer ? uncertainty([result], ({ shares }) => [shares.pretrained, shares[race.against]])
      : uncertainty([result, other], ({ shares }) => (race.measure === "gap" ? [shares.pretrained, shares.scratch] : [shares.pretrained]));
    const outcome = Math.abs(rise) < least ? "close" : rise > 0 ? "ahead" : "behind";
    return fill(words[`race.${name}.${outcome}`] || words[outcome], { gap: points(difference) });
  }

  /** @param {string} name */
  function resultNodes(name) {
    const result = progress.results[name], { text, isOnChart } = notes[name] || {}, nodes = [];
    if (result) {
      const list = make("ul");
      list.append(...Object.entries(result.shares).map(([racer, share]) =>
        line("li", fill(words.share, { name: config.names[racer], share: percent(share) }), `hs-lesson-${racer}`)));
      nodes.push(line("h5", words.result), list, line("p", interpretation(name)));
    }
    if (text || !result) nodes.push(line("p", text || words.waiting, "hs-lesson-note"));
    if (isOnChart) {
      const link = line("a", words.chart);
      link.href = "#hs-live";
      nodes.at(-1).append(" ", link);
    }
    return nodes;
  }

  function paint() {
    for (const box of $$(".hs-lesson-race")) {
      const place = box.querySelector(".hs-lesson-result"), nodes = resultNodes(box.dataset.race);
      if (place.textContent !== nodes.map((node) => node.textContent).join("")) place.replaceChildren(...nodes);
    }
    for (const button of $$("nav button")) {
      const isComplete = config.steps[button.dataset.step].every((/** @type {string} */ name) => progress.results[name]);
      button.querySelector("small").hidden = !isComplete;
    }
  }

  // --- the race ------------------------------------------------------------------------------------------------------

  channel.subscribe(element, (race, rows) => {
    if (shown !== race) {
      for (const name of races) if (!isOver) delete notes[name];
      [shown, races, isOver] = [race, [], false];
    }
    for (const row of rows) {
      if (row.event === "RaceStarted" && race.isOwner && !race.isRecorded) begin(race, JSON.parse(row.plan));
      if (ENDS.includes(row.event)) finish(race);
    }
    if (!rows.length || rows.some((row) => row.event === "RaceStarted" || ENDS.includes(row.event))) paint();
  });

  /** @param {ShownRace} race @param {Record<string, any>} plan */
  function begin(race, plan) {
    races = matching(plan);
    for (const name of races) note(name, words.running, true);
    if (requested?.race !== race.id) return;
    if (!races.includes(requested.name)) note(requested.name, words.other); // a locked control kept its value
    requested = null;
  }

  /** @param {ShownRace} race */
  function finish(race) {
    if (isOver) return;
    isOver = true;
    if (requested?.race === race.id) { // stopped before it began
      note(requested.name, words.stopped);
      requested = null;
    }
    const ends = Object.entries(race.state.racers).filter(([, racer]) => racer.end).map(([name]) => name);
    const isComplete = isDone(race.state, "pretrained", ...ends);
    const hasDiverged = isDone(race.state, "scratch") && race.state.racers.pretrained?.end?.reason === "diverged";
    for (const name of races) {
      delete notes[name];
      if (!isComplete && !(hasDiverged && words[`race.${name}.diverged`])) note(name, words.stopped);
      else progress.results[name] = resultOf(race);
    }
    store();
  }

  /** @param {ShownRace} race @returns {Result} */
  function resultOf({ state }) {
    const done = ["pretrained", "scratch", "random"].filter((name) => isDone(state, name));
    const shares = Object.fromEntries(done.map((name) => {
      const end = state.racers[name].end;
      return [name, (100 * end?.correct) / end?.total];
    }));
    return { shares, gap: shares.pretrained - shares.scratch, total: state.racers.scratch.end?.total };
  }

  // --- questions and glossary ----------------------------------------------------------------------------------------

  /** @param {any} form */
  function check(form) {
    const question = form.dataset.question, chosen = form.querySelector("input:checked");
    const answer = form.querySelector(".hs-quiz-answer");
    if (!chosen) { answer.replaceChildren(line("span", words.choose)); return; }
    const isCorrect = chosen.value === config.answers[question];
    progress.answers[question] = chosen.value;
    store();
    const mark = line("b", isCorrect ? `✓ ${words.right}` : `✗ ${words.wrong}`, isCorrect ? "hs-quiz-right" : "hs-quiz-wrong");
    answer.replaceChildren(mark, line("span", ` ${config.why[question]}`));
  }

  /** @param {string} query */
  function search(query) {
    let count = 0;
    for (const row of $$(".hs-glossary dl > div")) {
      row.hidden = !row.textContent.toLowerCase().includes(query.trim().toLowerCase());
      count += row.hidden ? 0 : 1;
    }
    const none = $(".hs-glossary [data-none]");
    none.textContent = count ? "" : none.dataset.none;
  }

  function reset() {
    progress = { step: steps[0], results: {}, answers: {} };
    requested = null;
    for (const name of Object.keys(notes)) delete notes[name];
    for (const form of $$("form")) { form.reset(); form.querySelector(".hs-quiz-answer").replaceChildren(); }
    show(progress.step, { isMoving: true });
    paint();
  }

  // --- start ---------------------------------------------------------------------------------------------------------

  on(element, "click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.closest("nav")) show(button.dataset.step, { isMoving: true });
    if (button.dataset.turn) show(steps[steps.indexOf(progress.step) + Number(button.dataset.turn)], { isMoving: true });
    if (button.dataset.start) request(button.closest("[data-race]").dataset.race, button.dataset.start === "true");
    if (button.classList.contains("hs-lesson-forget")) reset();
  });
  on(element, "submit", (event) => { event.preventDefault(); check(event.target); });
  on(element, "input", (event) => { if (event.target.type === "search") search(event.target.value); });
  for (const form of $$("form")) {
    const chosen = [...form.querySelectorAll("input")].find((input) => input.value === progress.answers[form.dataset.question]);
    if (chosen) { chosen.checked = true; check(form); }
  }
  show(progress.step);
  paint();
}
