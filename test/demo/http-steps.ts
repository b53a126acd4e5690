/**
 * What the demo shows of HTTP: a canary by weight, a retry that saves a request, a rate limit. As in `steps.ts` each
 * step counts what it returns.
 */
import { writeManifest } from "../world/manifests.ts";
import { until } from "../world/until.ts";
import { CANARY, CUSTOMER_LIMIT, CUSTOMER_REQUESTS } from "./manifests.ts";
import { requests } from "./shop-programs.ts";
import type { Stage } from "./steps.ts";
import type { Summary } from "./summary.ts";

const ROUTED = 200;
/** A third of them comes to the replica that cannot answer. */
const RETRIED = 30;
const OVER_LIMIT = 5;
const STOCK = { path: "/stock" };

export async function retriesAndCanary({
  web,
  mesh,
}: Stage): Promise<Pick<Summary, "retry" | "canary">> {
  const without = await requests(web, RETRIED, STOCK);
  writeManifest(mesh.manifests, "route.yaml", [CANARY]);
  await until("the route to hold", async () => {
    const { replicas } = await requests(web, 10);
    return replicas["api-next"] === undefined ? undefined : true;
  });
  const saved = await requests(web, RETRIED, STOCK);
  const routed = await requests(web, ROUTED);
  return {
    retry: { requests: saved.requests, failed: saved.failed, failedWithout: without.failed },
    canary: {
      requests: routed.requests,
      failed: routed.failed,
      next: routed.replicas["api-next"] ?? 0,
    },
  };
}

export async function limitCustomers({ web, mesh }: Stage): Promise<Summary["rateLimit"]> {
  const orders = { service: "api-next", path: "/orders" } as const;
  writeManifest(mesh.manifests, "limit.yaml", [CUSTOMER_LIMIT]);
  await until("the limit to hold", async () => {
    const { statuses } = await requests(web, CUSTOMER_REQUESTS, { ...orders, customer: "first" });
    return statuses[429] === undefined ? undefined : true;
  });
  const count = CUSTOMER_REQUESTS + OVER_LIMIT;
  const { statuses } = await requests(web, count, { ...orders, customer: "second" });
  return { requests: count, answered: statuses[200] ?? 0, limited: statuses[429] ?? 0 };
}
