/** Words of other fields and metrics: what authorizers answer, how threads end. Part of the catalogue: `catalogue.ts`. */
import { ASKED, type CodeGroup, WORKER_DEATHS } from "./code-group.ts";

export const AUTHORIZER_ANSWERS: CodeGroup = {
  title: "Answers of external authorizers",
  place: "at the called pod's node",
  toldIn: [ASKED],
  codes: {
    permitted: ["it said yes", "The call fits the authorizer's rules.", "Nothing."],
    denied: [
      "it said no",
      "The call does not fit the authorizer's rules.",
      "Look at the authorizer's own log.",
    ],
    unknown: [
      "MeshConfig names no such provider",
      "A CUSTOM policy names a provider that is not in `extensionProviders`, or not any more.",
      "Add it to MeshConfig, or correct `provider.name` of the policy.",
    ],
    http_only: [
      "it is asked over HTTP, and the connection is none",
      "An `envoyExtAuthzHttp` provider for a port that is opaque.",
      "Declare the port as HTTP (`appProtocol: http`), or use an `envoyExtAuthzGrpc` provider.",
    ],
    timeout: [
      "no answer within the provider's `timeout`, connecting included",
      "The authorizer is slow or overloaded, or its policies do not let the pod call it.",
      "Look at the authorizer; raise its `timeout`.",
    ],
    unreachable: [
      "no endpoint took the connection, or it was lost or broke HTTP/2",
      "The authorizer is not up, or the port in MeshConfig is not its gRPC port.",
      "Look at the authorizer's endpoints, and compare `service` and `port` in MeshConfig.",
    ],
    failed: [
      "it answered with an error, or with what is no answer",
      "The authorizer does not serve `envoy.service.auth.v3.Authorization`, or fails itself.",
      "Look at the authorizer's own log.",
    ],
  },
};

/** Those that no authorizer gives. */
export const RATE_SERVICE_ANSWERS: CodeGroup = {
  title: "Answers of the rate limit service",
  place: "at the called pod's node",
  toldIn: [ASKED],
  codes: {
    busy: [
      "so many questions to the rate limit service were under way that it was not asked",
      "The service answers more slowly than requests come: 1,000 of one pod waited for it.",
      "Look at the service and its Redis, run more of it, or lower its `timeout`.",
    ],
  },
};

export const THREAD_DEATHS: CodeGroup = {
  title: "Ends of threads",
  place: "with `--workers`",
  toldIn: [WORKER_DEATHS],
  codes: {
    uncaught_error: [
      "an error that nobody caught",
      "A bug of the node proxy.",
      "The node proxy's log has the error; report it.",
    ],
    out_of_memory: [
      "its heap was full",
      "More connections or configuration than the thread has memory for.",
      "Raise the memory limit of the node proxy's container, or use more `--workers`.",
    ],
    hang: [
      "it did not turn its event loop for 10 s, and was ended",
      "A bug of the node proxy, or a node without CPU.",
      "Look at the CPU of the node; if it has some, report it with the log.",
    ],
    exit: [
      "it ended without an error",
      "A bug of the node proxy.",
      "Report it with the node proxy's log.",
    ],
  },
};
