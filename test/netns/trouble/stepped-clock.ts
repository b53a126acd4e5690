/**
 * A node proxy whose clock of the day steps while its monotonic clock goes on, as after a correction by NTP or of a
 * virtual machine that was paused: libfaketime in each of its processes, told by one file.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { WorldNode } from "../../world/world.ts";
import type { FaultStage } from "../faults/stage.ts";

/** glibc knows the folder of libraries of this machine's kind (ld.so(8)). */
const LIBRARY = "/usr/$LIB/faketime/libfaketime.so.1";

export class SteppedClock {
  readonly #file: string;

  constructor(folder: string) {
    this.#file = join(folder, "clock");
    this.step(0);
  }

  /** So far from the machine's, within a second. */
  step(minutes: number): void {
    writeFileSync(this.#file, `${minutes < 0 ? "" : "+"}${minutes}m\n`);
  }

  /** Starts the node's proxy anew by this clock. As root: libfaketime's semaphore is whose first process it is. */
  async rule(stage: FaultStage, node: WorldNode): Promise<void> {
    const settings = [
      `LD_PRELOAD=${LIBRARY}`,
      `FAKETIME_TIMESTAMP_FILE=${this.#file}`,
      "FAKETIME_CACHE_DURATION=1",
      // Node ends where the monotonic clock steps.
      "FAKETIME_DONT_FAKE_MONOTONIC=1",
      "NO_FAKE_STAT=1",
    ];
    await stage.killNodeProxy(node);
    await stage.startNodeProxy(node, {
      trafficUser: "0:0",
      wrapper: ["env", ...settings, ...stage.wrapper],
    });
  }
}
