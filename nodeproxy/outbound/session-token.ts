/**
 * What a client keeps so that its requests come back to one endpoint: which, since when, and when last. It names the
 * endpoint by a digest, so it tells nothing of the mesh, and is looked up among the endpoints of the Service alone.
 *
 * Every node proxy reads what another has written: the key of each endpoint's seal is its pod's UID, which they all know
 * and no client does.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** Whom a session is bound to. */
export interface SessionEndpoint {
  /** `namespace/name` and port of the Service. */
  readonly service: string;
  readonly port: number;
  /** `address:port`. */
  readonly key: string;
  /** UID of its pod; "" for an address of no pod. */
  readonly workload: string;
}

export interface SessionTimes {
  /** Of the wall clock, in seconds: other nodes read them. */
  readonly beganSeconds: number;
  readonly usedSeconds: number;
}

export interface SessionToken extends SessionTimes {
  /** `digestOf` its endpoint. */
  readonly digest: string;
  readonly text: string;
}

/** Of 128 bits in base64url. */
const DIGEST = "[A-Za-z0-9_-]{22}";
const TOKEN = new RegExp(`^(${DIGEST})\\.([0-9a-z]{1,9})\\.([0-9a-z]{1,9})\\.(${DIGEST})$`);

/** Nothing where it is none of ours. Whether it is genuine `isGenuine` knows. */
export function parseSessionToken(text: string): SessionToken | undefined {
  const [, digest, began, used] = TOKEN.exec(text) ?? [];
  if (digest === undefined || began === undefined || used === undefined) return undefined;
  return {
    digest,
    beganSeconds: Number.parseInt(began, 36),
    usedSeconds: Number.parseInt(used, 36),
    text,
  };
}

/** The same in every node. */
export function digestOf(endpoint: SessionEndpoint): string {
  return shortened(
    createHash("sha256")
      .update(`weft session ${nameOf(endpoint)}`)
      .digest(),
  );
}

export function writeSessionToken(endpoint: SessionEndpoint, times: SessionTimes): string {
  const began = times.beganSeconds.toString(36);
  const said = `${digestOf(endpoint)}.${began}.${times.usedSeconds.toString(36)}`;
  return `${said}.${sealOf(endpoint, said)}`;
}

/** It was written by a node proxy, for that endpoint. */
export function isGenuine({ text }: SessionToken, endpoint: SessionEndpoint): boolean {
  const at = text.lastIndexOf(".");
  const seal = Buffer.from(sealOf(endpoint, text.slice(0, at)));
  const given = Buffer.from(text.slice(at + 1));
  return seal.length === given.length && timingSafeEqual(seal, given);
}

function sealOf(endpoint: SessionEndpoint, said: string): string {
  return shortened(createHmac("sha256", nameOf(endpoint)).update(said).digest());
}

function nameOf({ service, port, key, workload }: SessionEndpoint): string {
  return `${service} ${port} ${key} ${workload}`;
}

function shortened(digest: Buffer): string {
  return digest.toString("base64url", 0, 16);
}
