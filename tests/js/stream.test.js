// Rows arrive in order and once, by stream or by polling, also after connection failures.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { StreamReader } from "../../demo/components/lib/stream.js";
import { FakeEventSource, installPage } from "./helpers.js";

/** Run the pending promise callbacks. */
const flushPromises = async () => { for (let k = 0; k < 10; k++) await Promise.resolve(); };

/** @type {any} */
let page;
/** @type {any[]} */
let log;
/** @type {number} */
let isDown;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1e9 });
  page = installPage();
  log = [0, 1, 2, 3, 4, 5];
  isDown = 0;
});

/** @param {object} [more] options of the reader */
function started(more = {}) {
  /** @type {{ rows: any[], states: string[], requests: number[] }} */
  const received = { rows: [], states: [], requests: [] };
  const reader = new StreamReader({
    streamUrl: (since) => `/events?since=${since}`,
    request: async (since) => {
      received.requests.push(since);
      if (isDown) throw new TypeError("network");
      return { rows: log.slice(since), next: log.length };
    },
    onReply: ({ rows, next }) => { reader.receive(rows, next); return true; },
    onRows: (rows) => received.rows.push(...rows),
    onEnd: () => received.states.push("end"),
    onOnline: () => received.states.push("online"),
    onOffline: () => received.states.push("offline"),
    ...more,
  });
  reader.connect();
  return { reader, received };
}

test("the stream continues from the last index after a reconnect", () => {
  const { reader, received } = started();
  FakeEventSource.last.open();
  FakeEventSource.last.send([0, 1], 2);
  FakeEventSource.last.send([2], 3);
  assert.deepEqual(received.rows, [0, 1, 2]);
  reader.connect();
  assert.equal(FakeEventSource.last.url, "/events?since=3");
});

test("repeated rows are delivered once", () => {
  const { received } = started();
  FakeEventSource.last.send([0, 1, 2], 3);
  FakeEventSource.last.send([1, 2, 3], 4);
  FakeEventSource.last.send([2, 3], 4);
  assert.deepEqual(received.rows, [0, 1, 2, 3]);
});

test("events of an earlier connection are ignored", () => {
  const { reader, received } = started(), first = FakeEventSource.last;
  reader.connect();
  first.send([0], 1);
  first.fail(true);
  assert.deepEqual([received.rows, received.states], [[], []]);
});

test("a broken stream is reported as offline, and online when it reconnects", () => {
  const { received } = started();
  FakeEventSource.last.fail(false);
  assert.deepEqual(received.states, ["offline"]);
  FakeEventSource.last.open();
  assert.deepEqual(received.states, ["offline", "online"]);
  assert.equal(FakeEventSource.opened.length, 1);
});

test("a stream that does not open within four seconds is replaced by polling", async () => {
  const { received } = started();
  mock.timers.tick(4000);
  await flushPromises();
  assert.equal(FakeEventSource.last.readyState, 2);
  assert.deepEqual([received.requests, received.rows], [[0], [0, 1, 2, 3, 4, 5]]);
  log.push(6);
  mock.timers.tick(1000);
  await flushPromises();
  assert.deepEqual([received.requests, received.rows.at(-1)], [[0, 6], 6]);
});

test("after a refused stream polling starts at once and continues after a network failure", async () => {
  isDown = 1;
  const { received } = started();
  FakeEventSource.last.fail(true);
  await flushPromises();
  isDown = 0;
  mock.timers.tick(1000);
  await flushPromises();
  assert.deepEqual([received.states, received.rows.length], [["offline", "online"], 6]);
});

test("with retryMs, a stream is opened again after polling", async () => {
  started({ retryMs: 2500 });
  FakeEventSource.last.fail(true);
  for (let k = 0; k < 4; k++) { await flushPromises(); mock.timers.tick(1000); }
  await flushPromises();
  assert.equal(FakeEventSource.opened.length, 2);
  assert.equal(FakeEventSource.last.url, "/events?since=6");
});

test("polling ends where onReply returns false", async () => {
  const { received } = started({ onReply: () => false });
  FakeEventSource.last.fail(true);
  await flushPromises();
  mock.timers.tick(60000);
  await flushPromises();
  assert.deepEqual(received.requests, [0]);
});

test("after the end no connection is opened", () => {
  const { reader, received } = started();
  reader.followPage();
  FakeEventSource.last.fire("end");
  page.window.fire("online");
  reader.connect();
  assert.deepEqual([received.states, FakeEventSource.opened.length], [["online", "end"], 1]);
  reader.stop();
});

test("further event types have their own handlers", () => {
  /** @type {string[]} */
  const messages = [];
  started({ events: { you: (/** @type {any} */ event) => messages.push(event.data) } });
  FakeEventSource.last.fire("you", { data: "bet" });
  assert.deepEqual(messages, ["bet"]);
});

test("a page hidden for half a minute closes its stream, and resumes at the same index", () => {
  const { reader } = started();
  reader.followPage();
  FakeEventSource.last.open();
  FakeEventSource.last.send([0, 1], 2);
  page.document.hidden = true;
  page.document.fire("visibilitychange");
  mock.timers.tick(29000);
  assert.equal(reader.isStreaming, true);
  mock.timers.tick(1000);
  assert.equal(reader.isStreaming, false);
  page.document.hidden = false;
  page.document.fire("visibilitychange");
  assert.equal(FakeEventSource.last.url, "/events?since=2");
  reader.stop();
});

test("an owner's stream stays while the page is hidden", () => {
  const { reader } = started({ staysOpen: () => true });
  reader.followPage();
  FakeEventSource.last.open();
  page.document.hidden = true;
  page.document.fire("visibilitychange");
  mock.timers.tick(60000);
  assert.equal(reader.isStreaming, true);
  reader.stop();
});

test("with silentMs, a silent stream is reconnected", () => {
  const { reader } = started({ silentMs: 25000 });
  reader.followPage();
  FakeEventSource.last.open();
  for (let k = 0; k < 25; k++) mock.timers.tick(1000);
  assert.equal(FakeEventSource.opened.length, 1);
  for (let k = 0; k < 2; k++) mock.timers.tick(1000);
  assert.equal(FakeEventSource.opened.length, 2);
  reader.stop();
});

test("a machine that slept reconnects", () => {
  const { reader } = started();
  reader.followPage();
  FakeEventSource.last.open();
  mock.timers.setTime(Date.now() + 60000);
  mock.timers.tick(1000);
  assert.equal(FakeEventSource.opened.length, 2);
  reader.stop();
});

test("after stop, events of the stream and the page are ignored", () => {
  const { reader, received } = started();
  reader.followPage();
  const stream = FakeEventSource.last;
  reader.stop();
  stream.send([0], 1);
  page.window.fire("online");
  page.window.fire("offline");
  mock.timers.tick(60000);
  assert.deepEqual([received.rows, received.states, received.requests, FakeEventSource.opened.length], [[], [], [], 1]);
});
