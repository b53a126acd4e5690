/** Responses that no pod sent: a refusal or a failure, with its stable code where people and programs find it. */
import type { FieldLines, ResponseHead } from "./message.ts";

export interface OwnResponse {
  readonly head: ResponseHead;
  readonly body: string;
}

export interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly body?: string;
  readonly fields?: FieldLines;
}

export function ownResponse({ status, reason, body, fields = [] }: Refusal): OwnResponse {
  const text = body ?? `${reason}\n`;
  const kind = fields.includes("content-type") ? [] : ["content-type", "text/plain"];
  const lines = [...fields, ...kind, "date", new Date().toUTCString(), "x-weft-reason", reason];
  return { head: { status, fields: lines }, body: text };
}
