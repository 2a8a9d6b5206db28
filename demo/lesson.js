// Leads through the steps, asks the page for a step's race, and says from its rows what came out. Trains nothing.
// Runs after part.js, which gives `known`, `element`, `$`, `$$`, `fill` and `window.headstart`; `props` and `trigger` are Gradio's.
const words = known.words, steps = Object.keys(known.steps);
const KEY = "headstart.lesson";

// { step, results: race -> { shares: lane -> percent, gap }, answers: question -> option }, kept in this browser. A lane that
// diverged has no share
const fresh = () => ({ step: steps[0], results: {}, answers: {} });
let progress = remembered();

// What is kept may be of another version, or not ours at all: only what can be shown is taken
function remembered() {
  let kept = null;
  try { kept = JSON.parse(localStorage.getItem(KEY)); } catch { /* nothing kept, or nothing that can be read */ }
  const isResult = ([name, one]) => name in known.races && Number.isFinite(one?.shares?.scratch)
    && Object.values(one.shares).every(Number.isFinite);
  return {
    step: steps.includes(kept?.step) ? kept.step : steps[0],
    results: Object.fromEntries(Object.entries(kept?.results ?? {}).filter(isResult)),
    answers: { ...kept?.answers },
  };
}

function keep() {
  try { localStorage.setItem(KEY, JSON.stringify(progress)); } catch { /* a browser without memory */ }
}

const notes = {}; // race of the lesson -> { text, isOnChart }: what is said beside or instead of its result
let asked = null; // { name, race }: whose start was asked for, until it begins; `race` is its id, once the page has taken it
const note = (name, text, isOnChart = false) => { notes[name] = { text, isOnChart }; };

// --- steps ---------------------------------------------------------------------------------------------------------

function show(step, { isMoving = false } = {}) {
  progress.step = step;
  keep();
  for (const page of $$("article")) page.hidden = page.dataset.step !== step;
  for (const button of $$("nav button")) {
    if (button.dataset.step === step) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  }
  const place = steps.indexOf(step);
  for (const button of $$("[data-turn]")) button.disabled = !steps[place + Number(button.dataset.turn)];
  if (isMoving) $(`#hs-lesson-${step}`).focus();
}

function ask(name, isStart) {
  props.value = { plan: known.races[name].query, start: isStart, turn: Date.now() };
  trigger("submit");
  if (asked) delete notes[asked.name];
  asked = isStart ? { name, race: null } : null;
  note(name, isStart ? words.asked : words.was_set, true);
  paint();
}

// What the page answered to a start: a race, or in a sentence why there is none. Reset answers with a race that is nobody's
function answered({ race, owner, alert }) {
  if (!asked || (asked.race && alert)) return; // its race is taken already: this alert is about something else
  if (owner) asked.race = race;
  else {
    delete notes[asked.name];
    if (alert) note(asked.name, alert);
    asked = null;
  }
  paint();
}

function queued(row) {
  if (!asked) return;
  note(asked.name, fill(words.queued, row), true);
  paint();
}

// --- results -------------------------------------------------------------------------------------------------------

const points = (value) => Math.abs(value).toFixed(0);
const percent = (value) => value.toFixed(1);

// Which races of the lesson have these settings, whatever the seed
function matching(plan) {
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  return Object.keys(known.races).filter((name) =>
    Object.entries(known.races[name].plan).every(([key, value]) => key === "seed" || same(plan[key], value)));
}

function reading(name) {
  const race = known.races[name], mine = progress.results[name];
  if (mine.shares.transfer === undefined) return words[`race.${name}.diverged`];
  const other = progress.results[race.against];
  const isLane = race.against in mine.shares;
  if (!isLane && !other) return fill(words.first, { name: words[`race.${race.against}.name`] });
  const value = (result) => (race.measure === "gap" ? result.gap : result.shares.transfer);
  const difference = isLane ? mine.shares.transfer - mine.shares[race.against] : value(mine) - value(other);
  const rise = race.is_fall ? -difference : difference;
  const compared = isLane ? [race] : [race, known.races[race.against]]; // the one with fewer pictures decides
  const least = 100 * threshold(Math.min(...compared.map(({ plan }) => plan.examples)));
  const outcome = Math.abs(rise) < least ? "close" : rise > 0 ? "ahead" : "behind";
  return fill(words[`race.${name}.${outcome}`] || words[outcome], { gap: points(difference) });
}

function line(tag, text, kind = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  if (kind) node.className = kind;
  return node;
}

function paint() {
  for (const box of $$(".hs-lesson-race")) {
    const name = box.dataset.race, result = progress.results[name], at = box.querySelector(".hs-lesson-result");
    const { text, isOnChart } = notes[name] || {};
    const said = [];
    if (result) {
      const list = document.createElement("ul");
      for (const [lane, share] of Object.entries(result.shares)) {
        const item = line("li", fill(words.share, { name: known.names[lane], share: percent(share) }), `hs-lesson-${lane}`);
        list.append(item);
      }
      said.push(line("h5", words.result), list, line("p", reading(name)));
    }
    if (text || !result) said.push(line("p", text || words.waiting, "hs-lesson-note"));
    if (isOnChart) {
      const link = line("a", words.chart);
      link.href = "#hs-live";
      said.at(-1).append(" ", link);
    }
    if (at.textContent !== said.map((node) => node.textContent).join("")) at.replaceChildren(...said);
  }
  for (const button of $$("nav button")) {
    button.querySelector("small").hidden = !known.steps[button.dataset.step].every((name) => progress.results[name]);
  }
}

// --- the race ------------------------------------------------------------------------------------------------------

let story = null, races = [], ends = {}, isOver = false;

function hear(told, rows) {
  if (story !== told) {
    for (const name of races) if (!isOver) delete notes[name];
    [story, races, ends, isOver] = [told, [], {}, false];
  }
  for (const row of rows) {
    if (row.event === "RaceStarted" && story.isOwner && !story.isRecorded) began(JSON.parse(row.plan));
    if (row.event === "Finished") ends[row.lane] = row;
    if (row.event === "RaceFinished" || row.event === "Ended") over();
  }
  if (rows.some((row) => ["RaceStarted", "RaceFinished", "Ended"].includes(row.event)) || !rows.length) paint();
}

function began(plan) {
  races = matching(plan);
  for (const name of races) note(name, words.running, true);
  if (asked?.race !== story.race) return;
  if (!races.includes(asked.name)) note(asked.name, words.other); // a locked control was not set
  asked = null;
}

function over() {
  if (isOver) return;
  isOver = true;
  if (asked?.race === story.race) { // stopped before it began
    note(asked.name, words.stopped);
    asked = null;
  }
  const isDone = (lane) => ends[lane]?.reason === "done";
  const isWhole = isDone("transfer") && Object.keys(ends).every(isDone);
  const hasBurnt = isDone("scratch") && ends.transfer?.reason === "diverged";
  for (const name of races) {
    delete notes[name];
    if (!isWhole && !(hasBurnt && words[`race.${name}.diverged`])) {
      note(name, words.stopped);
      continue;
    }
    const order = ["transfer", "scratch", "random"].filter(isDone);
    const shares = Object.fromEntries(order.map((lane) => [lane, (100 * ends[lane].correct) / ends[lane].total]));
    progress.results[name] = { shares, gap: shares.transfer - shares.scratch };
  }
  keep();
}

// --- questions and glossary ----------------------------------------------------------------------------------------

function judge(form) {
  const question = form.dataset.question, chosen = form.querySelector("input:checked");
  const answer = form.querySelector(".hs-quiz-answer");
  if (!chosen) { answer.replaceChildren(line("span", words.choose)); return; }
  const isRight = chosen.value === known.answers[question];
  progress.answers[question] = chosen.value;
  keep();
  const mark = line("b", isRight ? `✓ ${words.right}` : `✗ ${words.wrong}`, isRight ? "hs-quiz-right" : "hs-quiz-wrong");
  answer.replaceChildren(mark, line("span", ` ${known.why[question]}`));
}

function find(wanted) {
  let count = 0;
  for (const row of $$(".hs-glossary dl > div")) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted.trim().toLowerCase());
    count += row.hidden ? 0 : 1;
  }
  const note = $(".hs-glossary [data-none]");
  note.textContent = count ? "" : note.dataset.none;
}

function forget() {
  progress = fresh();
  asked = null;
  for (const name of Object.keys(notes)) delete notes[name];
  for (const form of $$("form")) { form.reset(); form.querySelector(".hs-quiz-answer").replaceChildren(); }
  show(progress.step, { isMoving: true });
  paint();
}

// --- start ---------------------------------------------------------------------------------------------------------

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.closest("nav")) show(button.dataset.step, { isMoving: true });
  if (button.dataset.turn) show(steps[steps.indexOf(progress.step) + Number(button.dataset.turn)], { isMoving: true });
  if (button.dataset.start) ask(button.closest("[data-race]").dataset.race, button.dataset.start === "true");
  if (button.classList.contains("hs-lesson-forget")) forget();
});
element.addEventListener("submit", (event) => { event.preventDefault(); judge(event.target); });
element.addEventListener("input", (event) => { if (event.target.type === "search") find(event.target.value); });
for (const form of $$("form")) {
  const given = [...form.querySelectorAll("input")].find((one) => one.value === progress.answers[form.dataset.question]);
  if (given) { given.checked = true; judge(form); }
}
window.addEventListener("headstart:answer", (event) => answered(event.detail));
window.addEventListener("headstart:queued", (event) => queued(event.detail));
show(progress.step);
paint();
window.headstart.listen(element, hear);
