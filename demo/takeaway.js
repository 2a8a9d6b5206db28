// Asks the server for files made of a race, and says how that goes. Knows nothing of what is in them.
const base = new URL(known.base + "/", document.baseURI);
const TRIES = 5, AGAIN_MS = 500; // the server tidies up for a moment after a race's last row
let story = null, isOver = false, asked = 0;

const status = (text) => { $(".hs-take-status").textContent = text; };
function kept() {
  try {
    const races = JSON.parse(localStorage.getItem("headstart.races"));
    return Array.isArray(races) ? races.filter((race) => typeof race?.id === "string") : [];
  } catch { return []; }
}
const chosen = () => $("select").value;

function address(kind = "") {
  const query = new URLSearchParams({ visitor: window.headstart.visitor, lang: language });
  if (["report", "picture"].includes(kind) && $("textarea").value.trim()) query.set("notes", $("textarea").value);
  return new URL(`races/${chosen()}/take${kind ? `/${kind}` : ""}?${query}`, base);
}

// The race on the chart, then the visitor's earlier ones, newest first
function list() {
  const before = chosen(), select = $("select");
  const options = kept().filter((race) => !story || race.id !== story.race).reverse().map((race) => (
    [race.id, fill(known.words.earlier, { number: race.number, examples: race.examples })]));
  if (story) options.unshift([story.race, story.isRecorded ? known.words.recorded : known.words.current]);
  select.replaceChildren(...options.map(([value, text]) => Object.assign(document.createElement("option"), { value, textContent: text })));
  if (options.some(([value]) => value === before)) select.value = before;
}

async function ask(tries = 1) {
  const turn = ++asked;
  offer([]);
  describe("");
  if (!chosen() || (story && chosen() === story.race && !isOver)) { status(known.words.waiting); return; }
  try {
    const answer = await fetch(address());
    if (turn !== asked) return;
    const body = await answer.json();
    if (turn !== asked) return;
    if (!answer.ok && tries > 1) { setTimeout(() => { if (turn === asked) ask(tries - 1); }, AGAIN_MS); return; }
    if (!answer.ok) { status(body.error); return; }
    offer(body.kinds);
    describe(body.command);
    status("");
  } catch { if (turn === asked) status(known.words.lost); }
}

function offer(kinds) {
  for (const card of $$("[data-kind]")) {
    const kind = card.dataset.kind, isThere = kinds.includes(kind), why = card.querySelector(".hs-take-why");
    card.querySelector("button").disabled = !isThere;
    card.classList.toggle("hs-away", kinds.length > 0 && !isThere);
    const reason = kind === "onnx" && kinds.includes("weights") ? known.words["away.onnx"] : known.words["away.networks"];
    why.textContent = kinds.length && !isThere ? reason : "";
    why.hidden = !why.textContent;
  }
}

function describe(command) {
  $("[data-say=terminal]").textContent = command ? fill(known.terminal, { command }) : "";
  const shown = address("replay"), isOwn = command.includes("PICTURES.zip");
  // Not the visitor's token: who has it can have everything that is hers
  if (isOwn) shown.searchParams.set("visitor", "YOUR_TOKEN"); else shown.searchParams.delete("visitor");
  $("[data-say=api]").textContent = command ? fill(known.api, { address: shown }) : "";
}

const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

async function save(kind, button) {
  const name = known.files[kind];
  button.disabled = true;
  status(fill(known.words.making, { name }));
  try {
    const answer = await fetch(address(kind));
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({ error: answer.statusText }))).error);
    const blob = await answer.blob(), link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    status(fill(known.words.saved, { name, size: size(blob.size) }));
  } catch (error) {
    const reason = error instanceof TypeError ? known.words.lost : error.message;
    status(fill(known.words.failed, { name, reason }));
  }
  button.disabled = false;
  button.focus();
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-kind] button");
  if (button) save(button.closest("[data-kind]").dataset.kind, button);
});
element.addEventListener("change", (event) => { if (event.target.matches("select")) ask(); });
window.headstart.listen(element, (now, rows) => {
  if (now !== story) { story = now; isOver = story.isRecorded; list(); $("select").value = story.race; ask(); }
  if (!isOver && rows.some((row) => row.event === "Ended")) { isOver = true; list(); ask(TRIES); }
});
