/** What one request may cost before it is judged. Bodies have no limit: they are never held. */
export interface HttpLimits {
  /** Of a whole head, its line and its line ends too; of trailers as well. */
  readonly headBytes: number;
  /** Lines of one head. */
  readonly fields: number;
  /** From a connection's beginning, or from the first octet of a later request, to the end of its head. */
  readonly headTimeoutMs: number;
}

/** The same at every door and towards every server: what one lets in, the next lets in. */
export const HTTP_LIMITS: HttpLimits = { headBytes: 65_536, fields: 100, headTimeoutMs: 60_000 };
