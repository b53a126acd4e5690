/** A node proxy that starts with nothing told and nothing on its disk, before a pod that is captured: nobody gets in. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { expect, test } from "@jest/globals";
import { isAnswered, listenInPod, startFromPod } from "./pod-network.ts";
import { changesOf } from "./policy-mesh.ts";
import {
  createTrafficMesh,
  enrolment,
  type LoggedConnection,
  SETTINGS,
  startUntold,
  type TrafficMesh,
  type TrafficNode,
  workload,
} from "./traffic-mesh.ts";

const PORT = 8080;
const LIMIT_MS = 300_000;

interface Outcome {
  readonly carried: boolean;
  /** The line of the called pod's node. */
  readonly told: LoggedConnection;
}

/** Of a call of pod a to pod b. */
async function outcomeOf({ network }: TrafficMesh, called: TrafficNode): Promise<Outcome> {
  const told = called.nextEnded();
  const carried = await isAnswered(startFromPod(network.a, network.b.v4, PORT));
  return { carried, told: await told };
}

test(
  "over time: [G4] with neither the operator nor a snapshot the node denies, until it is told",
  async () => {
    await using mesh = await createTrafficMesh("wt-untold");
    const { b } = mesh.network;
    const accepted: Socket[] = [];
    const server = await listenInPod(b, { port: PORT, family: 4 }, (socket) => {
      accepted.push(socket);
      socket.on("error", () => undefined).on("end", () => socket.end());
      socket.resume().write("hello");
    });
    await mesh.b.traffic.close();
    const node = await startUntold(b, "uid-b");
    // A certificate of its own opens nothing: nobody else's can be believed.
    mesh.leaf(node, "b");
    expect(await isAnswered(startFromPod(mesh.network.a, b.v4, PORT))).toBe(false);
    mesh.put(workload(b, "b", { tunnel: false }));
    const plaintext = await outcomeOf(mesh, node);
    // Not even that the address is the pod's.
    expect(plaintext).toMatchObject({
      carried: false,
      told: { outcome: { code: "foreign_address" } },
    });
    expect(accepted).toEqual([]);

    // That it could have, had it known.
    const known = enrolment(b, "b", { modes: { default: "PERMISSIVE", ports: [] } });
    const changes = changesOf([SETTINGS, known]);
    node.traffic.onMessage({ kind: "changes", changes }, []);
    expect(await outcomeOf(mesh, node)).toMatchObject({ carried: true });
    await node.traffic.close();
    for (const socket of accepted) socket.destroy();
    await once(server.close(), "close");
  },
  LIMIT_MS,
);
