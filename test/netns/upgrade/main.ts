/** Rolls all node proxies of a mesh under a steady load of new connections. Run by `upgrade.test.ts`. */
import { runStory } from "../faults/run-story.ts";
import { tellUpgrades } from "./story.ts";

/** The shortest that there is: connections that never end by themselves end with it, so that many upgrades fit in. */
const GRACE_SECONDS = 10;
const DRAIN_MS = 5_000;

process.exit(
  await runStory({
    name: "upgrade",
    tell: async (stage) => tellUpgrades(stage, DRAIN_MS),
    confinement: { graceSeconds: String(GRACE_SECONDS) },
  }),
);
