/** What the demo and its shop's processes say to each other over Node's IPC channel. */

export interface Tally {
  requests: number;
  failed: number;
  readonly replicas: Record<string, number>;
  /** Answers in which the store's greeting had come before anything was said to it. */
  greetings: number;
  readonly errors: Record<string, number>;
  /** Answers by status, of errors too. */
  readonly statuses: Record<number, number>;
}

/** What web asks for; absent: the price, of the service api. */
export interface Ask {
  readonly service?: "api" | "api-next";
  readonly path?: string;
  /** For whom: the header `x-customer`. */
  readonly customer?: string;
}

export type ToShop =
  | { readonly kind: "requests"; readonly count: number; readonly ask?: Ask }
  | { readonly kind: "load"; readonly workers: number }
  | { readonly kind: "stop_load" }
  | { readonly kind: "hold" }
  | { readonly kind: "until"; readonly outcome: "refused" | "answered" };

export type FromShop =
  | { readonly kind: "ready" }
  | { readonly kind: "tally"; readonly tally: Tally }
  | { readonly kind: "held" }
  | { readonly kind: "hold_closed"; readonly atMs: number }
  | { readonly kind: "seen"; readonly atMs: number };
