// Downloads files that the server makes from a race, and shows the status.
import { make, on } from "../../../engine/export/lib/dom.js";
import { fileSize, fill } from "../../../engine/export/lib/format.js";
import { channel } from "../lib/race.js";
import { readList } from "../lib/store.js";

/** @typedef {import("../lib/race.js").ShownRace} ShownRace */

const TRIES = 5, RETRY_MS = 500; // the server needs a moment to finish after a race's last row
const RELEASE_MS = 60000; // a saved file is released after this

/** @param {import("../lib/part.js").Component} component */
export function mount({ element, config, language, $, $$ }) {
  const base = new URL(config.base + "/", document.baseURI), words = config.words;
  /** @type {ShownRace | null} */
  let race = null;
  let isOver = false, requestCount = 0;

  /** @param {string} text */
  const status = (text) => { $(".hs-take-status").textContent = text; };
  /** @returns {string} */
  const chosen = () => $("select").value;

  function address(format = "") {
    const query = new URLSearchParams({ visitor: channel.visitor, lang: language });
    if (["report", "picture"].includes(format) && $("textarea").value.trim()) query.set("notes", $("textarea").value);
    return new URL(`races/${chosen()}/export${format ? `/${format}` : ""}?${query}`, base);
  }

  // The race on the chart, then the visitor's earlier ones, newest first
  function listRaces() {
    const before = chosen(), select = $("select");
    const options = readList("races").filter((entry) => typeof entry?.id === "string" && entry.id !== race?.id).reverse().map((entry) => (
      [entry.id, fill(words.earlier, { number: entry.number, examples_per_class: entry.examples_per_class })]));
    if (race) options.unshift([race.id, race.isRecorded ? words.recorded : words.current]);
    select.replaceChildren(...options.map(([value, text]) => Object.assign(make("option", "", text), { value })));
    if (options.some(([value]) => value === before)) select.value = before;
  }

  async function fetchFormats(tries = 1) {
    const requestId = ++requestCount;
    showFormats([]);
    describe("");
    if (!chosen() || (chosen() === race?.id && !isOver)) { status(words.waiting); return; }
    try {
      const response = await fetch(address());
      if (requestId !== requestCount) return;
      const body = await response.json();
      if (requestId !== requestCount) return;
      if (!response.ok && tries > 1) { setTimeout(() => { if (requestId === requestCount) fetchFormats(tries - 1); }, RETRY_MS); return; }
      if (!response.ok) { status(body.error); return; }
      showFormats(body.kinds);
      describe(body.command);
      status("");
    } catch { if (requestId === requestCount) status(words.lost); }
  }

  /** @param {string[]} formats the formats available for this race */
  function showFormats(formats) {
    for (const card of $$("[data-format]")) {
      const format = card.dataset.format, isUnavailable = formats.length > 0 && !formats.includes(format), reasonNode = card.querySelector(".hs-take-why");
      card.querySelector("button").disabled = !formats.includes(format);
      card.classList.toggle("hs-away", isUnavailable);
      const reason = format === "onnx" && formats.includes("weights") ? words["away.onnx"] : words["away.networks"];
      reasonNode.textContent = isUnavailable ? reason : "";
      reasonNode.hidden = !reasonNode.textContent;
    }
  }

  /** @param {string} command */
  function describe(command) {
    $("[data-say=terminal]").textContent = command ? fill(config.terminal, { command }) : "";
    const shown = address("replay"), isUpload = command.includes("PICTURES.zip");
    // Do not show the visitor's token: it gives access to all of the visitor's results
    if (isUpload) shown.searchParams.set("visitor", "YOUR_TOKEN"); else shown.searchParams.delete("visitor");
    $("[data-say=api]").textContent = command ? fill(config.api, { address: shown }) : "";
  }

  /** @param {string} format @param {any} button */
  async function save(format, button) {
    const name = config.files[format];
    button.disabled = true;
    status(fill(words.making, { name }));
    try {
      const response = await fetch(address(format));
      if (!response.ok) throw new Error((await response.json().catch(() => ({ error: response.statusText }))).error);
      const blob = await response.blob(), link = make("a");
      link.href = URL.createObjectURL(blob);
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), RELEASE_MS);
      status(fill(words.saved, { name, size: fileSize(blob.size) }));
    } catch (error) {
      const reason = error instanceof TypeError ? words.lost : /** @type {Error} */ (error).message;
      status(fill(words.failed, { name, reason }));
    }
    button.disabled = false;
    button.focus();
  }

  on(element, "click", (event) => {
    const button = event.target.closest("[data-format] button");
    if (button) save(button.closest("[data-format]").dataset.format, button);
  });
  on(element, "change", (event) => { if (event.target.matches("select")) fetchFormats(); });
  channel.subscribe(element, (shown, rows) => {
    if (shown !== race) { race = shown; isOver = shown.isRecorded; listRaces(); $("select").value = shown.id; fetchFormats(); }
    if (!isOver && rows.some((row) => row.event === "Ended")) { isOver = true; listRaces(); fetchFormats(TRIES); }
  });
}
