// Fakes of the browser APIs that the modules use.

/** An event target; `fire` dispatches an event. */
class Target extends EventTarget {
  /** @param {string} type @param {object} [more] */
  fire(type, more = {}) {
    this.dispatchEvent(Object.assign(new Event(type), more));
  }
}

export class FakeEventSource extends Target {
  /** @type {FakeEventSource[]} all opened instances, newest last */
  static opened = [];
  readyState = 0;

  /** @param {string | URL} url */
  constructor(url) {
    super();
    this.url = String(url);
    FakeEventSource.opened.push(this);
  }

  static get last() {
    return FakeEventSource.opened[FakeEventSource.opened.length - 1];
  }

  open() {
    this.readyState = 1;
    this.fire("open");
  }

  /** @param {unknown[]} rows @param {number} next */
  send(rows, next) {
    this.fire("message", { data: JSON.stringify(rows), lastEventId: String(next) });
  }

  /** @param {boolean} isRefused a refusal, after which the browser does not reconnect */
  fail(isRefused) {
    this.readyState = isRefused ? 2 : 0;
    this.fire("error");
  }

  close() {
    this.readyState = 2;
  }
}

/** Install a page's globals. Returns its window and document. */
export function installPage() {
  const page = { window: new Target(), document: Object.assign(new Target(), { hidden: false, baseURI: "http://here/" }) };
  FakeEventSource.opened = [];
  Object.assign(globalThis, page, { EventSource: FakeEventSource });
  return page;
}

/** In-memory storage; `isFull` makes writes fail, `isClosed` makes everything fail. */
export class FakeStorage {
  /** @type {Map<string, string>} */
  values = new Map();
  isFull = false;
  isClosed = false;

  /** @param {string} name */
  getItem(name) {
    if (this.isClosed) throw new Error("SecurityError");
    return this.values.get(name) ?? null;
  }

  /** @param {string} name @param {string} text */
  setItem(name, text) {
    if (this.isClosed || this.isFull) throw new Error("QuotaExceededError");
    this.values.set(name, text);
  }
}
