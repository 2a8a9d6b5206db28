// Number formats, languages, browser storage, scores of bets, and the race channel.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { toCsv } from "../../demo/components/comparison/csv.js";
import { picturesUrl } from "../../demo/components/lib/pictures.js";
import { RaceChannel } from "../../demo/components/lib/race.js";
import { scoreGap, scoreSeconds, timeToTarget } from "../../demo/components/lib/score.js";
import { onChangeElsewhere, read, readList, write, writeList } from "../../demo/components/lib/store.js";
import { clock, fileSize, fill, formatNumber, percent, pickLanguage } from "../../engine/export/lib/format.js";
import { FakeStorage, installPage } from "./helpers.js";

/** @type {FakeStorage} */
let storage;
/** @type {any} */
let page;

beforeEach(() => {
  page = installPage();
  storage = new FakeStorage();
  Object.assign(globalThis, { localStorage: storage });
});

test("the first available language is selected, English otherwise", () => {
  const available = { en: 1, ja: 1 };
  assert.equal(pickLanguage(available, [null, "fr-FR", "ja-JP", "en"]), "ja");
  assert.equal(pickLanguage(available, ["EN-gb", "ja"]), "en");
  assert.equal(pickLanguage(available, [null, "fr"]), "en");
});

test("numbers are formatted for the reader", () => {
  assert.equal(formatNumber(-1234.56, "en", 1), "−1,234.6");
  assert.deepEqual([percent(0.555), percent(null)], ["56 %", "–"]);
  assert.deepEqual([clock(5), clock(65.9)], ["0:05", "1:05"]);
  assert.deepEqual([fileSize(1), fileSize(999_001), fileSize(2_340_000)], ["1 kB", "1000 kB", "2.3 MB"]);
  assert.equal(fill("{name} by {gap}", { name: "$1", gap: 3 }), "$1 by 3");
});

test("stored values are read back, also as a list of limited length", () => {
  write("bet", { gap: 3 });
  assert.deepEqual(read("bet"), { gap: 3 });
  assert.equal(storage.values.get("headstart.bet"), '{"gap":3}');
  assert.deepEqual(writeList("races", [1, 2, 3, 4], 3), [2, 3, 4]);
  assert.deepEqual(readList("races"), [2, 3, 4]);
});

test("unavailable storage and invalid values cause no errors", () => {
  storage.values.set("headstart.races", "{not json");
  assert.deepEqual([read("races"), readList("races"), read("none")], [null, [], null]);
  write("races", { length: 3 });
  assert.deepEqual(readList("races"), []);
  storage.isFull = true;
  assert.deepEqual(writeList("races", [1], 3), [1]);
  storage.isClosed = true;
  write("bet", 1);
  assert.equal(read("bet"), null);
});

test("changes in another tab call the callback of their name only", () => {
  let count = 0;
  onChangeElsewhere("races", () => { count += 1; });
  page.window.fire("storage", { key: "headstart.races" });
  page.window.fire("storage", { key: "headstart.bet" });
  assert.equal(count, 1);
});

test("a bet loses four points per percentage point of the gap, and a third per factor of 2 of the time", () => {
  assert.deepEqual([scoreGap(46, 46), scoreGap(40, 46), scoreGap(0, 46)], [100, 76, 0]);
  assert.deepEqual([scoreSeconds(4, 4), scoreSeconds(8, 4), scoreSeconds(2, 4), scoreSeconds(32, 4)], [100, 67, 67, 0]);
  assert.deepEqual([scoreSeconds(null, null), scoreSeconds(null, 4), scoreSeconds(4, null)], [100, 0, 0]);
});

test("the time to the target is that of the first evaluation that reached it", () => {
  const points = [[0, 10], [2, 60], [6, 100]].map(([seconds, correct]) => ({ seconds, correct, total: 100 }));
  assert.equal(timeToTarget(points, 0.8), 6);
  assert.equal(timeToTarget(points.slice(0, 2), 0.8), null);
  assert.equal(timeToTarget(points.slice(2), 0.8), 6);
});

test("cells of a table cannot run as formulas", () => {
  assert.equal(toCsv([["a", '=1+1'], [-2.5, '"']]), `"a","'=1+1"\r\n"-2.5",""""`);
});

test("the address of pictures holds the race's settings and their rows", () => {
  const address = picturesUrl("a b", { examples_per_class: 5, seed: 0, shuffle_grid: 1, invert_colors: false, epochs: 9 }, "heldout", [3, 4]);
  assert.equal(address, "http://here/gradio_api/headstart/cells/a%20b/heldout?rows=3%2C4&examples_per_class=5&seed=0&shuffle_grid=1&invert_colors=false");
});

test("subscribers get all rows of a race, also late ones, while their element is on the page", () => {
  const channel = new RaceChannel(), race = { id: "r", task: null, classes: null, isOwner: true, isRecorded: false };
  /** @type {any[]} */
  const early = [], late = [], element = /** @type {any} */ ({ isConnected: true });
  channel.subscribe(element, (shown, rows) => early.push([shown.id, rows.length, Boolean(shown.state.ended)]));
  channel.begin(race);
  channel.publish([{ event: "Stepped", racer: "scratch" }, { event: "Ended" }]);
  channel.subscribe(/** @type {any} */ ({ isConnected: true }), (shown, rows) => late.push([shown.id, rows.length]));
  assert.deepEqual([early, late], [[["r", 0, false], ["r", 2, true]], [["r", 2]]]);
  element.isConnected = false;
  channel.begin({ ...race, id: "s" });
  assert.deepEqual([early.length, late.at(-1)], [2, ["s", 0]]);
  assert.equal(channel.subscribers.size, 1);
});
