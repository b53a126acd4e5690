/** What well-formed requests are refused for, and how they fail under way. Part of the catalogue: `catalogue.ts`. */
import { ACCESS_LOG, type CodeGroup, HEADER, HTTP_REQUESTS } from "./code-group.ts";

export const REQUEST_CODES: CodeGroup = {
  title: "Refused requests",
  place: "answered 400 by the called pod's node, before policy is asked",
  toldIn: [ACCESS_LOG, HTTP_REQUESTS, HEADER],
  codes: {
    path_not_absolute: [
      "the path is neither `/…` nor, with OPTIONS, `*`",
      "A client that sends a whole URL or a relative path as its path.",
      "Correct the client.",
    ],
    path_control: [
      "a control or white space in the path, encoded or not",
      "A scanner, or a client that does not encode what it puts into paths.",
      "Encode spaces as `%20`; controls have no place in a path.",
    ],
    path_not_ascii: [
      "bytes above 0x7f in the path that are not encoded",
      "A client that sends UTF-8 or Latin-1 as it is.",
      "Percent-encode the path.",
    ],
    path_not_utf8: [
      "encoded bytes in the path that are no UTF-8",
      "A path encoded in an old character set, or an attack on what reads it.",
      "Encode the path as UTF-8.",
    ],
    path_fragment: [
      "a `#` in the path",
      "A client that sends the fragment of a URL, which is for browsers alone.",
      "Send what stands before `#`, or encode it as `%23`.",
    ],
    path_malformed_percent: [
      "a `%` in the path without two hex digits",
      "A `%` that was meant as itself.",
      "Encode it as `%25`.",
    ],
    path_double_encoded: [
      "`%25` in the path before two hex digits",
      "A path that was encoded twice, often by a proxy in front, or an attack on prefix rules.",
      "Encode once.",
    ],
    path_encoded_slash: [
      "`%2F` or `%5C` in the path",
      "Identifiers with a slash in them as one segment of a path; servers differ in what they make of it, so policy cannot tell.",
      "Pass such identifiers in the query or a header, or in base64url.",
    ],
    path_parameters: [
      "`;` or `%3B` in the path",
      "`;jsessionid=…` and its like; some servers cut it off, others do not, so policy cannot tell.",
      "Use cookies or the query instead.",
    ],
    method_malformed: [
      "no method of HTTP, or one in lower case",
      "A client that writes `get` for `GET`, or a CONNECT to a pod that is no proxy.",
      "Send methods in upper case.",
    ],
    query_malformed: [
      "a query with `#`, a control, white space or raw bytes above 0x7f",
      "A client that does not encode what it puts into queries.",
      "Percent-encode the query.",
    ],
    scheme_unknown: [
      "a scheme that is neither `http` nor `https`",
      "An HTTP/2 client with a scheme of its own.",
      "Send `http` or `https` as `:scheme`.",
    ],
    host_missing: [
      "no `Host`, which HTTP/1.0 alone may leave out",
      "A hand-written client.",
      "Send `Host`, or `:authority`.",
    ],
    host_malformed: [
      "`Host` is not one host and maybe a port",
      "A URL, a list or user information in it, or a port that is none.",
      "Send `HOST` or `HOST:PORT`.",
    ],
    host_differs: [
      "`Host` says something else than the request's own authority",
      "A proxy in front that changes one of the two and not the other.",
      "Send one of them, or the same in both.",
    ],
    field_name_confusing: [
      "`content_length` and its like, which some servers take for the field that frames the message",
      "A client that writes framing headers with `_` for `-`, or an attempt to smuggle a request past what reads it.",
      "Send the header under its own name, or leave it out.",
    ],
    field_malformed: [
      "a header whose name is none, or whose value has a line's end in it",
      "A client that puts raw text into headers, or an attempt to add headers by a line's end in a value.",
      "Take line ends and controls out of names and values.",
    ],
  },
};

export const EXCHANGE_CODES: CodeGroup = {
  title: "Requests that failed under way",
  place: "at either node",
  toldIn: [ACCESS_LOG, HTTP_REQUESTS, HEADER],
  codes: {
    app_unreachable: [
      "HTTP/2: no connection to the application: answered 503",
      "The container does not listen on this port, or does not speak HTTP/2 there.",
      "Look at the pod's readiness and at the port's `appProtocol`: `http` is HTTP/1.1.",
    ],
    app_connection_lost: [
      "HTTP/2: the application's connection ended before the answer did: 503 if none had begun",
      "The application restarted or crashed.",
      "Look at the pod's restarts and its log; give it a grace period at its end.",
    ],
    app_protocol_error: [
      "HTTP/2: the application answered with what HTTP/2 does not have: 503 if no answer had begun",
      "A bug of the application's HTTP/2 library.",
      "Look at its version.",
    ],
    app_reset: [
      "HTTP/2: the application reset the request",
      "It refused or cancelled it; gRPC servers do so at a deadline.",
      "Look at the application's log.",
    ],
    caller_reset: [
      "HTTP/2: the caller reset the request, or its connection ended",
      "A client's deadline or cancellation.",
      "Nothing, if it is meant; else compare the client's timeout with `durationMs`.",
    ],
    upstream_reset: [
      "the connection ended before the answer did: 503 if none had begun. What may be done twice was tried again before",
      "The application restarted or crashed, or it ended an idle connection just as a request came.",
      "Look at the pod's restarts and its log; let its keep-alive timeout be longer than the callers'.",
    ],
    upstream_response_invalid: [
      "the application's answer is no good HTTP/1.1: 502 if none had begun",
      "Headers or chunks that are none, two lengths, a protocol that was not asked for; or the port is not HTTP/1.1.",
      "Look at the application's answer (`curl -v` within the pod), and at the port's `appProtocol`.",
    ],
    policy_changed: [
      "HTTP/2: policy came to forbid the request while it was under way; the line has the policy's own code",
      "A policy was added or changed.",
      "`weftctl why ID`, with the line's `denial`, tells which.",
    ],
    service_gone: [
      "the Service's address belongs to none any more: answered 503",
      "The Service was deleted, or made anew with another address, while the connection was open.",
      "Let the client look the name up again: end its idle connections sooner.",
    ],
    request_timeout: [
      "the time that a route gives the request was over: 504 if no answer had begun",
      "The application is slow, or `timeouts.request` or `timeouts.backendRequest` of the route is shorter than the work takes.",
      "Compare `durationMs` of requests that succeed with the route's `timeouts`.",
    ],
    cut: [
      "the connection by which the request came was ended by the mesh; that connection's own line says why",
      "An `idleTimeout`, a pod that is gone, a node proxy that ended.",
      "`weftctl explain` the code of the connection's line.",
    ],
  },
};
