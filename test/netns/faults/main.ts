/** Kills the parts of a running mesh one after the other under load. Run by `faults.test.ts`. */
import { runStory } from "./run-story.ts";
import { tellFaults } from "./story.ts";

process.exit(await runStory({ name: "faults", tell: tellFaults }));
