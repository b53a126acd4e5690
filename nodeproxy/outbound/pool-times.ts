/** How long the pools of a pod keep what no request needs at the moment. */

/** Then it ends. */
export const IDLE_MS = 60_000;
/** Between two looks for what has idled for so long. */
export const SWEEP_MS = 5_000;
