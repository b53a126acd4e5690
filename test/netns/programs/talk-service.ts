/** A gRPC service with a call of each kind, of texts: what the caller's and the server's program both know of it. */
import type { MethodDefinition } from "@grpc/grpc-js";

export const TALK = {
  echo: method("Echo", { up: false, down: false }),
  /** As many answers as the text says. */
  count: method("Count", { up: false, down: true }),
  /** The length of all texts together. */
  sum: method("Sum", { up: true, down: false }),
  chat: method("Chat", { up: true, down: true }),
  /** Fails with the number that the text is. */
  fail: method("Fail", { up: false, down: false }),
  /** Says whether it has a deadline, and then nothing. */
  hang: method("Hang", { up: false, down: true }),
  /** Answers once callers have cancelled so many calls of `hang` as the text says. */
  cancelled: method("Cancelled", { up: false, down: false }),
};

function method(
  name: string,
  { up, down }: { readonly up: boolean; readonly down: boolean },
): MethodDefinition<string, string> {
  return {
    path: `/shop.Talk/${name}`,
    requestStream: up,
    responseStream: down,
    requestSerialize: (text) => Buffer.from(text),
    requestDeserialize: String,
    responseSerialize: (text) => Buffer.from(text),
    responseDeserialize: String,
  };
}
