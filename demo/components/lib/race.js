// The race that the page shows. The chart reads its log and publishes the rows; every other component subscribes.
import { apply, emptyRace } from "../../../engine/export/lib/reducer.js";

/** @typedef {import("../../../engine/export/lib/reducer.js").Row} Row */
/** @typedef {import("../../../engine/export/lib/reducer.js").RaceState} RaceState */

/**
 * @typedef {object} ShownRace the race on the page
 * @property {string} id
 * @property {string | null} task null where the pictures are another visitor's upload
 * @property {string[] | null} classes
 * @property {boolean} isOwner this visitor started it
 * @property {boolean} isRecorded
 * @property {Row[]} rows all rows so far
 * @property {RaceState} state the state computed from the rows
 */

/** @typedef {(race: ShownRace, rows: Row[]) => void} OnRows */
/** @typedef {{ race: string, task: string, backbone: string, examples_per_class: number, racers: Record<string, any[]> }} Ghost */

export class RaceChannel {
  /** @type {Map<Element, OnRows>} */
  subscribers = new Map();
  /** @type {ShownRace | null} */
  race = null;
  /** This visitor's token: the server requires it for results of the visitor's uploaded pictures. */
  visitor = "";
  /** @type {Ghost[]} earlier races that are drawn faintly on the chart */
  ghosts = [];

  /**
   * Call `onRows(race, rows)` at once with the current race and all its rows, when another race begins, and for new rows.
   * The subscription ends when the element leaves the page.
   * @param {Element} element
   * @param {OnRows} onRows
   */
  subscribe(element, onRows) {
    this.subscribers.set(element, onRows);
    if (this.race) onRows(this.race, this.race.rows);
  }

  /** @param {Omit<ShownRace, "rows" | "state">} race */
  begin(race) {
    this.race = { ...race, rows: [], state: emptyRace() };
    this.#notify(this.race, []);
  }

  /**
   * Apply new rows to the current race and pass them to the subscribers.
   * @param {Row[]} rows
   */
  publish(rows) {
    if (!this.race) return;
    this.race.rows.push(...rows);
    apply(this.race.state, rows);
    this.#notify(this.race, rows);
  }

  /** @param {Ghost[]} ghosts */
  setGhosts(ghosts) {
    this.ghosts = ghosts;
    announce("ghosts");
  }

  /**
   * @param {ShownRace} race
   * @param {Row[]} rows
   */
  #notify(race, rows) {
    for (const [element, onRows] of this.subscribers) {
      if (element.isConnected) onRows(race, rows);
      else this.subscribers.delete(element);
    }
  }
}

/** The channel shared by all components of this page. */
export const channel = new RaceChannel();

/**
 * Send a message to the other components: `answer` (the server's reply to a start: a race or an alert), `queued` (the place
 * of a race in the queue), `ghosts` (the list has changed), `clear` (remove the ghosts from the chart).
 * @param {string} name
 * @param {unknown} [detail]
 */
export function announce(name, detail) {
  window.dispatchEvent(new CustomEvent(`headstart:${name}`, { detail }));
}

/**
 * @param {string} name
 * @param {(detail: any) => void} handler
 */
export function onAnnounced(name, handler) {
  window.addEventListener(`headstart:${name}`, (event) => handler(/** @type {CustomEvent} */ (event).detail));
}
