/** What the attack tests say to their attacker and their caller, and hear from them. */
import type { TlsAttack } from "../raw-http2.ts";

export type AttackKind =
  | "rapid resets"
  | "PING"
  | "windows by SETTINGS"
  | "CONTINUATION"
  | "WINDOW_UPDATE"
  | "empty DATA"
  | "single octets"
  | "windows never opened"
  | "authorities of 64 KB"
  | "connections half open";

export interface Attack {
  readonly kind: AttackKind;
  readonly host: string;
  /** Of the application behind the tunnel port; it echoes. */
  readonly appPort: number;
  readonly credentials: TlsAttack;
  /** Connections at once where they are the attack. */
  readonly connections: number;
}

export interface Attacked {
  /** Connections that the server ended. */
  readonly ended: number;
  readonly begun: number;
}

/** Milliseconds of a round trip, and what went wrong. */
export interface Window {
  readonly p99: number;
  readonly calls: number;
  /** Answers other than what was sent, and connections that broke. */
  readonly wrong: number;
}
