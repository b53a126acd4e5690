/** What is refused as no good HTTP. Part of the catalogue: `catalogue.ts`. */
import { ACCESS_LOG, type CodeGroup, HEADER, HTTP_REQUESTS } from "./code-group.ts";

export const HTTP_CODES: CodeGroup = {
  title: "Requests that are no good HTTP",
  place: "answered 400 where nothing else is said; the connection ends",
  toldIn: [ACCESS_LOG, HTTP_REQUESTS, HEADER],
  codes: {
    line_end_invalid: [
      "a line of the head ends otherwise than by CR LF",
      "A hand-written client, or an attempt to smuggle a request.",
      "Correct the client.",
    ],
    field_folded: [
      "a header that goes on in a second line, or white space where HTTP/1.1 has none",
      "An old client; RFC 9112 5.2 has taken folding away.",
      "Send each header in one line.",
    ],
    field_invalid: [
      "a header line that is none",
      "A client that puts raw text into headers, or what comes is no HTTP at all.",
      "Correct the client, or the port's `appProtocol` if it is not HTTP.",
    ],
    content_length_invalid: [
      "a `Content-Length` that is no number",
      "A hand-written client, or an attempt to smuggle a request.",
      "Correct the client.",
    ],
    content_length_duplicate: [
      "more than one `Content-Length`",
      "A proxy in front that adds its own, or an attempt to smuggle a request.",
      "Send one.",
    ],
    content_length_with_transfer_encoding: [
      "`Content-Length` and `Transfer-Encoding` in one request",
      "The two say where the body ends in two ways: an attempt to smuggle a request, or a proxy in front that adds one.",
      "Send one of them.",
    ],
    transfer_encoding_invalid: [
      "a `Transfer-Encoding` that is not just `chunked`, or one in HTTP/1.0",
      "A hand-written client, or an attempt to smuggle a request.",
      "Send `chunked`, once.",
    ],
    transfer_encoding_unknown: [
      "a `Transfer-Encoding` that nobody here knows: answered 501",
      "A client that compresses by transfer encoding.",
      "Use `Content-Encoding`.",
    ],
    target_invalid: [
      "what stands for the path is none of the forms that HTTP/1.1 has",
      "A client that takes the pod for a forward proxy, or `*` without OPTIONS.",
      "Send a path, or `http://HOST/PATH`.",
    ],
    target_fragment: [
      "a `#` in what was asked for",
      "A client that sends the fragment of a URL.",
      "Send what stands before it, or encode it as `%23`.",
    ],
    target_not_ascii: [
      "bytes in what was asked for that are not to be there unencoded",
      "A client that does not encode paths or queries.",
      "Percent-encode them.",
    ],
    version_unsupported: [
      "neither HTTP/1.0 nor HTTP/1.1: answered 505",
      "A client of another version or of another protocol.",
      "Correct the client, or the port's `appProtocol`.",
    ],
    method_unknown: [
      "a method that the parser does not know: answered 501",
      "A method outside IANA's registry.",
      "Use a registered one.",
    ],
    http_connect_refused: [
      "CONNECT, which asks for a proxy: answered 405",
      "A client that has this service configured as its proxy.",
      "Take the proxy setting out of the client.",
    ],
    expectation_unknown: [
      "an `Expect` other than `100-continue`: answered 417",
      "A client with an expectation of its own.",
      "Leave `Expect` out.",
    ],
    connection_option: [
      "`Connection` names a header that the next hop must see",
      "An attempt to have a header such as `Authorization` taken away on its way.",
      "Name no end-to-end header in `Connection`.",
    ],
    host_duplicate: [
      "more than one `Host`",
      "A hand-written client, or an attempt to be taken for another host.",
      "Send one.",
    ],
    host_invalid: [
      "`Host` is no host with maybe a port",
      "A URL or a list in `Host`, or a port that is none.",
      "Send `HOST` or `HOST:PORT`.",
    ],
    authority_differs_from_host: [
      "the URL asked for names another host than `Host`",
      "A client that takes the pod for a forward proxy, or an attempt to be taken for another host.",
      "Send the same in both, or a path alone.",
    ],
    authority_userinfo: [
      "a name and `@` before the host",
      "A URL with credentials, sent as it was typed.",
      "Send them in `Authorization`.",
    ],
    head_too_large: [
      "more than 64 KiB of head: answered 431",
      "Cookies that have grown, or a token with everything in it.",
      "Send less; bodies have no limit.",
    ],
    fields_too_many: [
      "more than 100 header lines: answered 431",
      "A proxy in front that adds to them at each hop, or a loop.",
      "Send fewer.",
    ],
    head_timeout: [
      "the head was not whole in 60 s: answered 408",
      "A client that stalls, a lost connection, or an attack that holds connections open.",
      "Correct the client, if it is one.",
    ],
    head_truncated: [
      "the connection ended within a head",
      "A client that gave up or died.",
      "Nothing, if it is rare; else look at the client's own timeouts.",
    ],
    http2_preface: [
      "HTTP/2 on a port that is HTTP/1.1",
      "The client speaks h2c with prior knowledge (gRPC does), and the Service's port does not say so.",
      "Set `appProtocol: kubernetes.io/h2c` or `grpc` on the Service's port.",
    ],
    request_malformed: [
      "something else that is no HTTP/1.1",
      "What comes is TLS or another protocol, or a broken client.",
      "Correct the client, or the port's `appProtocol` if it is not HTTP.",
    ],
    request_head_invalid: [
      "what an authorizer or a token's claims put into the head cannot be sent: answered 500",
      "A line's end or a control in what the authorizer answered.",
      "Correct the authorizer.",
    ],
    body_malformed: [
      "the body's chunks are not as HTTP/1.1 has them",
      "A hand-written client, or an attempt to smuggle a request.",
      "Correct the client.",
    ],
    request_truncated: [
      "the connection ended within a body",
      "A client that gave up or died.",
      "Nothing, if it is rare; else look at the client's own timeouts.",
    ],
    http_scheme_refused: [
      "HTTP/2: `:scheme` is neither `http` nor `https`",
      "An HTTP/2 client with a scheme of its own.",
      "Send `http`.",
    ],
    http_authority_refused: [
      "HTTP/2: `:authority` is no host with maybe a port",
      "A URL, user information or nothing at all in it.",
      "Send `HOST` or `HOST:PORT`.",
    ],
    http_host_differs: [
      "HTTP/2: `host` says something else than `:authority`",
      "A proxy in front that changes one of the two and not the other.",
      "Send `:authority` alone.",
    ],
    http_path_refused: [
      "HTTP/2: `:path` is none, or has bytes in it that are not to be there unencoded",
      "A client that does not encode paths or queries.",
      "Percent-encode them.",
    ],
    http_field_refused: [
      "HTTP/2: `http2-settings`, which concerns a single connection of HTTP/1.1",
      "A proxy in front that turns HTTP/1.1 into HTTP/2 and leaves it in.",
      "Leave it out.",
    ],
    http_fields_too_many: [
      "HTTP/2: more than 100 header lines: answered 431",
      "A proxy in front that adds to them at each hop, or a loop.",
      "Send fewer.",
    ],
    http_head_timeout: [
      "HTTP/2: a head was not whole in 60 s; the connection is ended",
      "A client that stalls, or an attack that holds connections open.",
      "Correct the client, if it is one.",
    ],
    http_head_refused: [
      "HTTP/2: the head that would go to the application cannot be sent: answered 500",
      "An authorizer, or a token's claims, put something into it that is no header.",
      "Correct the authorizer.",
    ],
  },
};
