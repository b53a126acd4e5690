/** A request's head with what tokens and authorizers change of it before the workload sees it. Pure. */
import type { RequestHead } from "../message.ts";
import { changeFields, type FieldChanges } from "./change-fields.ts";

export interface HeadChanges extends FieldChanges {
  /** Added behind the lines that are there. */
  readonly append?: readonly (readonly [name: string, value: string])[];
  /** In place of path and query, the path being the same. */
  readonly target?: string;
}

/** The same object where nothing changes. */
export function changeHead(head: RequestHead, changes: HeadChanges): RequestHead {
  const { append = [], target } = changes;
  const changed = changeFields(head.fields, changes);
  const fields = append.length === 0 ? changed : [...changed, ...append.flat()];
  if (fields === head.fields && target === undefined) return head;
  const from = target?.indexOf("?") ?? -1;
  const query = target === undefined ? head.query : from < 0 ? "" : target.slice(from);
  return { ...head, fields, query };
}
