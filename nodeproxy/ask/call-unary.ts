/**
 * One unary gRPC call over an HTTP/2 session (gRPC over HTTP2, "Requests" and "Responses"). Reads strictly: whatever
 * is not one whole uncompressed message and `grpc-status: 0` is no answer.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import { AskError } from "./ask-error.ts";

export interface UnaryCall {
  readonly path: string;
  readonly message: Uint8Array;
}

/** Compressed flag and length. */
const PREFIX_BYTES = 5;
/** Denials carry a body for HTTP callers. */
const MAX_ANSWER_BYTES = 1 << 20;

/** Rejects with `AskError`. */
export function callUnary(
  session: ClientHttp2Session,
  { path, message }: UnaryCall,
  signal: AbortSignal,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const stream = begin(session, path);
    const received = new Received(stream);
    let isLate = signal.aborted;
    function giveUp(): void {
      isLate = true;
      stream.close(constants.NGHTTP2_CANCEL);
      reject(new AskError("timeout"));
    }
    if (isLate) giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    stream.once("close", () => {
      signal.removeEventListener("abort", giveUp);
      if (isLate) return;
      try {
        resolve(received.message(stream.rstCode));
      } catch (error) {
        reject(error);
      }
    });
    stream.end(framed(message));
  });
}

/** Throws `AskError` where the session takes no more. */
function begin(session: ClientHttp2Session, path: string): ClientHttp2Stream {
  try {
    return session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc+proto",
      te: "trailers",
    });
  } catch (error) {
    throw new AskError("unreachable", { cause: error });
  }
}

function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(PREFIX_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

class Received {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #isAnswered = false;
  #isOk = false;
  #headers: IncomingHttpHeaders = {};
  #trailers: IncomingHttpHeaders = {};
  #isEnded = false;

  constructor(stream: ClientHttp2Stream) {
    stream.on("error", ignore);
    stream.on("response", (headers) => {
      this.#isAnswered = true;
      this.#isOk = headers[":status"] === 200;
      this.#headers = headers;
    });
    stream.on("trailers", (trailers) => {
      this.#trailers = trailers;
    });
    stream.on("end", () => {
      this.#isEnded = true;
    });
    stream.on("data", (chunk: Buffer) => {
      this.#bytes += chunk.length;
      if (this.#bytes <= PREFIX_BYTES + MAX_ANSWER_BYTES) this.#chunks.push(chunk);
      else stream.close(constants.NGHTTP2_CANCEL);
    });
  }

  /** Throws `AskError`. A lost connection ends its streams too, in order as it seems, but for the code. */
  message(endCode: number | undefined): Uint8Array {
    if (this.#isTooLong()) throw new AskError("failed");
    const isWholeStream =
      this.#isAnswered && this.#isEnded && endCode === constants.NGHTTP2_NO_ERROR;
    if (!isWholeStream) throw new AskError("unreachable");
    const frame = Buffer.concat(this.#chunks);
    const isWhole =
      frame.length >= PREFIX_BYTES &&
      frame[0] === 0 &&
      frame.readUInt32BE(1) === frame.length - PREFIX_BYTES;
    if (!isWhole || !this.#isGood()) throw new AskError("failed");
    return frame.subarray(PREFIX_BYTES);
  }

  #isGood(): boolean {
    const status = this.#trailers["grpc-status"] ?? this.#headers["grpc-status"];
    const isGrpc = (this.#headers["content-type"] ?? "").startsWith("application/grpc");
    return this.#isOk && isGrpc && status === "0";
  }

  #isTooLong(): boolean {
    return this.#bytes > PREFIX_BYTES + MAX_ANSWER_BYTES;
  }
}

function ignore(): void {}
