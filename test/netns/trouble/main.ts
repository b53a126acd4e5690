/** A node that is cut off, memory that runs out, applications that crash, clocks that step, pods that come and go. Run by `trouble.test.ts`. */
import { runStory } from "../faults/run-story.ts";
import { tellTrouble } from "./story.ts";

process.exit(await runStory({ name: "trouble", tell: tellTrouble }));
