/** An answer to a caller, as text. */
export interface PluginOutcome {
  /** Of a tenant that the plugin knows: what the application was sent. */
  readonly known: string;
  readonly unknown: string;
  /** While another request of the plugin stalled: `/stall`, and one that came behind it. */
  readonly stalled: string;
  readonly behind: string;
  readonly thrown: string;
  readonly badConfig: string;
  /** Once the ConfigMap is gone. */
  readonly missing: string;
  /** Of failures, where MeshConfig lets requests go on. */
  readonly open: string;
}
