/**
 * The messages of gRPC health checking that probes and checks send and read, in bytes. Pure.
 *
 * gRPC frame (compressed flag, length, message) around `HealthCheckRequest { string service = 1 }`.
 */

/** Field 1, length-delimited. */
const SERVICE_TAG = 0x0a;
const HEAD_BYTES = 5;

export function checkRequest(service: string): Buffer {
  const text = Buffer.from(service);
  const field = text.length === 0 ? [] : [Buffer.from([SERVICE_TAG, ...varint(text.length)]), text];
  const body = Buffer.concat(field);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** The service that a request asks for; `undefined` where the bytes are no such request as we write them. */
export function requestedService(message: Buffer): string | undefined {
  if (message.length < HEAD_BYTES) return undefined;
  // A string of two bytes' length at most; every shorter prefix than the whole fails the comparison.
  const isLong = ((message[HEAD_BYTES + 1] ?? 0) & 0x80) !== 0;
  const service = message.subarray(HEAD_BYTES + (isLong ? 3 : 2)).toString();
  return checkRequest(service).equals(message) ? service : undefined;
}

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** `HealthCheckResponse.ServingStatus`. */
const SERVING = 1;
/** Field 1, a number. */
const STATUS_TAG = 0x08;

/** Whether a whole answer says SERVING: of anything but one uncompressed message of that field it does not. */
export function saysServing(answer: Buffer): boolean {
  if (answer.length < HEAD_BYTES + 2 || answer[0] !== 0) return false;
  const isWhole = answer.readUInt32BE(1) === answer.length - HEAD_BYTES;
  return isWhole && answer[HEAD_BYTES] === STATUS_TAG && answer[HEAD_BYTES + 1] === SERVING;
}
