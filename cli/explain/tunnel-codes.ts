/** What tunnels are refused for, where they arrive. Part of the catalogue: `catalogue.ts`. */
import { ACCESS_LOG, type CodeGroup, FAILED_CONNECTIONS } from "./code-group.ts";

export const TUNNEL_CODES: CodeGroup = {
  title: "Refused tunnels",
  place: "at the called pod's node",
  toldIn: [ACCESS_LOG, FAILED_CONNECTIONS],
  codes: {
    tls_handshake_failed: [
      "no TLS 1.3, no common settings, or no TLS at all",
      "Something else than a node proxy calls port 15008: a scanner, a probe, a mesh of another kind.",
      "Look at the line's `source`. Between node proxies: compare their versions.",
    ],
    tls_handshake_timeout: [
      "the handshake was not finished in 10 s",
      "A caller that connects and says nothing, or a node that is short of CPU.",
      "Look at the line's `source`, and at the CPU of that node's proxy.",
    ],
    too_many_handshakes: [
      "512 from that address were under way at this pod already, or it was the oldest of 1,024 from all",
      "Callers without a connection pool, all starting at once; or a flood.",
      "Look at the line's `source`. Callers try again by themselves.",
    ],
    too_many_tunnels: [
      "1,024 tunnels from that address were open to this pod already",
      "A node proxy keeps some tunnels a caller; thousands are a flood or a program of another kind.",
      "Look at the line's `source`.",
    ],
    peer_certificate_missing: [
      "the caller showed no certificate",
      "No node proxy: those always show one.",
      "Look at the line's `source`; callers of the mesh need no change.",
    ],
    peer_certificate_expired: [
      "the caller's certificate is not valid yet or not any more, by this node's clock",
      "The caller's node could not renew it, or one of the two clocks is wrong.",
      "`weftctl ca status` shows the certificate, `weftctl check` the clocks.",
    ],
    peer_certificate_revoked: [
      "taken back: its pod or its node is gone. Also told by the caller's node, and of connections that were open",
      "The caller's pod or node was deleted, and something still uses its certificate.",
      "Nothing, where the pod is really gone. A pod that lives gets another certificate at once.",
    ],
    peer_certificate_malformed: [
      "the caller's certificate cannot be read",
      "A certificate that the mesh's CA would not make.",
      "Look at the line's `source`.",
    ],
    peer_not_authorized: [
      "does not chain to a root of the mesh, or not any more",
      "A mesh of its own on the other side, or a node that missed a rotation of the CA.",
      "`weftctl ca status` shows who uses which root; federate meshes by a TrustBundle.",
    ],
    peer_not_tls13: [
      "the caller spoke another version of TLS than 1.3",
      "No node proxy: those speak TLS 1.3 alone.",
      "Look at the line's `source`.",
    ],
    peer_alpn_not_h2: [
      "the caller did not ask for `h2`",
      "A TLS client that is no node proxy.",
      "Look at the line's `source`.",
    ],
    peer_session_resumed: [
      "a resumed session, verified by the roots of an earlier time",
      "A TLS client that is no node proxy: those never resume.",
      "Look at the line's `source`.",
    ],
    no_spiffe_id: [
      "the certificate names no SPIFFE ID",
      "A certificate of another CA's making under a root that the mesh trusts.",
      "Let only SPIFFE certificates be issued under that root.",
    ],
    several_uris: [
      "the certificate names more than one URI",
      "A certificate of another CA's making under a root that the mesh trusts.",
      "Issue certificates with one URI.",
    ],
    spiffe_id_malformed: [
      "its SPIFFE ID is not `spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT`",
      "SPIFFE IDs of another form, as SPIRE can have them.",
      "Issue IDs of the form `/ns/NAMESPACE/sa/ACCOUNT`.",
    ],
    foreign_names: [
      "the certificate has names of other kinds",
      "A certificate of another CA's making, with DNS names or addresses beside the URI.",
      "Issue certificates with the URI alone.",
    ],
    leaf_is_ca: [
      "the caller's certificate is that of a CA",
      "Somebody uses the key of an intermediate for calls.",
      "Issue a leaf for the workload, and look into who has that key.",
    ],
    key_usage: [
      "the caller's certificate is not for signing, or is for signing certificates",
      "A certificate of another CA's making.",
      "Set the key usage `digitalSignature`, and that alone.",
    ],
    extended_key_usage: [
      "the caller's certificate is not for both client and server",
      "A certificate of another CA's making.",
      "Set both `clientAuth` and `serverAuth`.",
    ],
    unknown_critical_extension: [
      "the caller's certificate demands an extension that nobody knows",
      "A certificate of another CA's making.",
      "Leave the extension out, or mark it as not critical.",
    ],
    peer_issuer_retired: [
      "a CA that was retired, by a rotation, is in the certificate's chain",
      "The caller's node did not follow a rotation of the CA, and went on without its proof (`--waive`).",
      "Bring the node back; `weftctl ca status` shows it.",
    ],
    peer_trust_domain: [
      "the certificate names another trust domain than the root that vouches for it",
      "A mesh that issues for a trust domain that is not its own.",
      "Compare the TrustBundle with the other mesh's trust domain.",
    ],
    http2_preface_timeout: [
      "no HTTP/2 within 10 s after TLS",
      "A caller that stalls after TLS, or a node that is short of CPU.",
      "Look at the line's `source`.",
    ],
    http2_protocol_error: [
      "broke HTTP/2: the tunnel, or the caller's own connection, was ended",
      "A client that is no good HTTP/2, or an attack.",
      "Look at the line's `source`. Between node proxies: compare their versions.",
    ],
    http2_flood: [
      "flooded the tunnel, or its own connection, with settings, pings, header blocks, resets or requests to be reset: it was ended",
      "An attack, or a client that cancels most of what it asks for.",
      "Look at the line's `source`.",
    ],
    malformed_request: [
      "requests in this tunnel that HTTP/2 itself refused (RFC 9113 8.1.1); told once in a tunnel",
      "A client that is no good HTTP/2.",
      "Look at the line's `source`.",
    ],
    too_many_streams: [
      "more than 1,000 open at once in one tunnel; the caller may ask again in another",
      "More connections at once between two pods than one tunnel carries.",
      "Nothing: node proxies go on in another tunnel.",
    ],
    not_connect: [
      "another method than CONNECT",
      "A client that takes port 15008 for a web server.",
      "Look at the line's `source`.",
    ],
    malformed_authority: [
      "what the tunnel was asked for is not `ADDRESS:PORT`",
      "A client that speaks another dialect of HBONE.",
      "Look at the line's `source`.",
    ],
    foreign_address: [
      "not the address that the tunnel came to, or not one of the pod's",
      "A caller with an old picture of which pod has which address, or one that looks for other pods behind this one.",
      "It ends by itself when the caller's node hears of the change; if not, look at the line's `source`.",
    ],
    own_port: [
      "15000 to 15090 of the pod are the mesh's",
      "A program that calls the mesh's own ports in a pod.",
      "Use a port outside 15000 to 15090 for the application.",
    ],
  },
};
