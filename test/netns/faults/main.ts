/** Kills the parts of a running mesh one after the other under load. Run by `faults.test.ts`. */
import { runStory } from "./run-story.ts";
import { tellFaults } from "./story.ts";

/** Longer than deployed: connections that are open live through several replacements on a busy machine. */
const GRACE_SECONDS = "300";

process.exit(
  await runStory({
    name: "faults",
    tell: tellFaults,
    confinement: { graceSeconds: GRACE_SECONDS },
  }),
);
