/**
 * Takes the operator away from a running mesh for longer than half a leaf's life, then for longer than a whole one, and
 * looks for secrets where none may be. Run by `operator-away.test.ts`.
 */
import { runStory } from "../faults/run-story.ts";
import { tellOutage } from "./story.ts";

process.exit(await runStory({ name: "outage", tell: tellOutage }));
