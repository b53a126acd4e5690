/** The filters of a route's rule, those of a backend behind them, made ready to be applied to each request. Pure. */
import type { HeaderChange, MirrorFilter, RouteFilter } from "../../../core/model/http-route.ts";
import type { RequestHead, ResponseHead } from "../message.ts";
import { compilePathChange } from "./change-path.ts";
import { type Cors, compileCors } from "./cors.ts";
import { compileHeaderChange } from "./modify-fields.ts";
import { compileRedirect, type Redirect } from "./redirect.ts";
import type { RulePlace } from "./rule-place.ts";

export type ChangeRequest = (head: RequestHead) => RequestHead;
export type ChangeResponse = (head: ResponseHead) => ResponseHead;

export interface Filters {
  readonly cors: Cors | undefined;
  readonly redirect: Redirect | undefined;
  /** `undefined`: nothing is changed. */
  readonly changeRequest: ChangeRequest | undefined;
  /** Without what CORS says. */
  readonly changeResponse: ChangeResponse | undefined;
  readonly mirrors: readonly MirrorFilter[];
}

/** Changes are made in the order of the list; of several redirects or CORS filters the last holds. */
export function compileFilters(filters: readonly RouteFilter[], place: RulePlace): Filters {
  const requests: ChangeRequest[] = [];
  const responses: ChangeResponse[] = [];
  const mirrors: MirrorFilter[] = [];
  let cors: Cors | undefined;
  let redirect: Redirect | undefined;
  for (const filter of filters) {
    switch (filter.kind) {
      case "requestHeaders":
        requests.push(requestChange(filter));
        break;
      case "responseHeaders":
        responses.push(responseChange(filter));
        break;
      case "rewrite":
        requests.push(rewriting(filter, place));
        break;
      case "redirect":
        redirect = compileRedirect(filter, place);
        break;
      case "mirror":
        mirrors.push(filter);
        break;
      case "cors":
        cors = compileCors(filter);
        break;
    }
  }
  const changeRequest = inTurn(requests);
  return { cors, redirect, changeRequest, changeResponse: inTurn(responses), mirrors };
}

/** A name and maybe a port. */
const AUTHORITY = /^[A-Za-z0-9._-]+(?::[1-9][0-9]{0,4})?$/;

function requestChange(change: HeaderChange): ChangeRequest {
  const changeFields = compileHeaderChange(change);
  // The host is no field of a head: it is the request's authority.
  const [, host = ""] = change.set.find(([name]) => name.toLowerCase() === "host") ?? [];
  const authority = AUTHORITY.test(host) ? host : undefined;
  return (head) => ({
    ...head,
    authority: authority ?? head.authority,
    fields: changeFields(head.fields),
  });
}

function responseChange(change: HeaderChange): ChangeResponse {
  const changeFields = compileHeaderChange(change);
  return (head) => ({ ...head, fields: changeFields(head.fields) });
}

function rewriting(
  { hostname, path }: Extract<RouteFilter, { kind: "rewrite" }>,
  { prefix }: RulePlace,
): ChangeRequest {
  const changePath = path ? compilePathChange(path, prefix) : undefined;
  return (head) => ({
    ...head,
    authority: hostname === "" ? head.authority : hostname,
    path: changePath ? changePath(head.path) : head.path,
  });
}

function inTurn<Head>(
  changes: readonly ((head: Head) => Head)[],
): ((head: Head) => Head) | undefined {
  if (changes.length <= 1) return changes[0];
  return (head) => changes.reduce((changed, change) => change(changed), head);
}
