/** Waits for the far side's answer to one CONNECT, and says in a `TunnelError` what came in place of 200. */
import { type ClientHttp2Stream, constants } from "node:http2";
import { answerReason, TunnelError } from "./tunnel-error.ts";

const ANSWER_TIMEOUT_MS = 30_000;

export function answered(stream: ClientHttp2Stream): Promise<ClientHttp2Stream> {
  return new Promise((resolve, reject) => {
    const timeout = setTimeout(() => {
      reject(new TunnelError("tunnel_answer_timeout", "no answer to CONNECT"));
      stream.close(constants.NGHTTP2_CANCEL);
    }, ANSWER_TIMEOUT_MS);
    stream.once("response", (headers) => {
      clearTimeout(timeout);
      const status = headers[":status"];
      if (status === 200) {
        resolve(stream);
        return;
      }
      reject(new TunnelError(answerReason(status), `CONNECT answered ${status}`));
      stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.on("error", ignore);
    stream.once("close", () => {
      clearTimeout(timeout);
      reject(unanswered(stream.rstCode));
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
