// What every part of the page drawn by a script begins with: the visitor's language, its words, and the race's rows.
// Runs inside gr.HTML, which gives `element`, `props` and `watch`; the part's own script follows in the same function.
const told = __TOLD__;
const language = [new URLSearchParams(location.search).get("lang"), ...navigator.languages]
  .map((tag) => (tag || "").toLowerCase().split("-")[0]).find((tag) => tag in told) || "en";
const known = told[language];
if (language !== "en") element.innerHTML = known.markup;
const $ = (selector) => element.querySelector(selector);
const $$ = (selector) => [...element.querySelectorAll(selector)];
const isDark = () => document.body.classList.contains("dark");
const shade = () => (isDark() ? "dark" : "light");
// The share of the pictures below which another draw of training pictures could turn a race's order, as in Scoreboard.verdict
const threshold = (examples) => 0.07 * Math.sqrt(5 / examples);
const fill = (text, values = {}) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);

// One reader of the log (live.js) tells everybody. A story is one race as it is being shown:
// { race, task, classes, isOwner, isRecorded, rows }; rows are all so far. `task` and `classes` are null where the pictures
// are another visitor's own. An ear is called as ear(story, rows): with a story it has not seen yet when another race
// begins (rows are then those so far), and with the new rows from then on.
window.headstart ??= {
  ears: new Map(),
  story: null,
  visitor: "",  // this visitor's token: with it the server gives what was made of her own pictures
  ghosts: [],  // earlier races to be drawn faintly on the chart: { race, task, backbone, examples, lanes: { scratch: [point, …] } }
  listen(node, ear) {
    this.ears.set(node, ear);
    if (this.story) ear(this.story, this.story.rows);
  },
  begin(story) {
    this.story = { ...story, rows: [] };
    this.each([]);
  },
  tell(rows) {
    this.story.rows.push(...rows);
    this.each(rows);
  },
  each(rows) {
    for (const [node, ear] of this.ears) {
      if (node.isConnected) ear(this.story, rows);
      else this.ears.delete(node);
    }
  },
  haunt(ghosts) {
    this.ghosts = ghosts;
    window.dispatchEvent(new Event("headstart:ghosts"));
  },
  // The address of pictures of a race side by side, square cells: split "heldout" or "training", rows as numbered there
  cells(task, plan, split, rows) {
    const query = new URLSearchParams({ rows: rows.join(",") });
    for (const name of ["examples", "seed", "patches", "inverted"]) query.set(name, plan[name]);
    return new URL(`gradio_api/headstart/cells/${encodeURIComponent(task)}/${split}?${query}`, document.baseURI).href;
  },
};
