// The state of a race, computed from the rows of its log (engine/events.py). Every page that shows a race uses this reducer.

/** @typedef {Record<string, any>} Row one event of a race as JSON; `row.event` is its type */

/**
 * @typedef {object} Racer the state of one racer
 * @property {Row[]} exact evaluations on all held-out pictures
 * @property {Row[]} subset evaluations of a fixed subset of them
 * @property {Row | null} latest the last evaluation of either type
 * @property {Row[]} steps training losses
 * @property {Row[]} phases started phases
 * @property {Row | null} preview the last predictions for the preview pictures
 * @property {Row | null} probe the last weight probe
 * @property {Row | null} filters the last weight probe with filters, or with a count of 0
 * @property {Row | null} predictions the final predictions for all held-out pictures
 * @property {Row | null} end the Finished row
 */

/**
 * @typedef {object} RaceState
 * @property {Row | null} started
 * @property {Record<string, any> | null} plan the settings of the race
 * @property {Record<string, Racer>} racers racers with at least one row, by name
 * @property {Row | null} preparing
 * @property {Row | null} standing
 * @property {Row | null} finished RaceFinished: every racer has ended
 * @property {Row | null} ended the log is complete
 */

/** The racers of every race, in the order of their curves; the others are extra. */
export const MAIN_RACERS = ["scratch", "pretrained"];

/** @returns {RaceState} */
export const emptyRace = () => ({
  started: null, plan: null, racers: {}, preparing: null, standing: null, finished: null, ended: null,
});

/** @returns {Racer} */
const emptyRacer = () => ({
  exact: [], subset: [], latest: null, steps: [], phases: [], preview: null, probe: null, filters: null, predictions: null, end: null,
});

/** @type {Record<string, (state: RaceState, row: Row) => void>} */
const RACE_HANDLERS = {
  RaceStarted: (state, row) => Object.assign(state, { started: row, plan: JSON.parse(row.plan) }),
  Preparing: (state, row) => { state.preparing = row; },
  Standing: (state, row) => { state.standing = row; },
  RaceFinished: (state, row) => { state.finished = row; },
  Ended: (state, row) => { state.ended = row; },
};

/** @type {Record<string, (racer: Racer, row: Row) => void>} */
const RACER_HANDLERS = {
  Evaluated: (racer, row) => {
    (row.is_exact ? racer.exact : racer.subset).push(row);
    racer.latest = row;
  },
  Stepped: (racer, row) => { racer.steps.push(row); },
  PhaseStarted: (racer, row) => { racer.phases.push(row); },
  PreviewPredicted: (racer, row) => { racer.preview = row; },
  WeightsProbed: (racer, row) => {
    racer.probe = row;
    if (row.filters || !row.count) racer.filters = row;
  },
  Predicted: (racer, row) => { racer.predictions = row; },
  Finished: (racer, row) => { racer.end = row; },
};

/**
 * Apply rows in order to the state of their race. Rows of an unknown type are ignored. Returns the state.
 * @param {RaceState} state
 * @param {Row[]} rows
 */
export function apply(state, rows) {
  for (const row of rows) {
    if (Object.hasOwn(RACE_HANDLERS, row.event)) RACE_HANDLERS[row.event](state, row);
    if (Object.hasOwn(RACER_HANDLERS, row.event)) RACER_HANDLERS[row.event](state.racers[row.racer] ??= emptyRacer(), row);
  }
  return state;
}

/**
 * The state of a racer; an empty one before its first row.
 * @param {RaceState} state
 * @param {string} name
 */
export function racerOf(state, name) {
  return state.racers[name] ?? emptyRacer();
}

/**
 * Whether all these racers trained to their end.
 * @param {RaceState} state
 * @param {string[]} names
 */
export function isDone(state, ...names) {
  return names.every((name) => state.racers[name]?.end?.reason === "done");
}
