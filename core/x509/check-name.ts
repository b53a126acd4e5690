/**
 * Is this a Name (RFC 5280 4.1.2.4)? Names are compared octet by octet and never taken apart, but one that OpenSSL
 * cannot read makes a certificate that no TLS can serve: it is refused here, before anybody relies on it.
 */
import { isUtf8 } from "node:buffer";
import { childAt, DerError, type DerValue, readChildren, readOid, TAG } from "./der-reader.ts";

const SET = 0x31;

const UTF8_STRING = 0x0c;
const BMP_STRING = 0x1e;
/** DirectoryString, and what e-mail addresses, domain components and numbers are written in. Nobody writes UniversalString. */
const STRINGS: ReadonlySet<number> = new Set([UTF8_STRING, 0x12, 0x13, 0x14, 0x16, BMP_STRING]);

/** `name` is a SEQUENCE. Throws DerError. */
export function checkName({ content }: DerValue): void {
  const rdns = readChildren(content);
  for (let i = 0; i < rdns.length; i += 1) checkRdn(childAt(rdns, i, SET));
}

function checkRdn({ content }: DerValue): void {
  const attributes = readChildren(content);
  for (let i = 0; i < attributes.length; i += 1) {
    const parts = readChildren(childAt(attributes, i, TAG.sequence).content);
    readOid(childAt(parts, 0, TAG.oid));
    const [, value] = parts;
    if (!value || parts.length !== 2 || !isText(value)) {
      throw new DerError("attribute of a name is not a type and a text");
    }
  }
}

function isText({ tag, content }: DerValue): boolean {
  if (tag === UTF8_STRING) return isUtf8(content);
  return STRINGS.has(tag) && (tag !== BMP_STRING || content.length % 2 === 0);
}
