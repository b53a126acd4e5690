/** How much a program logs: what its flag may say. Apart from the logging itself, which takes its time to load. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
