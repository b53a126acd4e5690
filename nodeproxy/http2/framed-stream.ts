/** What the framer asks of a stream, and tells it: a CONNECT's octets, or a message of HTTP. */
export interface FramedStream {
  readonly id: number;
  /** Gone. */
  readonly destroyed: boolean;
  /** The final answer was said or heard. */
  readonly isAnswered: boolean;
  /** The peer has said END_STREAM. */
  readonly hasFarEnded: boolean;
  /** Octets still to come of a message that announced them. The framer counts. */
  contentLeft: number | undefined;
  /** Octets, padding too, that the peer is about to send. False: more than it may. */
  take(octets: number): boolean;
  /** The chunk is the stream's for the length of the call. */
  receive(chunk: Buffer): void;
  /** Padding, which no reader sees. */
  receivePadding(octets: number): void;
  /** Client: an answer of 1xx. */
  informed?(fields: readonly string[]): void;
  /** Client: the final answer. */
  answered(status: number, message: AnswerMessage): void;
  /** Their end is told too, behind them. */
  trailed?(fields: readonly string[]): void;
  farEnded(): void;
  /** The peer reset it, or its connection is lost: `code` tells which. */
  abort(code: number): void;
  reset(code: number): void;
  /** The peer lets it send more. False beyond `limit`. */
  widen(octets: number, limit: number): boolean;
}

export interface AnswerMessage {
  readonly fields: readonly string[];
  /** Names of fields that no table may hold. */
  readonly secret: readonly string[] | undefined;
  /** Octets announced, which need not come: to HEAD, with 304. */
  readonly contentLength: number | undefined;
  /** No content follows. */
  readonly isLast: boolean;
}

/** What the queue of those that have octets to send asks of one. */
export interface SendingStream {
  readonly id: number;
  /** Octets that may be sent now; 0 takes it out of the queue. */
  readonly sendable: number;
  unqueue(): void;
  /** Copies octets of which `sendable` told. True: our side ends with them. */
  send(target: Buffer, at: number, length: number): boolean;
  /** True: it is to be told, by `drain`, once all that was filled is on its way. */
  takeDrain(): boolean;
  drain(): void;
}
