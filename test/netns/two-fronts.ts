/**
 * A pod that serves requests behind two node proxies, and a caller whose octets are read first by the called pod's node,
 * or by its own: there the port of a Service with a route is HTTP, and what passes is read again at the called node. Not
 * a test itself.
 */
import { once } from "node:events";
import type { Server, Socket } from "node:net";
import type { HttpVersion } from "../../core/model/enrolment.ts";
import { backendsTo, routeRule } from "../fakes/route-rule.ts";
import { ADDRESS, putService } from "./balanced-service.ts";
import { listenInPod, startFromPod } from "./pod-network.ts";
import { createTrafficMesh, enrolment, type TrafficMesh } from "./traffic-mesh.ts";

/** Whose node reads first. */
export type Front = "called" | "caller";
export const FRONTS: readonly Front[] = ["called", "caller"];

const PORT = 8080;
const SERVICE_PORT = 80;

export interface TwoFronts extends AsyncDisposable {
  readonly mesh: TrafficMesh;
  /** What the application has accepted, oldest first. */
  readonly accepted: readonly Socket[];
  /** Where a program in the calling pod has to connect to. */
  target(front: Front): { readonly host: string; readonly port: number };
  /** A connection of the calling pod. */
  dial(front: Front): Socket;
}

/** `serve`: the application. */
export async function createTwoFronts(
  prefix: string,
  version: HttpVersion,
  serve: (socket: Socket) => void,
): Promise<TwoFronts> {
  const mesh = await createTrafficMesh(prefix);
  const { a, b } = mesh.network;
  const accepted: Socket[] = [];
  const server: Server = await listenInPod(b, { port: PORT, family: 4 }, (socket) => {
    accepted.push(socket);
    serve(socket.on("error", () => undefined));
  });
  mesh.put(enrolment(b, "b", { httpPorts: [{ port: PORT, version }] }));
  putService(mesh, { name: "web", ports: [PORT], version });
  const rules = [routeRule({ backends: backendsTo("web") })];
  const tables = [{ port: SERVICE_PORT, consumer: "", rules }];
  mesh.put({ kind: "routes", value: { service: "shop/web", tables } });
  function target(front: Front): { readonly host: string; readonly port: number } {
    return front === "called" ? { host: b.v4, port: PORT } : { host: ADDRESS, port: SERVICE_PORT };
  }
  return {
    mesh,
    accepted,
    target,
    dial(front) {
      const { host, port } = target(front);
      return startFromPod(a, host, port).on("error", () => undefined);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of accepted) socket.destroy();
      await once(server.close(), "close");
      await mesh[Symbol.asyncDispose]();
    },
  };
}
