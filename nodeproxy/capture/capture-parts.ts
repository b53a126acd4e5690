/** What the capture of pods needs from the rest of the control process. */
import type { CaptureReport } from "../../core/model/node-report.ts";
import type { Log } from "../../core/process/log.ts";
import type { KeptDescriptors } from "../channel/kept-descriptors.ts";
import type { ToTraffic } from "../channel/messages.ts";

export interface CaptureParts {
  readonly log: Log;
  readonly send: (message: ToTraffic, descriptors?: readonly number[]) => unknown;
  /** Whether the traffic process has been given a leaf for the pod's identity. */
  readonly hasLeaf: (uid: string) => boolean;
  /** False where the workload still exists and the operator says that no caller tunnels to it. */
  readonly hasTunnel: (uid: string) => boolean;
  readonly onState: (report: CaptureReport) => void;
  /** Nothing of the pod is held any more, and no report names it. */
  readonly onClosed: (uid: string) => void;
  /** Absent where no keeper runs: then listeners end with this process. */
  readonly kept?: KeptDescriptors | undefined;
}
