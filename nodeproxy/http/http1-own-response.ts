/** Responses that no pod sent: a refusal or a failure, with its stable code where people and programs find it; or a redirect. */
import type { FieldLines, ResponseHead } from "./message.ts";

export interface OwnResponse {
  readonly head: ResponseHead;
  readonly body: string;
}

export interface Refusal {
  readonly status: number;
  /** "": it refuses nothing, and has no body. */
  readonly reason: string;
  readonly body?: string;
  readonly fields?: FieldLines | undefined;
}

export function ownResponse({ status, reason, body, fields = [] }: Refusal): OwnResponse {
  const date = ["date", new Date().toUTCString()];
  if (reason === "") return { head: { status, fields: [...fields, ...date] }, body: "" };
  const text = body ?? `${reason}\n`;
  const kind = fields.includes("content-type") ? [] : ["content-type", "text/plain"];
  const lines = [...fields, ...kind, ...date, "x-weft-reason", reason];
  return { head: { status, fields: lines }, body: text };
}
