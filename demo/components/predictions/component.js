// The bet form: stores a bet, scores it when its race ends, and stores the best scores in this browser.
import { make } from "../../../engine/export/lib/dom.js";
import { fill, formatNumber } from "../../../engine/export/lib/format.js";
import { isDone, racerOf } from "../../../engine/export/lib/reducer.js";
import { channel } from "../lib/race.js";
import { scoreGap, scoreSeconds, timeToTarget } from "../lib/score.js";
import { read, readList, write } from "../lib/store.js";

/** @typedef {import("../lib/race.js").ShownRace} ShownRace */
/** @typedef {import("../lib/race.js").Row} Row */

/**
 * @typedef {object} Bet
 * @property {number} gap points
 * @property {number | null} seconds until the target is crossed; null is never
 * @property {string | null} after id of the race on the page when the bet was placed
 * @property {string | null} race id of the race that the bet is on, null before it begins
 */

const MAX_BEST = 5; // stored best bets

/** @returns {Bet | null} the stored bet, where it is valid */
function storedBet() {
  const bet = read("bet");
  const isBet = Number.isFinite(bet?.gap) && (bet.seconds === null || Number.isFinite(bet.seconds));
  return isBet ? bet : null;
}

const storedBest = () => readList("bets").filter((entry) => [entry?.total, entry?.gap, entry?.examples_per_class].every(Number.isFinite));

/** @param {import("../lib/part.js").Component} component */
export function mount({ element, config, language, $ }) {
  const words = config.words;
  let bet = storedBet(), best = storedBest();
  /** @type {ShownRace | null} */
  let race = null;

  const isVisitorsRace = () => Boolean(race && race.isOwner && !race.isRecorded);
  const hasBegun = () => Boolean(race?.state.started);
  const isOver = () => Boolean(race && (race.state.finished || race.state.ended));

  // --- sentences ----------------------------------------------------------------------------------------------------

  /** @param {number} points @param {number} [digits] */
  const formatGap = (points, digits = 0) => fill(words.points, { points: formatNumber(points, language, digits) });
  /** @param {number | null} seconds */
  const formatSeconds = (seconds) =>
    (seconds === null ? words.no_crossing : fill(words.after, { seconds: formatNumber(seconds, language, 1) }));
  /** @param {Bet} value */
  const formatBet = (value) => fill(words.said, { gap: formatGap(value.gap), crossing: formatSeconds(value.seconds) });

  function status() {
    const isRunning = isVisitorsRace() && hasBegun() && !isOver();
    if (isRunning && bet && bet.race === race?.id) return fill(words.riding, { bet: formatBet(bet) });
    if (isRunning) return words.closed;
    return bet ? fill(words.placed, { bet: formatBet(bet) }) : "";
  }

  function paint(note = "") {
    $("fieldset").disabled = isVisitorsRace() && hasBegun() && !isOver();
    $(".hs-bet-status").textContent = note || status();
    $(".hs-bet-best ol").replaceChildren(...best.map((entry) =>
      make("li", "", fill(words.best_item, { ...entry, gap: formatGap(entry.gap, 1) }))));
    $(".hs-bet-none").hidden = best.length > 0;
    $(".hs-bet-forget").hidden = best.length === 0;
  }

  const showGap = () => { $("output").textContent = formatGap(Number($("#hs-bet-gap").value)); };

  /** @param {Bet} placed @param {number} gap @param {number | null} seconds @param {number} examples_per_class */
  function showScore(placed, gap, seconds, examples_per_class) {
    const scores = [scoreGap(placed.gap, gap), scoreSeconds(placed.seconds, seconds)];
    const total = scores[0] + scores[1];
    const lines = [
      fill(words.score_gap, { said: formatGap(placed.gap), true: formatGap(gap, 1) }),
      fill(words.score_crossing, { said: formatSeconds(placed.seconds), true: formatSeconds(seconds) }),
    ];
    const list = make("ul");
    list.append(...lines.map((line, k) => {
      const item = make("li");
      item.append(`${line} `, make("b", "", fill(words.worth, { points: scores[k] })));
      return item;
    }));
    $(".hs-bet-score").replaceChildren(make("h3", "", fill(words.score, { total })), list);
    best = [...best, { total, gap, examples_per_class }].sort((a, b) => b.total - a.total).slice(0, MAX_BEST);
    write("bets", best);
  }

  // --- the race ------------------------------------------------------------------------------------------------------

  /** @param {Bet | null} value */
  function store(value) {
    bet = value;
    write("bet", bet);
  }

  // RaceStarted closes the betting. A bet counts for the visitor's own race, and never for the race it was placed after
  /** @param {ShownRace} shown */
  function begin(shown) {
    if (bet && bet.race === null && isVisitorsRace() && bet.after !== shown.id) store({ ...bet, race: shown.id });
    paint();
  }

  /** @param {ShownRace} shown @param {Row | null} end */
  function finish(shown, end) {
    if (!bet || bet.race !== shown.id) { paint(); return; }
    if (!end || !isDone(shown.state, "scratch", "pretrained")) {
      store({ ...bet, race: null, after: shown.id });
      paint(words.returned);
      return;
    }
    const seconds = timeToTarget(racerOf(shown.state, "pretrained").exact, config.target);
    showScore(bet, 100 * end.gap, seconds, shown.state.plan?.examples_per_class);
    store(null);
    paint();
  }

  let hasEnded = false;

  channel.subscribe(element, (shown, rows) => {
    if (race !== shown) {
      race = shown;
      hasEnded = false;
      if (isVisitorsRace() && rows.length === 0) $(".hs-bet-score").replaceChildren();
      paint();
    }
    for (const row of rows) {
      if (row.event === "RaceStarted") begin(shown);
      if (!hasEnded && (row.event === "RaceFinished" || row.event === "Ended")) {
        hasEnded = true;
        finish(shown, shown.state.finished);
      }
    }
  });

  // --- start ---------------------------------------------------------------------------------------------------------

  $(".hs-bet-form").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    if ($("fieldset").disabled) return;
    const isNever = $("#hs-bet-never").checked, seconds = Number($("#hs-bet-seconds").value);
    if (!isNever && !(seconds > 0)) {
      paint(words.seconds_needed);
      $("#hs-bet-seconds").focus();
      return;
    }
    const isWaiting = isVisitorsRace() && !hasBegun(); // in the queue: the bet is for that race
    const after = race && !isWaiting ? race.id : null;
    store({ gap: Number($("#hs-bet-gap").value), seconds: isNever ? null : seconds, after, race: null });
    paint();
  });
  $("#hs-bet-gap").addEventListener("input", showGap);
  $("#hs-bet-never").addEventListener("change", () => { $("#hs-bet-seconds").disabled = $("#hs-bet-never").checked; });
  $(".hs-bet-forget").addEventListener("click", () => { best = []; write("bets", best); paint(); });
  if (bet) {
    $("#hs-bet-gap").value = bet.gap;
    $("#hs-bet-never").checked = $("#hs-bet-seconds").disabled = bet.seconds === null;
    if (bet.seconds !== null) $("#hs-bet-seconds").value = bet.seconds;
  }
  showGap();
  paint();
}
