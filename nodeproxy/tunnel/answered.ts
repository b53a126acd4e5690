/** Waits for the far side's answer to one CONNECT, and says in a `TunnelError` what came in place of 200. */
import { type ClientHttp2Stream, constants } from "node:http2";
import { answerReason, TunnelError } from "./tunnel-error.ts";

const ANSWER_TIMEOUT_MS = 30_000;

export function answered(stream: ClientHttp2Stream): Promise<ClientHttp2Stream> {
  return new Promise((resolve, reject) => {
    let isSettled = false;
    function settle(outcome: ClientHttp2Stream | TunnelError): void {
      isSettled = true;
      clearTimeout(timeout);
      if (outcome instanceof TunnelError) reject(outcome);
      else resolve(outcome);
    }
    const timeout = setTimeout(() => {
      settle(new TunnelError("tunnel_answer_timeout", "no answer to CONNECT"));
      stream.close(constants.NGHTTP2_CANCEL);
    }, ANSWER_TIMEOUT_MS);
    stream.on("response", (headers) => {
      const status = headers[":status"];
      if (status === 200) {
        settle(stream);
        return;
      }
      settle(new TunnelError(answerReason(status), `CONNECT answered ${status}`));
      stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.on("error", ignore);
    // Every stream closes: an error with its stack is made only for those that had no answer.
    stream.on("close", () => {
      if (!isSettled) settle(unanswered(stream.rstCode));
    });
  });
}

/** The reason arrives with "close". */
function ignore(): void {}

function unanswered(code: number | undefined): TunnelError {
  return code === constants.NGHTTP2_REFUSED_STREAM
    ? new TunnelError("tunnel_stream_refused", "stream refused")
    : new TunnelError("tunnel_lost", "stream ended before its answer");
}
