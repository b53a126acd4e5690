/** Where `promtool` is, which Debian has beside Prometheus. */
import { findDebianProgram } from "./debian-program.ts";

/** Rejects where there is none and Debian's package cannot be had; the message says which. */
export async function findPromtool(): Promise<string> {
  return findDebianProgram({ name: "promtool", from: "prometheus", path: "usr/bin/promtool" });
}
