/** One DNS message in, the answer out (RFC 1035, section 4): addresses of IPv4, and what does not exist. */

const HEADER_BYTES = 12;
const TYPE_A = 1;
const CLASS_IN = 1;
/** Seconds; a Service's address changes with the Service only. */
const TTL = 5;
const NXDOMAIN = 3;
/** The name in an answer: a pointer to the question's. */
const POINTER = 0xc000 | HEADER_BYTES;

/** Undefined for what is no query of one question. `find` gives a name's address, undefined where there is no such name. */
export function answerQuery(
  query: Buffer,
  find: (name: string) => string | undefined,
): Buffer | undefined {
  const question = readQuestion(query);
  if (question === undefined) {
    return undefined;
  }
  const address = find(question.name);
  const octets = question.type === TYPE_A ? (address ?? "").split(".").map(Number) : [];
  const isAnswered = octets.length === 4;
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(query.readUInt16BE(0), 0);
  // Response, authoritative, recursion desired as asked, recursion available: none asks anybody else.
  header.writeUInt16BE(
    0x8480 | (query.readUInt16BE(2) & 0x0100) | (address === undefined ? NXDOMAIN : 0),
    2,
  );
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(isAnswered ? 1 : 0, 6);
  const asked = query.subarray(HEADER_BYTES, question.end);
  return Buffer.concat([header, asked, ...(isAnswered ? [writeAddress(octets)] : [])]);
}

interface Question {
  /** In lower case, without the last dot. */
  readonly name: string;
  readonly type: number;
  /** Where the question ends in the message. */
  readonly end: number;
}

function readQuestion(query: Buffer): Question | undefined {
  if (query.length < HEADER_BYTES || query.readUInt16BE(4) !== 1) {
    return undefined;
  }
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  const end = at + 5;
  if (end > query.length) {
    return undefined;
  }
  return { name: labels.join(".").toLowerCase(), type: query.readUInt16BE(at + 1), end };
}

function writeAddress(octets: readonly number[]): Buffer {
  const record = Buffer.alloc(12);
  record.writeUInt16BE(POINTER, 0);
  record.writeUInt16BE(TYPE_A, 2);
  record.writeUInt16BE(CLASS_IN, 4);
  record.writeUInt32BE(TTL, 6);
  record.writeUInt16BE(octets.length, 10);
  return Buffer.concat([record, Buffer.from(octets)]);
}
