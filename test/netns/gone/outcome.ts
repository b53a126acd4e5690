/** What `main.ts` prints. */
export interface GoneOutcome {
  /** From the change of a file to the end of the connection, and the codes that both nodes logged of it. */
  readonly podGone: { readonly tookMs: number; readonly codes: readonly string[] };
  /** A new connection of the process that lives on. */
  readonly afterwards: boolean;
  /** Identities that its node still has keys of. */
  readonly identities: readonly string[];
  /** First try of a pod of the same account that came to the node later. */
  readonly successor: boolean;
  readonly nodeGone: { readonly tookMs: number; readonly codes: readonly string[] };
  /** While its node proxy runs on without a Node. */
  readonly withoutNode: boolean;
  readonly nodeBack: boolean;
}
