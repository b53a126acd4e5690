/**
 * A TLS connection to the operator, by address, whose certificate is checked for who it is.
 *
 * The address is a ClusterIP or host and port, so the name in the certificate is not DNS: in place
 * of Node's own check stands the operator's exact SPIFFE identity. Roots are read for every connection.
 */
import type { SecureClientSessionOptions } from "node:http2";
import type { DetailedPeerCertificate, PeerCertificate } from "node:tls";
import { type Client, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { DEFAULT_KEEP_ALIVE, type KeepAlive } from "../../core/process/keep-alive.ts";
import { NodeService } from "../../core/wire/gen/weft/v1/node_pb.ts";
import { checkSvid } from "../../core/x509/check-svid.ts";
import { parseCertificate } from "../../core/x509/parse-certificate.ts";
import { hasRetired } from "../../core/x509/retired.ts";
import { type OperatorSession, openOperatorSession } from "./operator-session.ts";

/** Below the operator's own 3 MiB for one resource and 1 MiB for a part, with room. */
const MAX_MESSAGE_BYTES = 8_388_608;
const WRONG_IDENTITY = "WEFT_WRONG_IDENTITY";

export interface NamedSelf {
  readonly node: string;
  /** Another for each that may run beside another; a newer stream of the same one replaces the older. */
  readonly instance: string;
}

export interface OperatorLineOptions {
  /** `host:port`, IPv6 in brackets. */
  readonly address: string;
  /** PEM; asked for every new connection, since rotation changes them. */
  readonly roots: () => string | Promise<string>;
  /** Those in use: a chain with a certificate that they retire is refused. */
  readonly bundles?: () => readonly TrustBundle[];
  /** `spiffe://<trust domain>/ns/weft-system/sa/weft-operator`. */
  readonly serverIdentity: string;
  /** Asked for every call, since kubelet rotates the file. */
  readonly token: () => Promise<string>;
  /** File mode only: the node names itself, and which of its proxies this is. */
  readonly self?: NamedSelf;
  readonly keepAlive?: KeepAlive;
}

export type OperatorLineFailure =
  /** No TCP or TLS connection: the operator is away, or a NetworkPolicy is in the way. */
  | "operator_unreachable"
  /** Somebody answered, but not with the operator's certificate. */
  | "operator_untrusted"
  /** The token or the roots could not be read. */
  | "no_credentials";

export class OperatorLineError extends Error {
  override readonly name = "OperatorLineError";
  readonly reason: OperatorLineFailure;

  constructor(reason: OperatorLineFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export interface OperatorConnection {
  readonly client: Client<typeof NodeService>;
  /** What every call carries. Rejects with `no_credentials`. */
  headers(): Promise<Record<string, string>>;
  isOpen(): boolean;
  close(): void;
}

/** Rejects with an OperatorLineError, or with the signal's reason. */
export async function openOperatorLine(
  options: OperatorLineOptions,
  signal: AbortSignal,
): Promise<OperatorConnection> {
  const ca = await readCredential(options.roots);
  signal.throwIfAborted();
  const { origin } = new URL(`https://${options.address}`);
  const session = await openSession(options, { origin, ca, signal });
  const transport = createGrpcTransport({
    baseUrl: origin,
    sessionManager: session.manager,
    readMaxBytes: MAX_MESSAGE_BYTES,
    acceptCompression: [],
  });
  return {
    client: createClient(NodeService, transport),
    headers: () => headersOf(options),
    isOpen: () => session.isOpen(),
    close: () => session.close(),
  };
}

async function openSession(
  { address, bundles, serverIdentity, keepAlive = DEFAULT_KEEP_ALIVE }: OperatorLineOptions,
  { origin, ca, signal }: { origin: string; ca: string; signal: AbortSignal },
): Promise<OperatorSession> {
  const tls: SecureClientSessionOptions = {
    ca,
    minVersion: "TLSv1.3",
    checkServerIdentity: (_, certificate) =>
      hasRetired(authoritiesOf(certificate), bundles?.() ?? [])
        ? wrongIdentity("a CA in its chain is retired")
        : refusalOf(certificate.raw, serverIdentity),
  };
  try {
    return await openOperatorSession({ origin, tls, keepAlive, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw lineError(error, address);
  }
}

/** Node's contract: `undefined` where the certificate is good, else the error the connection ends with. */
function refusalOf(der: Uint8Array, expected: string): Error | undefined {
  const parsed = parseCertificate(der);
  if (parsed.kind === "malformed") return wrongIdentity(parsed.message);
  const checked = checkSvid(parsed.certificate);
  if (checked.kind === "refused") return wrongIdentity(checked.reason);
  if (checked.uri !== expected) return wrongIdentity(`${checked.uri} is not ${expected}`);
  return undefined;
}

/** Node hands in the detailed form, whatever its types say: with what the peer showed and the root that was found. */
function authoritiesOf(certificate: PeerCertificate): readonly Uint8Array[] {
  const seen = new Set<PeerCertificate>();
  // A root is its own issuer.
  for (let at = issuerOf(certificate); at && !seen.has(at); at = issuerOf(at)) seen.add(at);
  return [...seen].map(({ raw }) => raw);
}

function issuerOf(certificate: PeerCertificate): PeerCertificate | undefined {
  return (certificate as Partial<DetailedPeerCertificate>).issuerCertificate;
}

function wrongIdentity(message: string): Error {
  return Object.assign(new Error(message), { code: WRONG_IDENTITY });
}

function lineError(cause: unknown, address: string): OperatorLineError {
  const message = Error.isError(cause) ? cause.message : String(cause);
  const code = Error.isError(cause) && "code" in cause ? String(cause.code) : "";
  // Codes of OpenSSL's verification as Node names them; anything else is the network's.
  const isUntrusted =
    code === WRONG_IDENTITY || /CERT|SELF_SIGNED|SIGNATURE|ISSUER|INVALID_PURPOSE|CRL/.test(code);
  return isUntrusted
    ? new OperatorLineError("operator_untrusted", `${address} is not the operator: ${message}`, {
        cause,
      })
    : new OperatorLineError("operator_unreachable", `connect to ${address} failed: ${message}`, {
        cause,
      });
}

async function headersOf({ token, self }: OperatorLineOptions): Promise<Record<string, string>> {
  const authorization = `Bearer ${(await readCredential(token)).trim()}`;
  if (!self) return { authorization };
  return { authorization, "weft-node": self.node, "weft-instance": self.instance };
}

async function readCredential(read: () => string | Promise<string>): Promise<string> {
  try {
    return await read();
  } catch (error) {
    throw new OperatorLineError("no_credentials", "token or roots could not be read", {
      cause: error,
    });
  }
}
