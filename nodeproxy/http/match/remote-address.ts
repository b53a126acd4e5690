/**
 * Who asked first, where proxies stand in between? Pure.
 *
 * Each trusted proxy has added the address that it was called from behind those before, so that as many of the last
 * entries of X-Forwarded-For can be believed as there are trusted proxies. What stands further left anybody may have
 * written. Without trusted proxies the header says nothing, and the direct peer is who asked.
 */
import { ipBytes } from "../../../core/model/ip.ts";
import type { HeaderLines } from "../../authz/attempt.ts";

export interface RemoteQuestion {
  readonly headers: HeaderLines;
  /** Of the direct peer, as `ipBytes()` gives it. */
  readonly sourceIp: readonly number[];
  /** In front of the workload. */
  readonly trustedProxies: number;
}

/** The direct peer too where there are fewer entries than proxies, or the entry is no address: nobody trusted wrote it. */
export function remoteAddress(question: RemoteQuestion): readonly number[] {
  const { headers, sourceIp, trustedProxies } = question;
  if (trustedProxies === 0) return sourceIp;
  const entries = (headers.get("x-forwarded-for") ?? []).flatMap((line) => line.split(","));
  const entry = entries.at(-trustedProxies);
  return (entry === undefined ? undefined : ipBytes(entry.trim())) ?? sourceIp;
}
