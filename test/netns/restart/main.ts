/** Kills processes of node proxies under a steady load of new connections. Run by `restart.test.ts`. */
import { runStory } from "../faults/run-story.ts";
import { tellRestarts } from "./story.ts";

process.exit(await runStory({ name: "restart", tell: tellRestarts }));
