/** A response's body, octets as fast as the caller takes them, and the trailers of either direction. Keeps nothing. */
import { constants, type Http2Stream } from "node:http2";
import { NOT_SENT } from "./http2-response.ts";
import type { FieldLines } from "./message.ts";
import { NEVER_TRAILERS } from "./never-trailers.ts";

/** Trailers of a stream as they come: they can come before anybody reads its body. */
export class Trailers {
  #fields: FieldLines = [];
  #own: FieldLines | undefined;

  constructor(from: Http2Stream) {
    from.on("trailers", (_fields: unknown, _flags: number, lines: FieldLines = []) => {
      this.#fields = lines;
    });
  }

  /** Whatever comes yet: these are sent. */
  replace(lines: FieldLines): void {
    this.#own = lines;
  }

  /** As `sendTrailers` wants them. */
  toSend(isRequest: boolean): Record<string, string[]> {
    const sent: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
    const lines = this.#own ?? this.#fields;
    for (let i = 0; i < lines.length; i += 2) {
      const name = lines[i] ?? "";
      if (NOT_SENT.has(name) || (isRequest && NEVER_TRAILERS.has(name))) continue;
      (sent[name] ??= []).push(lines[i + 1] ?? "");
    }
    return sent;
  }
}

export interface Body {
  readonly from: Http2Stream;
  /** Began with `waitForTrailers`. */
  readonly to: Http2Stream;
  readonly trailers: Trailers;
  readonly count: (bytes: number) => void;
}

export function copyBody({ from, to, trailers, count }: Body): void {
  to.on("drain", () => from.resume());
  to.on("wantTrailers", () => to.sendTrailers(trailers.toSend(false)));
  from.on("data", (chunk: Buffer) => {
    count(chunk.length);
    // Where nobody takes it any more it is read, and thrown away.
    if (to.writable && !to.write(chunk)) from.pause();
  });
  from.on("end", () => {
    // A stream that was reset tells its end too.
    if (from.rstCode === constants.NGHTTP2_NO_ERROR && to.writable) to.end();
  });
}
