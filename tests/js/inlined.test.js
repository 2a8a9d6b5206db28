// Pages with an inlined script: the bundler's output parses and runs.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import vm from "node:vm";

const ENTRIES = ["demo/classroom/phone.js", "engine/export/replay/player.js", "engine/export/gallery/gallery.js"];
const CODE = "import sys, pathlib, engine; print(engine.inline_modules(pathlib.Path(sys.argv[1])))";

/** @param {string} entry */
const inlined = (entry) => execFileSync(process.env.PYTHON ?? "python", ["-c", CODE, entry], { encoding: "utf-8" });

for (const entry of ENTRIES) {
  test(`${entry} becomes one script`, () => {
    const script = inlined(entry);
    new vm.Script(script); // it parses
    // It runs through all modules up to the first use of the page
    assert.throws(() => vm.runInNewContext(script), /document is not defined/);
  });
}
