/** What a process in a pod says. */
export type CallerMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "opened"; readonly answered: boolean }
  | { readonly kind: "closed"; readonly atMs: number };
