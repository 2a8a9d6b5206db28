// Scores of a bet on a race.

/** @typedef {import("../../../engine/export/lib/reducer.js").Row} Row */

/**
 * Score of a bet on the gap: 100 minus 4 per percentage point of error.
 * @param {number} bet
 * @param {number} actual
 */
export const scoreGap = (bet, actual) => Math.max(0, Math.round(100 - 4 * Math.abs(bet - actual)));

/**
 * Score of a bet on the seconds: 100 minus a third per factor of 2 of error; null means never.
 * @param {number | null} bet
 * @param {number | null} actual
 */
export function scoreSeconds(bet, actual) {
  if (bet === null || actual === null) return bet === actual ? 100 : 0;
  const doublings = Math.abs(Math.log2(Math.max(bet, 0.1) / Math.max(actual, 0.1))); // 0.1 is the smallest input
  return Math.max(0, Math.round(100 * (1 - doublings / 3)));
}

/**
 * Seconds at the first evaluation on all held-out pictures that reached the target; null where none did (Curve.time_to).
 * @param {Row[]} evaluations
 * @param {number} target
 */
export const timeToTarget = (evaluations, target) =>
  evaluations.find((point) => point.correct / point.total >= target)?.seconds ?? null;
