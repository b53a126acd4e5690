import { expect, test } from "@jest/globals";
import { Counter, Histogram, Registry } from "prom-client";
import { DENIED_CONNECTION, DENIED_OUTCOME } from "../../test/fakes/denied-connection.ts";
import { ConnectionMetrics } from "../telemetry/connection-metrics.ts";
import type { Metrics } from "./messages.ts";
import { SummedMetrics } from "./summed-metrics.ts";

/** What a worker tells after so many requests, as it arrives from its thread. */
async function told(requests: number): Promise<Metrics> {
  const registry = new Registry();
  const metrics = new ConnectionMetrics();
  metrics.expose(registry, { Counter, Histogram });
  for (let count = 0; count < requests; count += 1) {
    metrics.requested(DENIED_CONNECTION, DENIED_OUTCOME);
  }
  return structuredClone(await registry.getMetricsAsJSON());
}

test("SummedMetrics.text(): histograms of requests are those of all workers, the dead ones' too", async () => {
  const workers = [await told(2), await told(3)];
  const registries = { own: new Registry(), added: new Registry() };
  const summed = new SummedMetrics(registries, (worker, id) => {
    summed.answered(worker, { id, metrics: workers[worker] ?? [] });
    return true;
  });
  await summed.text(2, {});
  await summed.died(1, "exit");
  workers[1] = await told(4);
  const text = await summed.text(2, { process: "traffic" });
  const name = "weft_http_request_duration_seconds";
  expect(text).toContain(`# TYPE ${name} histogram`);
  expect(text).toMatch(
    new RegExp(`^${name}_bucket\\{le="\\+Inf",.*process="traffic".*\\} 9$`, "m"),
  );
  expect(text).toMatch(new RegExp(`^${name}_count\\{.*status_class="none".*\\} 9$`, "m"));
  expect(text).toMatch(/^weft_http_request_bytes_total\{.*status_class="none".*\} 9$/m);
});
