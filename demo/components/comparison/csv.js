// A table as CSV (RFC 4180).

// A spreadsheet would run a cell that begins with one of these as a formula
const FORMULA = /^(?=[=+@\t\r]|-\D)/;

/** @param {unknown} value */
const cell = (value) => `"${String(value).replace(FORMULA, "'").replaceAll('"', '""')}"`;

/** @param {unknown[][]} rows */
export const toCsv = (rows) => rows.map((row) => row.map(cell).join(",")).join("\r\n");
