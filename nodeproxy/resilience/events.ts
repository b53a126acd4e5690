/** What becomes of requests that no status tells: values of the label `event` of `weft_http_resilience_events_total`. */
export const EVENT = {
  /** Sent again. */
  retry: "retry",
  /** Not sent again, though its rule asks for it. */
  budgetExhausted: "retry_budget_exhausted",
  /** Sent to a second endpoint, before the first had answered. */
  hedge: "hedge",
  circuitOpened: "circuit_opened",
  faultDelayed: "fault_delayed",
  faultAborted: "fault_aborted",
} as const;

export type ResilienceEvent = (typeof EVENT)[keyof typeof EVENT];
