/**
 * One connection, or one request on it, as authorization sees it.
 *
 * What layer 4 shows is always there. The rest is optional, and absent means "nobody could look",
 * which reads strictly (`read-rules.ts`); "looked and found nothing" is an empty value instead.
 */
export interface Attempt {
  /** What the TLS layer proved about the caller; absent for plaintext. */
  readonly peer?: Peer;
  /** The direct peer, never what a header claims; bytes as `ipBytes()` gives them. */
  readonly sourceIp: readonly number[];
  readonly destinationIp: readonly number[];
  /** The workload's own port, never the Service's or the tunnel's. */
  readonly destinationPort: number;
  /** Server name of the application's own TLS; "" where its hello carries none; absent where the hello is not read. */
  readonly sni?: string;
  /** The original client by trusted hops or PROXY protocol; where none is in between, the direct peer. */
  readonly remoteIp?: readonly number[];
  /** Absent on an opaque port. */
  readonly http?: HttpFacts;
  /** What providers of CUSTOM policies have said about this attempt so far, by their names. */
  readonly answers?: ProviderAnswers;
}

export interface Peer {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** One request. */
export interface HttpFacts {
  readonly method: string;
  /** Without query and fragment, exactly as the backend will receive it. */
  readonly path: string;
  /** `:authority` or Host as sent, with its port if it has one. */
  readonly host: string;
  readonly headers: HeaderLines;
  /** Of the token that was verified; absent where the request carries none. */
  readonly claims?: Claims;
}

/** A `Map` is one. Names in lower case; one text for each line of the header, in order, without white space around it. */
export interface HeaderLines {
  get(name: string): readonly string[] | undefined;
}

export type Claims = Readonly<Record<string, unknown>>;

/** A `Map` is one. */
export interface ProviderAnswers {
  get(provider: string): ProviderAnswer | undefined;
  has(provider: string): boolean;
}

/** `deny` also where the provider could not be asked and is not set to let such requests pass. */
export type ProviderAnswer = "permit" | "deny";
