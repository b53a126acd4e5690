/** May a header be written into a message because a service says so? */

/** Names that make a message what it is: no service changes them. */
const FIXED: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
const LINE_ENDS = /[\0\r\n]/;

/** `name`: in lower case. */
export function isWritable(name: string, value: string): boolean {
  return NAME.test(name) && !FIXED.has(name) && !LINE_ENDS.test(value);
}
