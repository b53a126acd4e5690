import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Endpoint, EndpointSlice } from "../../core/model/service.ts";
import { SliceIndex } from "./slice-index.ts";

const ADDRESSES = ["10.0.0.1", "10.0.0.2", "fd00::3"];
const PORTS = [80, 443];

function sliceOf(name: string, addresses: readonly string[], ports: readonly number[]) {
  const endpoint: Omit<Endpoint, "address"> = {
    workload: "",
    node: "",
    ready: true,
    draining: false,
    zone: "",
    forZones: [],
    forNodes: [],
  };
  const slice: EndpointSlice = {
    namespace: "shop",
    name,
    service: "api",
    ports: ports.map((port) => ({ name: `p${port}`, port })),
    endpoints: addresses.map((address) => ({ ...endpoint, address })),
  };
  return slice;
}

test("SliceIndex.hasEndpoint(): true for what some slice holds now, whenever it was asked first", () => {
  const step = fc.record({
    name: fc.constantFrom("s1", "s2", "s3"),
    addresses: fc.option(fc.uniqueArray(fc.constantFrom(...ADDRESSES))),
    ports: fc.uniqueArray(fc.constantFrom(...PORTS)),
    isAsked: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const index = new SliceIndex();
      const held = new Map<string, EndpointSlice>();
      for (const { name, addresses, ports, isAsked } of steps) {
        index.remove(name);
        held.delete(name);
        const slice = addresses && sliceOf(name, addresses, ports);
        if (slice) {
          index.put(name, slice);
          held.set(name, slice);
        }
        if (isAsked) index.hasEndpoint("10.0.0.1", 80);
      }
      expect(endpointsOf(index)).toEqual(endpointsIn(held));
      expect([...index.names()].toSorted()).toEqual([...held.keys()].toSorted());
      expect(index.of("shop/api")).toHaveLength(held.size);
    }),
  );
});

function endpointsOf(index: SliceIndex): readonly string[] {
  return ADDRESSES.flatMap((address) =>
    PORTS.filter((port) => index.hasEndpoint(address, port)).map((port) => `${address} ${port}`),
  );
}

function endpointsIn(held: ReadonlyMap<string, EndpointSlice>): readonly string[] {
  const all = [...held.values()].flatMap(({ endpoints, ports }) =>
    endpoints.flatMap(({ address }) => ports.map(({ port }) => `${address} ${port}`)),
  );
  const order = ADDRESSES.flatMap((address) => PORTS.map((port) => `${address} ${port}`));
  return order.filter((each) => all.includes(each));
}
