// Reads an append-only log from an absolute index: as server-sent events, or by polling where event streams are blocked.
// Reconnects after a lost connection, a sleeping phone or a hidden page, without missing or repeating a row.

const HIDDEN_MS = 30000; // a page hidden for so long closes its connection
const OPEN_MS = 4000; // a stream that is not open by then counts as blocked
const POLL_MS = 1000;
const SLEPT_MS = 5000; // a timer that is this late means that the machine slept

/**
 * @typedef {object} Options
 * @property {(index: number) => string | URL} streamUrl address of the stream that starts at this index
 * @property {(index: number) => Promise<any>} request the same rows by one plain request
 * @property {(reply: any, isNew: boolean) => boolean} onReply handles the reply to `request`; `isNew` is false where a stream has
 *   delivered the same rows meanwhile. Returns whether to keep polling
 * @property {(rows: any[], next: number) => void} onRows new rows; `next` is the index that follows them
 * @property {Record<string, (event: any) => void>} [events] handlers of further event types
 * @property {() => void} onEnd the log is complete
 * @property {() => void} onOnline
 * @property {() => void} onOffline
 * @property {() => boolean} [staysOpen] whether the connection stays open while the page is hidden
 * @property {number} [retryMs] after polling for so long, open a stream again; never by default
 * @property {number} [silentMs] reconnect a stream that is silent for so long; never by default
 */

export class StreamReader {
  index = 0;
  isOver = false;
  /** @type {EventSource | null} */
  #source = null;
  /** Number of the current connection; events of earlier ones are ignored. */
  #session = 0;
  /** @type {Set<ReturnType<typeof setTimeout>>} */
  #timers = new Set();
  #page = new AbortController();
  #polledSince = 0;
  #receivedAt = Date.now();

  /** @param {Options} options */
  constructor(options) {
    this.options = { events: {}, staysOpen: () => false, retryMs: Infinity, silentMs: Infinity, ...options };
  }

  get isStreaming() {
    return this.#source !== null;
  }

  /** Open a stream at the current index; an open connection is closed first. */
  connect() {
    if (this.isOver || this.#page.signal.aborted) return;
    this.close();
    this.#receivedAt = Date.now();
    const session = this.#session, stream = new EventSource(this.options.streamUrl(this.index));
    this.#source = stream;
    /** @type {(type: string, handler: (event: any) => void) => void} */
    const listen = (type, handler) => stream.addEventListener(type, (event) => {
      if (session !== this.#session) return;
      this.#online();
      handler(event);
    });
    listen("open", () => {});
    listen("message", (event) => this.receive(JSON.parse(event.data), Number(event.lastEventId)));
    listen("end", () => this.end());
    for (const [type, handler] of Object.entries(this.options.events)) listen(type, handler);
    stream.addEventListener("error", () => {
      if (session !== this.#session) return;
      // After a refusal the browser does not reconnect (a plain request gets the reason); after other errors it does
      if (stream.readyState === 2) this.#poll();
      else this.options.onOffline();
    });
    this.later(() => { if (stream.readyState !== 1) this.#poll(); }, OPEN_MS);
  }

  /**
   * Accept rows that end before the index `next`; rows already received are dropped.
   * @param {any[]} rows
   * @param {number} next
   */
  receive(rows, next) {
    if (next <= this.index) return;
    const fresh = rows.slice(Math.max(0, rows.length - (next - this.index)));
    this.index = next;
    this.options.onRows(fresh, next);
  }

  /** The log is complete: close the connection. */
  end() {
    this.isOver = true;
    this.close();
    this.options.onEnd();
  }

  /** Close the connection; `connect` opens another. */
  close() {
    this.#source?.close();
    this.#source = null;
    this.#session += 1;
    this.#timers.forEach(clearTimeout);
    this.#timers.clear();
  }

  /** Close for good. */
  stop() {
    this.close();
    this.#page.abort();
  }

  /**
   * Call `work` after a delay, unless the connection is closed before.
   * @param {() => void} work
   * @param {number} ms
   */
  later(work, ms) {
    const timer = setTimeout(() => { this.#timers.delete(timer); work(); }, ms);
    this.#timers.add(timer);
  }

  /** Fetch the new rows by one plain request. Returns whether to keep polling. */
  async fetchOnce() {
    const session = this.#session, since = this.index, isStreaming = this.isStreaming;
    const reply = await this.options.request(since);
    if (session !== this.#session) return false;
    this.#online();
    return this.options.onReply(reply, !isStreaming && since === this.index);
  }

  /** React to the page: hidden or visible, asleep, offline, restored from the history. */
  followPage() {
    const signal = this.#page.signal;
    let hiddenAt = 0, tickedAt = Date.now();
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        hiddenAt = Date.now();
        setTimeout(() => {
          const isStill = document.hidden && Date.now() - hiddenAt >= HIDDEN_MS - 100;
          if (isStill && !signal.aborted && !this.options.staysOpen()) this.close();
        }, HIDDEN_MS);
      } else if (!this.isStreaming || Date.now() - hiddenAt > SLEPT_MS) this.connect();
    }, { signal });
    window.addEventListener("pageshow", (event) => { if (event.persisted) this.connect(); }, { signal });
    window.addEventListener("online", () => this.connect(), { signal });
    window.addEventListener("offline", () => this.options.onOffline(), { signal });
    const watch = setInterval(() => {
      const now = Date.now(), hasSlept = now - tickedAt > SLEPT_MS;
      tickedAt = now;
      const isSilent = this.isStreaming && now - this.#receivedAt > this.options.silentMs;
      if (!document.hidden && (hasSlept || isSilent)) this.connect();
    }, 1000);
    signal.addEventListener("abort", () => clearInterval(watch));
  }

  #online() {
    this.#receivedAt = Date.now();
    this.options.onOnline();
  }

  #poll() {
    this.close();
    this.#polledSince = Date.now();
    this.#pollOnce(this.#session);
  }

  /** @param {number} session */
  async #pollOnce(session) {
    let isMore = true;
    try { isMore = await this.fetchOnce(); } catch { this.options.onOffline(); }
    if (session !== this.#session || !isMore) return;
    if (Date.now() - this.#polledSince > this.options.retryMs) this.connect();
    else this.later(() => this.#pollOnce(session), POLL_MS);
  }
}
