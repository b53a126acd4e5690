/** The image of every pod's sandbox: the pause program and nothing else. */
import { basename } from "node:path";
import { cached } from "./build-cache.ts";
import { PAUSE_IMAGE } from "./cluster-node.ts";
import { writeProgramImage } from "./program-image.ts";

/** Path of the archive, cached beside the program it is made from. */
export async function createPauseImage(pause: string): Promise<string> {
  const image = { name: PAUSE_IMAGE, files: { "/pause": pause }, entrypoint: ["/pause"] };
  return cached(`${basename(pause)}.tar`, async (path) => writeProgramImage(path, image));
}
