// Keeps a bet, scores it when its race has ended, and remembers the best ones in this browser. Reads rows, trains nothing.
// Runs after score.js and part.js, which gives `known`, `language`, `$`, `fill` and `window.headstart`.
const KEPT = 5; // best bets
const words = known.words;

// What is kept in this browser; a browser that keeps nothing (private, or full) plays without memory
const store = {
  read(name, otherwise) {
    try { return JSON.parse(localStorage.getItem(`headstart.${name}`)) ?? otherwise; } catch { return otherwise; }
  },
  write(name, value) {
    try { localStorage.setItem(`headstart.${name}`, JSON.stringify(value)); } catch { /* no memory */ }
  },
};

// `after`: the race that was shown when the bet was placed; `race`: the race that runs on it, null before it begins
let bet = store.read("bet", null);
let best = store.read("bets", []);
// What is kept may be of another version, or not ours at all: only what can be shown is taken
if (!Number.isFinite(bet?.gap) || !(bet.seconds === null || Number.isFinite(bet.seconds))) bet = null;
best = (Array.isArray(best) ? best : []).filter((one) => [one?.total, one?.gap, one?.examples].every(Number.isFinite));
let race = null; // what is shown: { id, isMine, hasBegun, isOver, plan, points, ends }

// --- what is said --------------------------------------------------------------------------------------------------

const number = (value, digits = 0) =>
  value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");
const ofGap = (points, digits = 0) => fill(words.points, { points: number(points, digits) });
const ofCrossing = (seconds) => (seconds === null ? words.no_crossing : fill(words.after, { seconds: number(seconds, 1) }));
const ofBet = () => fill(words.said, { gap: ofGap(bet.gap), crossing: ofCrossing(bet.seconds) });

function paint(note = "") {
  const isOn = Boolean(race && race.isMine && race.hasBegun && !race.isOver);
  const isRiding = isOn && bet && bet.race === race.id;
  $("fieldset").disabled = isOn;
  $(".hs-bet-status").textContent = note
    || (isRiding ? fill(words.riding, { bet: ofBet() }) : isOn ? words.closed : bet ? fill(words.placed, { bet: ofBet() }) : "");
  $(".hs-bet-best ol").replaceChildren(...best.map((one) => {
    const item = document.createElement("li");
    item.textContent = fill(words.best_item, { ...one, gap: ofGap(one.gap, 1) });
    return item;
  }));
  $(".hs-bet-none").hidden = best.length > 0;
  $(".hs-bet-forget").hidden = best.length === 0;
}

const show = () => { $("output").textContent = ofGap(Number($("#hs-bet-gap").value)); };

function tellScore(gap, seconds) {
  const worths = [worthOfGap(bet.gap, gap), worthOfCrossing(bet.seconds, seconds)];
  const total = worths[0] + worths[1];
  const heading = document.createElement("h3");
  heading.textContent = fill(words.score, { total });
  const list = document.createElement("ul");
  const lines = [
    fill(words.score_gap, { said: ofGap(bet.gap), true: ofGap(gap, 1) }),
    fill(words.score_crossing, { said: ofCrossing(bet.seconds), true: ofCrossing(seconds) }),
  ];
  lines.forEach((line, k) => {
    const item = document.createElement("li"), worth = document.createElement("b");
    worth.textContent = fill(words.worth, { points: worths[k] });
    item.append(`${line} `, worth);
    list.append(item);
  });
  $(".hs-bet-score").replaceChildren(heading, list);
  best = [...best, { total, gap, examples: race.plan.examples }].sort((a, b) => b.total - a.total).slice(0, KEPT);
  store.write("bets", best);
}

// --- the race ------------------------------------------------------------------------------------------------------

// The first row of RaceStarted ends all betting; a bet rides on the visitor's own race, and never on one it was placed after
function began(row) {
  race.hasBegun = true;
  race.plan = JSON.parse(row.plan);
  if (bet && bet.race === null && race.isMine && bet.after !== race.id) keep({ ...bet, race: race.id });
}

function over(end) {
  race.isOver = true;
  if (!bet || bet.race !== race.id) return paint();
  const isWhole = end && ["scratch", "transfer"].every((lane) => race.ends[lane] === "done");
  if (!isWhole) {
    keep({ ...bet, race: null, after: race.id });
    return paint(words.returned);
  }
  tellScore(100 * end.gap, crossing(race.points, known.target));
  keep(null);
  return paint();
}

function keep(value) {
  bet = value;
  store.write("bet", bet);
}

function hear(story, rows) {
  if (!race || race.story !== story) {
    const { race: id, isOwner, isRecorded } = story;
    race = { story, id, isRecorded, isMine: isOwner && !isRecorded, hasBegun: false, isOver: false, points: [], ends: {} };
    if (race.isMine && rows.length === 0) $(".hs-bet-score").replaceChildren();
    paint();
  }
  for (const row of rows) {
    if (row.event === "RaceStarted") { began(row); paint(); }
    if (row.event === "Evaluated" && row.lane === "transfer" && row.is_exact) race.points.push(row);
    if (row.event === "Finished") race.ends[row.lane] = row.reason;
    if (row.event === "RaceFinished") over(row);
    if (row.event === "Ended" && !race.isOver) over(null);
  }
}

// --- start ---------------------------------------------------------------------------------------------------------

$(".hs-bet-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("fieldset").disabled) return;
  const isNever = $("#hs-bet-never").checked, seconds = Number($("#hs-bet-seconds").value);
  if (!isNever && !(seconds > 0)) {
    paint(words.seconds_needed);
    $("#hs-bet-seconds").focus();
    return;
  }
  const isWaiting = race && race.isMine && !race.hasBegun; // in the queue: that race is the next
  const after = race && !isWaiting ? race.id : null;
  keep({ gap: Number($("#hs-bet-gap").value), seconds: isNever ? null : seconds, after, race: null });
  paint();
});
$("#hs-bet-gap").addEventListener("input", show);
$("#hs-bet-never").addEventListener("change", (event) => { $("#hs-bet-seconds").disabled = event.target.checked; });
$(".hs-bet-forget").addEventListener("click", () => { best = []; store.write("bets", best); paint(); });
if (bet) {
  $("#hs-bet-gap").value = bet.gap;
  $("#hs-bet-never").checked = $("#hs-bet-seconds").disabled = bet.seconds === null;
  if (bet.seconds !== null) $("#hs-bet-seconds").value = bet.seconds;
}
show();
paint();
window.headstart.listen(element, hear);
