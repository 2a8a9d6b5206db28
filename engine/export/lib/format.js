// Language selection, message templates, and number formats.

/**
 * The first requested language that is available; English where none is.
 * @param {Record<string, unknown>} available one entry for each language
 * @param {(string | null)[]} requested language tags, most preferred first
 */
export function pickLanguage(available, requested) {
  return requested.map((tag) => (tag || "").toLowerCase().split("-")[0]).find((tag) => tag in available) || "en";
}

/** The languages of this browser's reader: the one in the address, then those of the browser. */
export const readersLanguages = () => [new URLSearchParams(location.search).get("lang"), ...navigator.languages];

/**
 * Fill the `{placeholders}` of a message.
 * @param {string} text
 * @param {Record<string, any>} [values]
 */
export function fill(text, values = {}) {
  return text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

/**
 * A fraction as a whole percentage; a dash for null (a network that diverged).
 * @param {number | null} fraction
 */
export function percent(fraction) {
  return fraction === null ? "–" : `${Math.round(100 * fraction)} %`;
}

/**
 * A number with a fixed count of digits after the point, as this language writes it.
 * @param {number} value
 * @param {string} language
 * @param {number} [digits]
 */
export function formatNumber(value, language, digits = 0) {
  return value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");
}

/**
 * Seconds as minutes and seconds, 1:05.
 * @param {number} seconds
 */
export function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

/**
 * Bytes as kB or MB, kB rounded up.
 * @param {number} bytes
 */
export function fileSize(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
