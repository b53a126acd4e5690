/** Which connections of a pod go to the same place, so that one may serve the requests of another? */

/** Where connections go that may serve the same requests. */
export interface EndpointRef {
  /** `namespace/name`. */
  readonly service: string;
  /** Of the Service. */
  readonly port: number;
  /** `address:port`. */
  readonly key: string;
  /** UID of the pod there; "" for an address of no pod. */
  readonly workload: string;
  readonly tunnelled: boolean;
}

/** Its key in a pool. */
export function nameOf({ service, port, key, workload, tunnelled }: EndpointRef): string {
  return `${service} ${port} ${key} ${workload} ${tunnelled}`;
}
