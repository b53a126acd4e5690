/** A Service whose port is HTTP, with its endpoints on ports of one pod, and a caller's connections to it. Not a test itself. */
import { once } from "node:events";
import { Agent, type IncomingMessage, type RequestOptions, request } from "node:http";
import type { Socket } from "node:net";
import type { HttpVersion } from "../../core/model/enrolment.ts";
import { DEFAULT_HTTP_SETTINGS, type HttpSettings } from "../../core/model/http-settings.ts";
import type { BalanceAlgorithm, ServicePort } from "../../core/model/service.ts";
import {
  DEFAULT_TRAFFIC_SETTINGS,
  type TrafficSettings,
} from "../../core/model/traffic-settings.ts";
import { startFromPod } from "./pod-network.ts";
import type { TrafficMesh } from "./traffic-mesh.ts";

export const ADDRESS = "10.96.0.10";

export interface ServiceWish {
  readonly name: string;
  /** Where the endpoints listen, all of them in pod b. */
  readonly ports: readonly number[];
  /** Of what callers speak at its port, `http1` where it does not say. */
  readonly version?: HttpVersion | "opaque";
  readonly address?: string;
  readonly traffic?: Partial<TrafficSettings>;
  readonly algorithm?: BalanceAlgorithm;
  readonly http?: Partial<HttpSettings>;
}

/** In place of what had the address before. */
export function putService(mesh: TrafficMesh, wish: ServiceWish): void {
  const { name, ports, version = "http1", traffic = {}, address = ADDRESS, algorithm } = wish;
  const named = { namespace: "shop", name };
  const spoken = version === "opaque" ? {} : { http: version };
  const port: ServicePort = { port: 80, name: "http", appProtocol: "", ...spoken };
  const rest = { algorithm: "round_robin", localOnly: false, distribution: "anywhere" } as const;
  mesh.put(
    {
      kind: "service",
      value: { ...named, addresses: [address], ports: [port], ...rest, affinitySeconds: 0 },
    },
    {
      kind: "traffic",
      value: {
        ref: `shop/${name}`,
        services: [`shop/${name}`],
        algorithm,
        settings: {
          ...DEFAULT_TRAFFIC_SETTINGS,
          http: { ...DEFAULT_HTTP_SETTINGS, ...wish.http },
          ...traffic,
        },
      },
    },
    ...ports.map((each) => ({
      kind: "endpointSlice" as const,
      value: {
        namespace: "shop",
        name: `${name}-${each}`,
        service: name,
        ports: [{ name: "http", port: each }],
        endpoints: [
          {
            address: mesh.network.b.v4,
            workload: "uid-b",
            ready: true,
            draining: false,
            node: "node-b",
            zone: "",
            forZones: [],
            forNodes: [],
          },
        ],
      },
    })),
  );
}

/** One application's client: its connections are kept, and `sockets` at most are open at once. */
export class Caller {
  readonly opened: Socket[] = [];
  readonly #agent: Agent;

  constructor(mesh: TrafficMesh, sockets: number) {
    const { opened } = this;
    this.#agent = new Agent({ keepAlive: true, maxSockets: sockets });
    this.#agent.createConnection = () => {
      const socket = startFromPod(mesh.network.a, ADDRESS, 80);
      opened.push(socket);
      return socket;
    };
  }

  async get(path: string, options: RequestOptions = {}): Promise<Reply> {
    const asked = request({ agent: this.#agent, host: "api.shop", path, ...options });
    asked.end();
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    return replyOf(answer);
  }

  async send(path: string, body: string, options: RequestOptions = {}): Promise<Reply> {
    const asked = request({ agent: this.#agent, method: "POST", path, ...options });
    asked.end(body);
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    return replyOf(answer);
  }

  close(): void {
    this.#agent.destroy();
    for (const socket of this.opened) socket.destroy();
  }
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly trailers: IncomingMessage["trailers"];
  readonly body: string;
}

async function replyOf(answer: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  const { statusCode: status = 0, headers, trailers } = answer;
  return { status, headers, trailers, body: Buffer.concat(chunks).toString() };
}
