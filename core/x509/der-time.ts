/** X.509 times (RFC 5280 4.1.2.5): text ↔ milliseconds since the epoch, in the one form that DER allows. */
import { DerError, type DerValue, TAG } from "./der-reader.ts";

/** UTCTime YYMMDDHHMMSSZ from 1950 to 2049, GeneralizedTime YYYYMMDDHHMMSSZ; both with seconds and Z. */
export function readTime({ tag, content }: DerValue): number {
  const text = Buffer.from(content).toString("latin1");
  if (tag === TAG.utcTime && /^[0-9]{12}Z$/.test(text)) {
    const century = text < "50" ? "20" : "19";
    return epochMs(`${century}${text}`);
  }
  if (tag === TAG.generalizedTime && /^[0-9]{14}Z$/.test(text)) {
    return epochMs(text);
  }
  throw new DerError("time is not in the form of RFC 5280");
}

/** `text` is YYYYMMDDHHMMSSZ. */
function epochMs(text: string): number {
  const month = digits(text, 4);
  const day = digits(text, 6);
  const hour = digits(text, 8);
  const minute = digits(text, 10);
  const year = digits(text, 0) * 100 + digits(text, 2);
  const ms = Date.UTC(year, month - 1, day, hour, minute, digits(text, 12));
  const isClock = hour < 24 && minute < 60 && digits(text, 12) < 60;
  // Date takes 30 February for 1 March, month 13 for January, and years below 100 for the twentieth century.
  const isCalendar = month >= 1 && month <= 12 && day >= 1 && new Date(ms).getUTCDate() === day;
  if (!isClock || !isCalendar || year < 1950) throw new DerError("time does not exist");
  return ms;
}

function digits(text: string, at: number): number {
  return (text.charCodeAt(at) - 48) * 10 + text.charCodeAt(at + 1) - 48;
}

/** Whole seconds; `isUtc` says which of the two types holds the text. */
export function formatTime(epoch: number): { readonly isUtc: boolean; readonly text: string } {
  const text = new Date(epoch).toISOString().replace(/[-:T]|\.[0-9]+/g, "");
  const isUtc = text < "2050";
  return { isUtc, text: isUtc ? text.slice(2) : text };
}
