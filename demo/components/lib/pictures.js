// Addresses of a race's pictures: several pictures side by side in one file.

/**
 * The query parameters that select pictures of a race by row.
 * @param {Record<string, any>} plan
 * @param {number[]} rows
 */
export function picturesQuery(plan, rows) {
  const query = new URLSearchParams({ rows: rows.join(",") });
  for (const name of ["examples_per_class", "seed", "shuffle_grid", "invert_colors"]) query.set(name, plan[name]);
  return query;
}

/**
 * The address of pictures of a race side by side, square cells; rows as numbered in this split.
 * @param {string} task
 * @param {Record<string, any>} plan
 * @param {"heldout" | "training"} split
 * @param {number[]} rows
 */
export function picturesUrl(task, plan, split, rows) {
  const path = `gradio_api/headstart/cells/${encodeURIComponent(task)}/${split}?${picturesQuery(plan, rows)}`;
  return new URL(path, document.baseURI).href;
}
