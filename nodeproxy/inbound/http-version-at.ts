/** Are requests judged one by one on that port of a pod of this node? Opaque for who does not know. */
import type { Enrolment, HttpVersion } from "../../core/model/enrolment.ts";

/** `undefined` for ports that are opaque. */
export function httpVersionAt(
  enrolment: Enrolment | undefined,
  port: number,
): HttpVersion | undefined {
  return enrolment?.httpPorts?.find((each) => each.port === port)?.version;
}
