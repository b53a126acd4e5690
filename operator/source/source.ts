/** Where the operator's objects come from: the Kubernetes API, or a directory of the same YAML. */
import type { KubeChange } from "../resources/kube-object.ts";

export type SourceEvent =
  | KubeChange
  /** The first full state has been told. Once, before `start()` resolves. */
  | { readonly kind: "synced" };

/** Called one event at a time and never awaited. */
export type Sink = (event: SourceEvent) => void;

export interface SourceError {
  readonly code: /** The list or watch of a kind fails; what was read before stays. */
    | "api_unreachable"
    /** The directory or a file in it cannot be read; its last good content stays. */
    | "unreadable"
    /** Half-written, no YAML, or not made of Kubernetes objects; its last good content stays. */
    | "malformed_file"
    /** Told by a file before it in order; that one counts. */
    | "duplicate_object"
    /** A kind of `weft.dev` that does not exist. */
    | "unknown_kind";
  /** File name or plural of the kind. */
  readonly place: string;
  readonly message: string;
}

export interface Source {
  /**
   * Resolves once the first full state was told, and waits for it as long as it takes; rejects only
   * if `close()` comes first.
   */
  start(sink: Sink): Promise<void>;
  /** What is wrong at the moment. */
  errors(): readonly SourceError[];
  /** Nothing is told after it has resolved. */
  close(): Promise<void>;
}
