/** Which way to a workload: its tunnel, or plaintext where invariant 1 lets it. */
import { expect, test } from "@jest/globals";
import type { MtlsModes } from "../../core/model/mtls-modes.ts";
import type { Workload } from "../../core/model/workload.ts";
import { Balancers } from "../balance/balancers.ts";
import { Current } from "../state/current.ts";
import { chooseUpstream } from "./choose-upstream.ts";

const ADDRESS = "10.244.2.7";

function wayTo(port: number, part: Partial<Workload>): string {
  const view = new Current();
  const value: Workload = {
    uid: "11111111-0000-4000-8000-000000000001",
    namespace: "shop",
    name: "api",
    serviceAccount: "api",
    node: "b",
    addresses: [ADDRESS],
    tunnel: true,
    modes: { default: "PERMISSIVE", ports: [] },
    owner: "api",
    weight: 1,
    ...part,
  };
  const upserts = [{ name: value.uid, version: "", body: { kind: "workload" as const, value } }];
  expect(view.apply({ upserts, removals: [] }).kind).toBe("applied");
  const balancers = new Balancers(view, () => 0.5);
  const caller = { address: "10.244.1.7", tried: [], nowMs: 0 };
  const place = { balancers, node: "a", zone: "", nodeAddresses: [] };
  const route = chooseUpstream(view, { address: ADDRESS, port }, { ...caller, ...place });
  return route.kind === "upstream" ? route.upstream.kind : route.reason;
}

const CLOSED_8080: MtlsModes = {
  default: "STRICT",
  ports: [{ port: 8080, mode: "DISABLE" }],
};

test("chooseUpstream(): towards a port of mode DISABLE nothing is encrypted, towards its neighbour all is", () => {
  expect(wayTo(8080, { modes: CLOSED_8080 })).toBe("plaintext");
  expect(wayTo(9090, { modes: CLOSED_8080 })).toBe("tunnel");
});

test("chooseUpstream(): a workload of mode DISABLE gets plaintext, and the tunnel to the port that differs", () => {
  const modes: MtlsModes = { default: "DISABLE", ports: [{ port: 8080, mode: "PERMISSIVE" }] };
  expect(wayTo(9090, { modes })).toBe("plaintext");
  expect(wayTo(8080, { modes })).toBe("tunnel");
});

test("chooseUpstream(): whoever is captured gets the tunnel under STRICT and PERMISSIVE, and plaintext before", () => {
  for (const mode of ["STRICT", "PERMISSIVE"] as const) {
    const modes: MtlsModes = { default: mode, ports: [] };
    expect(wayTo(8080, { modes })).toBe("tunnel");
    expect(wayTo(8080, { modes, tunnel: false })).toBe("plaintext");
  }
});
