/** What a request carries with it where tracing is on and its trace is sampled: the span that this hop makes of it. */
export interface RequestTrace {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 of them. */
  readonly spanId: string;
  /** Of the caller's span; "" where the trace begins here. */
  readonly parentId: string;
  /** `traceparent`'s octet of flags, as it is sent on. */
  readonly flags: number;
  /** `tracestate` as it came. */
  readonly state: string;
  /** Of HTTP, as the request came. */
  readonly version: string;
  /** Milliseconds since the epoch, with a fraction: when the request's head had come. */
  readonly beganMs: number;
}
