// What a bet on a race is worth, for every page that scores one. Reads rows, draws nothing.

// 100 less 4 for every point that the gap is off
const worthOfGap = (said, came) => Math.max(0, Math.round(100 - 4 * Math.abs(said - came)));

// 100 less a third for every doubling that the seconds are off; null is never
function worthOfCrossing(said, came) {
  if (said === null || came === null) return said === came ? 100 : 0;
  const doublings = Math.abs(Math.log2(Math.max(said, 0.1) / Math.max(came, 0.1))); // a tenth is what can be entered
  return Math.max(0, Math.round(100 * (1 - doublings / 3)));
}

// Seconds until the exact points reached the target, straight between them; null where they did not (Curve.time_to)
function crossing(points, target) {
  let before = null;
  for (const point of points) {
    const share = point.correct / point.total;
    if (share >= target) {
      if (!before) return point.seconds;
      const low = before.correct / before.total;
      return before.seconds + ((point.seconds - before.seconds) * (target - low)) / (share - low);
    }
    before = point;
  }
  return null;
}
