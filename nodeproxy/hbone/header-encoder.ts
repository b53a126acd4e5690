/**
 * Writes the two kinds of header blocks that tunnels need: a CONNECT and its answer. Static table and literals
 * only, so that nothing of one connection's fields lives on in the tables of the peer (RFC 7541 7.1).
 */

/** `:method: CONNECT`, literal without indexing, name of static index 2: RFC 7541 6.2.2. */
const METHOD_CONNECT = Buffer.from("\x02\x07CONNECT", "latin1");
/** Static indices of whole `:status` fields: RFC 7541 appendix A. */
const INDEXED_STATUS: Readonly<Record<number, number>> = { 200: 8, 400: 12, 404: 13, 500: 14 };
/** RFC 7541 4.2 and 6.3: to be said once, where the peer wants a table smaller than the default. Ours is empty anyway. */
const NO_TABLE = Buffer.of(0x20);

export function encodeRequest(authority: string, isTableSizeDue: boolean): Buffer {
  const value = Buffer.from(authority, "latin1");
  const parts = [METHOD_CONNECT, Buffer.of(0x01, ...lengthOctets(value.length)), value];
  return Buffer.concat(isTableSizeDue ? [NO_TABLE, ...parts] : parts);
}

export function encodeStatus(status: number, isTableSizeDue: boolean): Buffer {
  const index = INDEXED_STATUS[status];
  const field =
    index === undefined ? Buffer.from(`\x08\x03${status}`, "latin1") : Buffer.of(0x80 | index);
  return isTableSizeDue ? Buffer.concat([NO_TABLE, field]) : field;
}

/** RFC 7541 5.1 with a prefix of seven bits. */
function lengthOctets(length: number): number[] {
  if (length < 127) return [length];
  const octets = [127];
  let rest = length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push((rest % 128) | 128);
  octets.push(rest);
  return octets;
}
