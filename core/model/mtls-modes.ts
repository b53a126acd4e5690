/** Which of a workload's ports take plaintext: PeerAuthentication, already resolved by the operator for one workload. */

/** STRICT refuses plaintext; PERMISSIVE takes both; DISABLE takes both and callers do not encrypt towards it. */
export type MtlsMode = "STRICT" | "PERMISSIVE" | "DISABLE";

export interface MtlsModes {
  readonly default: MtlsMode;
  /** The workload's own ports that differ, ascending. */
  readonly ports: readonly { readonly port: number; readonly mode: MtlsMode }[];
}

export function modeOfPort(modes: MtlsModes, port: number): MtlsMode {
  return modes.ports.find((entry) => entry.port === port)?.mode ?? modes.default;
}
