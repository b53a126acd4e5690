/** How TLS begins: as Node's own clients begin it, and by hand, well or badly. */
import { duplexPair } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { type ConnectionOptions, connect } from "node:tls";

/** All that the client says before it is answered. */
export async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const [near, far] = duplexPair();
  const chunks: Buffer[] = [];
  far.on("data", (chunk: Buffer) => chunks.push(chunk));
  const client = connect({ ...options, socket: near });
  client.on("error", () => undefined);
  for (let quiet = 0; quiet < 3; ) {
    const { length } = chunks;
    await setImmediate();
    quiet = length > 0 && chunks.length === length ? quiet + 1 : 0;
  }
  client.destroy();
  far.destroy();
  return Buffer.concat(chunks);
}

/** `extensions`: `undefined` where the hello ends before them, as those of TLS 1.0 do. */
export function helloMessage(extensions: readonly Buffer[] | undefined): Buffer {
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(32, 9)),
    // The first is of RFC 8701 (GREASE).
    vector(2, Buffer.from([0x1a, 0x1a, 0x13, 0x01, 0xc0, 0x2f])),
    vector(1, Buffer.from([0])),
    ...(extensions ? [vector(2, Buffer.concat(extensions))] : []),
  ]);
  return Buffer.concat([Buffer.from([1]), vector(3, body)]);
}

export function extension(type: number, data: Buffer): Buffer {
  return Buffer.concat([number(2, type), vector(2, data)]);
}

/** With one entry for each name. */
export function serverNames(...names: readonly string[]): Buffer {
  const entries = names.map((name) => nameEntry(0, name));
  return extension(0, vector(2, Buffer.concat(entries)));
}

export function nameEntry(type: number, name: string): Buffer {
  return Buffer.concat([Buffer.from([type]), vector(2, Buffer.from(name, "latin1"))]);
}

/** `octets`: in each record at most. */
export function recordsOf(message: Buffer, octets = 16_384): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += octets) {
    records.push(Buffer.from([22, 3, 1]), vector(2, message.subarray(at, at + octets)));
  }
  return Buffer.concat(records);
}

/** The content behind its length, which is written in `width` octets. */
export function vector(width: number, content: Buffer): Buffer {
  return Buffer.concat([number(width, content.length), content]);
}

function number(width: number, value: number): Buffer {
  const bytes = Buffer.alloc(width);
  bytes.writeUIntBE(value, 0, width);
  return bytes;
}
