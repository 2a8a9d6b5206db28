// The state of a race depends only on its rows, not on how they are grouped.
import assert from "node:assert/strict";
import { test } from "node:test";
import { apply, emptyRace, isDone, racerOf } from "../../engine/export/lib/reducer.js";

const ROWS = [
  { event: "Preparing", progress: 0.5 },
  { event: "RaceStarted", plan: '{"task":"tabletop","extra_racers":["frozen"]}', classes: ["cup"], labels: [0], shown: [0] },
  { event: "PhaseStarted", racer: "scratch", phase: "training" },
  { event: "Evaluated", racer: "scratch", is_exact: true, correct: 1, total: 10, epoch: 0 },
  { event: "Evaluated", racer: "scratch", is_exact: false, correct: 2, total: 10, epoch: 1 },
  { event: "Stepped", racer: "scratch", loss: 2.3, epoch: 1 },
  { event: "PreviewPredicted", racer: "scratch", predicted: [0], confidence: [0.5] },
  { event: "WeightsProbed", racer: "scratch", count: 4, filters: "AAAA" },
  { event: "WeightsProbed", racer: "scratch", count: 4, filters: "" },
  { event: "Standing", headline: {} },
  { event: "Predicted", racer: "scratch", predicted: [0] },
  { event: "Finished", racer: "scratch", reason: "done" },
  { event: "Finished", racer: "pretrained", reason: "diverged" },
  { event: "RaceFinished", gap: 0.4 },
  { event: "Ended", reason: "done" },
];

test("every event updates its part of the state", () => {
  const state = apply(emptyRace(), ROWS), scratch = state.racers.scratch;
  assert.deepEqual(state.plan, { task: "tabletop", extra_racers: ["frozen"] });
  assert.deepEqual([state.preparing, state.started, state.standing, state.finished, state.ended], [0, 1, 9, 13, 14].map((k) => ROWS[k]));
  assert.deepEqual([scratch.exact, scratch.subset, scratch.steps, scratch.phases], [[ROWS[3]], [ROWS[4]], [ROWS[5]], [ROWS[2]]]);
  assert.equal(scratch.latest, ROWS[4]);
  assert.equal(scratch.preview, ROWS[6]);
  assert.equal(scratch.probe, ROWS[8]);
  assert.equal(scratch.filters, ROWS[7], "a probe without filters keeps the earlier filters");
  assert.equal(scratch.predictions, ROWS[10]);
});

test("rows give the same state one by one as all at once", () => {
  const state = emptyRace();
  for (const row of ROWS) apply(state, [row]);
  assert.deepEqual(state, apply(emptyRace(), ROWS));
});

test("a racer is done only when it trained to its end", () => {
  const state = apply(emptyRace(), ROWS);
  assert.equal(isDone(state, "scratch"), true);
  assert.equal(isDone(state, "scratch", "pretrained"), false);
  assert.equal(isDone(state, "random"), false);
});

test("a probe with a count of 0 is stored as filters", () => {
  const none = { event: "WeightsProbed", racer: "scratch", count: 0, filters: "" };
  assert.equal(racerOf(apply(emptyRace(), [none]), "scratch").filters, none);
});

test("unknown rows are ignored, and racers without rows are empty", () => {
  const state = apply(emptyRace(), [{ event: "Queued", place: 1 }, { event: "toString" }]);
  assert.deepEqual(state, emptyRace());
  assert.deepEqual(racerOf(state, "scratch").exact, []);
});
