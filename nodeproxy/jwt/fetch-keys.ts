/**
 * Fetches the text of a key set, or of a discovery document: one GET, bounded in time and size.
 *
 * No redirect is followed: whoever may answer for one address must not choose another. The addresses
 * that were checked are the addresses that are dialled, so that no second answer of a name server
 * counts (rebinding).
 */
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { type RequestOptions, request as requestHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { KeyFetchError } from "./key-fetch-error.ts";
import { isLocalAddress } from "./local-address.ts";

export interface FetchKeysOptions {
  readonly timeoutMs: number;
  /** MeshConfig allows loopback and link-local addresses. */
  readonly allowLocal: boolean;
  readonly resolve?: ResolveName | undefined;
  /** PEM, in place of the system's. */
  readonly ca?: string | undefined;
}

export type ResolveName = (name: string) => Promise<readonly Address[]>;

/** The largest known sets have some 20 KiB. */
const MAX_BYTES = 262_144;
const MAX_HEADER_BYTES = 16_384;

/** Throws `KeyFetchError`. */
export async function fetchKeys(uri: string, options: FetchKeysOptions): Promise<string> {
  const url = new URL(uri);
  const signal = AbortSignal.timeout(options.timeoutMs);
  try {
    const addresses = await addressesOf(url.hostname.replace(/^\[(.*)\]$/, "$1"), options, signal);
    return await readText(await answerTo(url, { addresses, ca: options.ca, signal }), uri);
  } catch (error) {
    throw asKeyFetchError(error, uri, signal);
  }
}

interface Address {
  readonly address: string;
  readonly family: number;
}

/** All of them checked, so that it does not matter which is dialled. */
async function addressesOf(
  host: string,
  { resolve = lookupAll, allowLocal }: FetchKeysOptions,
  signal: AbortSignal,
): Promise<readonly Address[]> {
  const family = isIP(host);
  const found =
    family === 0 ? await resolved(resolve(host), host, signal) : [{ address: host, family }];
  const refused = allowLocal ? undefined : found.find(({ address }) => isLocalAddress(address));
  if (refused) {
    const hint = "jwks.allowLocalAddresses of MeshConfig allows it";
    throw new KeyFetchError(
      "forbidden_address",
      `${refused.address} is loopback or link-local: ${hint}`,
    );
  }
  return found;
}

async function resolved(
  answer: Promise<readonly Address[]>,
  name: string,
  signal: AbortSignal,
): Promise<readonly Address[]> {
  const late = once(signal, "abort").then((): readonly Address[] => []);
  const found = await Promise.race([answer.catch(() => []), late]);
  if (found.length === 0 && !signal.aborted) {
    throw new KeyFetchError("name_not_found", `${name} has no address: is the name right`);
  }
  signal.throwIfAborted();
  return found;
}

function lookupAll(name: string): Promise<readonly Address[]> {
  return lookup(name, { all: true });
}

interface Ask {
  readonly addresses: readonly Address[];
  readonly ca: string | undefined;
  readonly signal: AbortSignal;
}

function answerTo(url: URL, { addresses, ca, signal }: Ask): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const settings: RequestOptions = {
      agent: false,
      signal,
      lookup: giving(addresses),
      maxHeaderSize: MAX_HEADER_BYTES,
      headers: { accept: "application/json", "accept-encoding": "identity", connection: "close" },
      ...(ca === undefined ? {} : { ca }),
    };
    const request = url.protocol === "https:" ? requestHttps : requestHttp;
    request(url, settings, resolve).on("error", reject).end();
  });
}

/** As `net.connect` asks it: for all addresses, or for one. */
function giving(addresses: readonly Address[]): LookupFunction {
  return (_name, { all }, callback) => {
    const [first] = addresses;
    if (all || !first) callback(null, [...addresses]);
    else callback(null, first.address, first.family);
  };
}

async function readText(answer: IncomingMessage, uri: string): Promise<string> {
  const { statusCode = 0 } = answer;
  if (statusCode !== 200) {
    answer.destroy();
    const what = statusCode >= 300 && statusCode < 400 ? " (redirects are not followed)" : "";
    throw new KeyFetchError("bad_status", `${uri} answered ${statusCode}${what}`);
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BYTES) {
      answer.destroy();
      throw new KeyFetchError("too_large", `${uri} answered more than ${MAX_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function asKeyFetchError(error: unknown, uri: string, signal: AbortSignal): KeyFetchError {
  if (error instanceof KeyFetchError) return error;
  if (signal.aborted) {
    return new KeyFetchError("timeout", `${uri} did not answer in time`, { cause: error });
  }
  return new KeyFetchError("unreachable", `${uri} cannot be reached`, { cause: error });
}
