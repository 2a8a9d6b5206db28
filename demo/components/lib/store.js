// Values stored in this browser as JSON. Where storage is unavailable (private mode, quota), nothing is stored and nothing fails.

const PREFIX = "headstart.";

/**
 * The stored value; null where there is none or it cannot be parsed. It may come from another version, so callers validate it.
 * @param {string} name
 * @returns {any}
 */
export function read(name) {
  try { return JSON.parse(localStorage.getItem(PREFIX + name) ?? "null"); } catch { return null; }
}

/**
 * The stored list; empty where there is none.
 * @param {string} name
 * @returns {any[]}
 */
export function readList(name) {
  const stored = read(name);
  return Array.isArray(stored) ? stored : [];
}

/**
 * @param {string} name
 * @param {unknown} value
 */
export function write(name, value) {
  try { localStorage.setItem(PREFIX + name, JSON.stringify(value)); } catch { /* storage unavailable */ }
}

/**
 * Store the last `limit` items of a list, and return them.
 * @template T
 * @param {string} name
 * @param {T[]} list
 * @param {number} limit
 */
export function writeList(name, list, limit) {
  const stored = list.slice(-limit);
  write(name, stored);
  return stored;
}

/**
 * Call `onChange` when another tab changes the value of this name.
 * @param {string} name
 * @param {() => void} onChange
 */
export function onChangeElsewhere(name, onChange) {
  window.addEventListener("storage", (event) => { if (event.key === PREFIX + name) onChange(); });
}
