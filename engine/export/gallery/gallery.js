// Filters the races by words on their cards, in the reader's language.
import { finder, make, on } from "../lib/dom.js";
import { fill, pickLanguage } from "../lib/format.js";

function main() {
  const { $, $$ } = finder(document), { forced, messages } = JSON.parse($("#words").textContent);
  const language = forced || pickLanguage(messages, [...navigator.languages]), searchBox = $("#find"), cards = $$(".races > li");
  document.documentElement.lang = language;
  for (const stamp of $$(".stamp > span")) { // no line break inside a date
    /** @type {string[]} */
    const parts = stamp.textContent.split(" · ");
    stamp.replaceChildren(...parts.flatMap((part, k) => (k ? [" · ", make("span", "", part)] : [make("span", "", part)])));
  }
  searchBox.parentElement.hidden = cards.length < 2; // hidden without a script, and for a single race
  const filter = () => {
    /** @type {string[]} */
    const words = searchBox.value.toLowerCase().split(/\s+/);
    for (const card of cards) card.hidden = !words.every((word) => card.textContent.toLowerCase().includes(word));
    const count = cards.filter((card) => !card.hidden).length;
    $("#count").textContent = fill(messages[language][count ? "count" : "none"], { count, all: cards.length });
  };
  on(searchBox, "input", filter);
  filter();
}

main();
