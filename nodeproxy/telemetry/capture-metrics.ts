/** How many pods of this node are captured, and how many wait for it or cannot be. */
import { Gauge, type Registry } from "prom-client";

const STATES = ["pending", "captured", "releasing", "failed"] as const;

interface Capture {
  readonly state: (typeof STATES)[number];
}

export function exposeCaptures(registry: Registry, captures: () => readonly Capture[]): void {
  new Gauge({
    name: "weft_nodeproxy_pods",
    help: "Pods of this node that are in the mesh, by what the node proxy has reached with them",
    labelNames: ["state"],
    registers: [registry],
    collect() {
      const all = captures();
      for (const state of STATES) {
        this.set({ state }, all.filter((each) => each.state === state).length);
      }
    },
  });
}
