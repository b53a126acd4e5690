/**
 * Is this one host, and maybe a port, as every server reads it? Pure.
 *
 * Case and a dot at the end are policy's to overlook (`authz/subject.ts`); user info, percents, an empty port and one
 * out of range are nobody's.
 */
import { ipBytes } from "../../../core/model/ip.ts";

/** RFC 1123 names, with the underscore that some use, and IPv4. */
const NAME = /^[A-Za-z0-9_-](?:[A-Za-z0-9._-]*)$/;
const PORT = /^[1-9][0-9]{0,4}$/;
const MAX_PORT = 65_535;

export function isAuthority(text: string): boolean {
  const bracket = text.startsWith("[") ? text.indexOf("]") : -1;
  const end = text.indexOf(":", bracket < 0 ? 0 : bracket);
  const host = end < 0 ? text : text.slice(0, end);
  return isHost(host) && (end < 0 || isPort(text.slice(end + 1)));
}

function isHost(host: string): boolean {
  if (!host.startsWith("[")) return NAME.test(host) && !host.includes("..");
  return host.endsWith("]") && host.includes(":") && ipBytes(host.slice(1, -1)) !== undefined;
}

function isPort(text: string): boolean {
  return PORT.test(text) && Number(text) <= MAX_PORT;
}
