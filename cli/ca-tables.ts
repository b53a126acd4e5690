/** What `weftctl ca status` prints for people: a table for each kind of certificate, trouble in words. */
import { formatDuration } from "./format-duration.ts";
import type { CaView, IntermediateView, RootView } from "./mesh/ca-view.ts";
import type { LeafView } from "./mesh/leaf-view.ts";
import type { ServerView } from "./mesh/server-view.ts";
import { table } from "./print.ts";
import { drawRotation } from "./rotation-display.ts";

export function describeCa(view: CaView, now: number): string {
  const { rootsProblem, roots, intermediates, servers, leaves, rotation, unknown } = view;
  const parts: string[] = [];
  if (rootsProblem !== "") parts.push(`${rootsProblem}: is weft installed in this namespace?`);
  if (roots.length > 0) parts.push(describeAuthorities("root", roots, now));
  if (intermediates.length > 0) {
    parts.push(describeAuthorities("intermediate", intermediates, now));
  }
  parts.push(servers.length === 0 ? "no operator runs" : describeServers(servers, now));
  parts.push(leaves.length === 0 ? "no node serves a certificate" : describeLeaves(leaves, now));
  if (rotation) parts.push(`rotation under way:\n${drawRotation(rotation, now)}`);
  for (const line of unknown) parts.push(`not known: ${line}`);
  return parts.join("\n\n");
}

function describeAuthorities(
  head: string,
  certificates: readonly (RootView | IntermediateView)[],
  now: number,
): string {
  const rows = certificates.map((each) => [
    each.subject,
    shortened(each.fingerprint),
    formatDuration(each.secondsLeft),
    each.renewedBy,
    ago(each.notBefore, now),
    each.state,
  ]);
  return table([head, "fingerprint", "left", "renewed by", "began", "state"], rows);
}

function describeServers(servers: readonly ServerView[], now: number): string {
  const rows = servers.map((each) => [
    each.pod,
    each.certificate,
    each.notAfter === "" ? "-" : formatDuration(each.secondsLeft),
    each.renewedBy,
    ago(each.issuedAt, now),
    each.problem === "" ? each.state : `${each.state}: ${each.problem}`,
  ]);
  return table(["operator", "certificate", "left", "renewed by", "issued", "state"], rows);
}

function describeLeaves(leaves: readonly LeafView[], now: number): string {
  const rows = leaves.map((each) => [
    each.node,
    each.identity,
    each.state === "missing" ? "-" : formatDuration(each.secondsLeft),
    each.issuer === "" ? "-" : shortened(each.issuer),
    each.renewedBy,
    ago(each.issuedAt, now),
    each.state,
  ]);
  return table(["node", "identity", "left", "issuer", "renewed by", "issued", "state"], rows);
}

function ago(at: string, now: number): string {
  const atMs = Date.parse(at);
  return Number.isNaN(atMs) ? "-" : `${formatDuration(Math.max(0, now - atMs) / 1000)} ago`;
}

/** Enough to tell them apart; `--json` has all of it. */
function shortened(fingerprint: string): string {
  return fingerprint.slice(0, 12);
}
