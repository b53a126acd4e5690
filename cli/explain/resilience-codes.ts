/** What a TrafficPolicy's `http` keeps requests from, or does to them. Part of the catalogue: `catalogue.ts`. */
import { ACCESS_LOG, type CodeGroup, HEADER, HTTP_REQUESTS } from "./code-group.ts";

export const RESILIENCE_CODES: CodeGroup = {
  title: "Requests that a TrafficPolicy keeps from a Service",
  place: "at the caller's node, answered 503 where nothing else is said",
  toldIn: [ACCESS_LOG, HTTP_REQUESTS, HEADER],
  codes: {
    circuit_open: [
      "the circuit to the Service is open: so many requests in a row have failed that no more are sent for a while",
      "The Service fails, or cannot be reached; the lines before this one say how.",
      "Look at the Service. The circuit closes by itself once requests that may try go well; `circuitBreaker` of its TrafficPolicy says when.",
    ],
    requests_exhausted: [
      "`maxRequests` of the Service's TrafficPolicy are under way, and as many wait as may",
      "More load than the Service answers in time, or a limit that is too low.",
      "Look at how long its answers take; scale it, or raise `maxRequests` or `maxPending`.",
    ],
    requests_pending_timeout: [
      "waited in the queue of `maxRequests` for longer than `pendingTimeout`",
      "The Service is busy, and what is under way takes long to end.",
      "As for `requests_exhausted`.",
    ],
    endpoint_requests_exhausted: [
      "each endpoint that could be chosen has its `maxRequestsPerEndpoint` under way",
      "More load than its endpoints answer in time, or endpoints that hang.",
      "Look at how long their answers take; scale the Service, or raise the limit.",
    ],
    fault_injected: [
      "a fault that the Service's TrafficPolicy asks for, with the status that it names",
      "`fault.abort` of a TrafficPolicy: somebody tests how callers take failures.",
      "Nothing, if it is meant; else remove `fault` from the policy.",
    ],
    request_idle_timeout: [
      "nothing has moved in either direction for the `idleTimeout` of the Service's TrafficPolicy: 504 if no answer had begun",
      "The application hangs, or a stream has nothing to say for long.",
      "Let long streams send something now and then, or raise `idleTimeout`.",
    ],
  },
};
