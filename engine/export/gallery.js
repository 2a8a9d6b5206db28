// Finds races by the words on their cards, in the reader's language. Knows no race.
(() => {
  const { forced, said } = JSON.parse(document.getElementById("words").textContent);
  const language = forced || navigator.languages.map((tag) => tag.split("-")[0]).find((tag) => said[tag]) || "en";
  const box = document.getElementById("find"), cards = [...document.querySelectorAll(".races > li")];
  document.documentElement.lang = language;
  for (const stamp of document.querySelectorAll(".stamp > span")) { // a date is not broken in two
    const parts = stamp.textContent.split(" · ").map((part) => Object.assign(document.createElement("span"), { textContent: part }));
    stamp.replaceChildren(...parts.flatMap((part, k) => (k ? [" · ", part] : [part])));
  }
  box.parentElement.hidden = cards.length < 2; // without a script, or with one race, there is nothing to find
  const find = () => {
    const words = box.value.toLowerCase().split(/\s+/);
    for (const card of cards) card.hidden = !words.every((word) => card.textContent.toLowerCase().includes(word));
    const count = cards.filter((card) => !card.hidden).length;
    document.getElementById("count").textContent = said[language][count ? "count" : "none"]
      .replace("{count}", count).replace("{all}", cards.length);
  };
  box.addEventListener("input", find);
  find();
})();
