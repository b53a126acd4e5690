/** A balancer over endpoints that are alike, with chance that is the same in every run. */
import type { BalanceAlgorithm, Service } from "../../core/model/service.ts";
import {
  DEFAULT_TRAFFIC_SETTINGS,
  type TrafficSettings,
} from "../../core/model/traffic-settings.ts";
import { Balancer } from "../../nodeproxy/balance/balancer.ts";
import { SeededRandom } from "./seeded-random.ts";

export interface SimpleBalancer {
  readonly algorithm?: BalanceAlgorithm;
  readonly count: number;
  readonly seed?: number;
  readonly service?: Partial<Service>;
  readonly traffic?: Partial<TrafficSettings>;
  readonly nowMs?: number;
}

/** Addresses `10.0.x.y`, port 80. */
export function simpleBalancer(wish: SimpleBalancer): Balancer {
  const chance = new SeededRandom(wish.seed ?? 1);
  const balancer = new Balancer("", () => chance.next());
  tellMembers(balancer, wish);
  return balancer;
}

/** The endpoints are so many from now on. */
export function tellMembers(balancer: Balancer, wish: SimpleBalancer): void {
  const { algorithm = "round_robin", count, service = {}, traffic = {}, nowMs = 0 } = wish;
  const named = { namespace: "shop", name: "web" };
  const place = { node: "n", zone: "", forZones: [], forNodes: [] };
  const endpoints = Array.from({ length: count }, (_, i) => {
    const address = `10.0.${i >> 8}.${i & 255}`;
    return { address, workload: `pod-${i}`, ready: true, draining: false, ...place };
  });
  const rest = { localOnly: false, distribution: "anywhere", affinitySeconds: 0 } as const;
  balancer.refresh(
    {
      service: { ...named, addresses: [], ports: [], algorithm, ...rest, ...service },
      traffic: {
        ref: "shop/p",
        services: ["shop/web"],
        algorithm: undefined,
        settings: { ...DEFAULT_TRAFFIC_SETTINGS, ...traffic },
      },
      slices: [
        { ...named, name: "web-1", service: "web", ports: [{ name: "", port: 80 }], endpoints },
      ],
      node: "n",
      zone: "",
      weightsVersion: 0,
      weightOf: () => 1,
    },
    nowMs,
  );
}
