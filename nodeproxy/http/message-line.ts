/** What a stream of messages asks of the session that it lies in. */
import type { MessageStream } from "./message-stream.ts";
import type { SaidFields, SessionOutput } from "./session-output.ts";

export interface MessageLine {
  readonly isServer: boolean;
  readonly output: SessionOutput;
  /** A client's request: now, or once the peer takes one more. */
  sendRequest(stream: MessageStream, said: SaidFields): void;
  /** So many octets of a body are kept here. */
  hold(octets: number): void;
  /** They are gone. */
  free(octets: number): void;
  /** Gone. `wasResetByUs`: frames of it may still be on their way. */
  streamClosed(stream: MessageStream, wasResetByUs: boolean): void;
}
