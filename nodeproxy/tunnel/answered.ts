/** Waits for the far side's answer to one CONNECT, and says in a `TunnelError` what came in place of 200. */

import type { HboneStream } from "../hbone/stream.ts";
import { CODE } from "../http2/protocol.ts";
import { answerReason, TunnelError } from "./tunnel-error.ts";

const ANSWER_TIMEOUT_MS = 30_000;

export function answered(stream: HboneStream): Promise<HboneStream> {
  return new Promise((resolve, reject) => {
    const timeout = setTimeout(() => {
      fail(new TunnelError("tunnel_answer_timeout", "no answer to CONNECT"));
    }, ANSWER_TIMEOUT_MS);
    function settled(): void {
      clearTimeout(timeout);
      stream.watchClose(undefined);
    }
    function fail(error: TunnelError): void {
      settled();
      reject(error);
      stream.reset(CODE.cancel);
    }
    stream.watchAnswer((status) => {
      if (status === 200) {
        settled();
        resolve(stream);
        return;
      }
      fail(new TunnelError(answerReason(status), `CONNECT answered ${status}`));
    });
    stream.watchClose(() => fail(unanswered(stream)));
  });
}

function unanswered({ resetCode }: HboneStream): TunnelError {
  return resetCode === CODE.refusedStream
    ? new TunnelError("tunnel_stream_refused", "stream refused")
    : new TunnelError("tunnel_lost", "stream ended before its answer");
}
