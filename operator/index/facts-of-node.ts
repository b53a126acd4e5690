/** What the enrolments of a node's pods say of the node: where it is another they are compiled again. */
import type { Node } from "../resources/node.ts";

export function factsOf(node: Node | undefined): string | undefined {
  return node && `${node.zone} ${node.addresses.join()}`;
}
