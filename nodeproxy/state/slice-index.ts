/** The EndpointSlices that the node proxy knows: by the Service that they belong to, and by the endpoints in them. */
import type { EndpointSlice } from "../../core/model/service.ts";
import { MultiIndex } from "./multi-index.ts";

export class SliceIndex {
  readonly #slices = new Map<string, EndpointSlice>();
  readonly #byService = new MultiIndex<EndpointSlice>();
  /** `address port` → in how many slices. Only made once somebody asks: nobody does unless outboundPolicy is registryOnly. */
  #endpoints: Map<string, number> | undefined;

  names(): Iterable<string> {
    return this.#slices.keys();
  }

  put(name: string, slice: EndpointSlice): void {
    this.#slices.set(name, slice);
    this.#byService.add(serviceOf(slice), slice);
    if (this.#endpoints) count(this.#endpoints, slice, 1);
  }

  remove(name: string): void {
    const slice = this.#slices.get(name);
    if (!slice) return;
    this.#byService.delete(serviceOf(slice), slice);
    this.#slices.delete(name);
    if (this.#endpoints) count(this.#endpoints, slice, -1);
  }

  of(service: string): readonly EndpointSlice[] {
    return this.#byService.all(service);
  }

  /** Ready or not: whether it may be called is not asked here. */
  hasEndpoint(address: string, port: number): boolean {
    if (!this.#endpoints) {
      this.#endpoints = new Map();
      for (const slice of this.#slices.values()) count(this.#endpoints, slice, 1);
    }
    return this.#endpoints.has(`${address} ${port}`);
  }
}

function count(endpoints: Map<string, number>, slice: EndpointSlice, by: 1 | -1): void {
  for (const { address } of slice.endpoints) {
    for (const { port } of slice.ports) {
      const key = `${address} ${port}`;
      const slices = (endpoints.get(key) ?? 0) + by;
      if (slices === 0) endpoints.delete(key);
      else endpoints.set(key, slices);
    }
  }
}

function serviceOf({ namespace, service }: EndpointSlice): string {
  return `${namespace}/${service}`;
}
