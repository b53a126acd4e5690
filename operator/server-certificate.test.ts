import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { pino } from "pino";
import { createMemoryKeyStore } from "../test/fakes/memory-key-store.ts";
import { type Authority, createAuthority } from "./ca/authority.ts";
import { CaError } from "./ca/ca-error.ts";
import type { ServerCertificate } from "./ca/issue-certificate.ts";
import { createRenewal, type Renewal } from "./server-certificate.ts";

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2030, 0, 1);
const names = { dnsNames: ["weft-operator.weft-system.svc"] };
const log = pino({ enabled: false });

let authority: Authority;
let renewal: Renewal;

beforeEach(async () => {
  jest.useFakeTimers({ now: START_MS });
  const keyStore = createMemoryKeyStore();
  authority = await createAuthority({ keyStore, trustDomain: "cluster.local", now: START_MS });
});

afterEach(() => {
  renewal.close();
  jest.useRealTimers();
});

function startRenewal(from: Pick<Authority, "issueServer"> = authority): ServerCertificate[] {
  const served: ServerCertificate[] = [];
  renewal = createRenewal({ authority: from, names, log });
  renewal.start((certificate) => served.push(certificate));
  return served;
}

test("createRenewal(): a certificate is exchanged at two thirds of its life, again and again, never after its end", () => {
  const served = startRenewal();
  expect(renewal.first.notAfterMs).toBe(START_MS + 24 * HOUR_MS);
  jest.advanceTimersByTime(16 * HOUR_MS - 1000);
  expect(served).toEqual([]);
  jest.advanceTimersByTime(2000);
  expect(served.map(({ notAfterMs }) => notAfterMs)).toEqual([START_MS + 40 * HOUR_MS]);
  for (let hour = 0; hour < 100; hour += 1) {
    jest.advanceTimersByTime(HOUR_MS);
    expect(renewal.notAfterMs()).toBeGreaterThan(Date.now() + 7 * HOUR_MS);
  }
  expect(served).toHaveLength(7);
});

test("createRenewal(): a machine that slept past the end of the certificate renews it within ten minutes", () => {
  const served = startRenewal();
  jest.advanceTimersByTime(HOUR_MS);
  jest.setSystemTime(START_MS + 30 * HOUR_MS);
  jest.advanceTimersByTime(10 * 60_000);
  expect(served).toHaveLength(1);
  expect(renewal.notAfterMs()).toBeGreaterThan(Date.now() + 23 * HOUR_MS);
});

test("createRenewal(): a CA that cannot sign leaves the certificate that is served, and is asked again each minute", () => {
  let failures = 0;
  let isAway = false;
  const served = startRenewal({
    issueServer: (request) => {
      if (!isAway) return authority.issueServer(request);
      failures += 1;
      throw new CaError("ca_expired", "over");
    },
  });
  isAway = true;
  jest.advanceTimersByTime(16 * HOUR_MS + 3 * 60_000);
  expect([failures, served.length]).toEqual([4, 0]);
  expect(renewal.notAfterMs()).toBe(renewal.first.notAfterMs);
  isAway = false;
  jest.advanceTimersByTime(60_000);
  expect(served).toHaveLength(1);
});

test("createRenewal(): after close() nothing is exchanged any more", () => {
  const served = startRenewal();
  renewal.close();
  jest.advanceTimersByTime(48 * HOUR_MS);
  expect(served).toEqual([]);
});
