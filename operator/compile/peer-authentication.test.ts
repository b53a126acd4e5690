import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { modeOfPort } from "../../core/model/mtls-modes.ts";
import type { PeerAuthentication, PeerMode } from "../resources/peer-authentication.ts";
import { compileModes, mistakenPorts } from "./peer-authentication.ts";

const ROOT = "weft-system";
const MODES = ["absent", "UNSET", "STRICT", "PERMISSIVE", "DISABLE"] as const;
type Setting = (typeof MODES)[number];

interface Shape {
  readonly namespace?: string;
  readonly name?: string;
  readonly createdMs?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly mode?: PeerMode;
  readonly ports?: PeerAuthentication["ports"];
}

function policy({
  namespace = "shop",
  name = "p",
  createdMs = 1,
  labels,
  mode = "UNSET",
  ports = [],
}: Shape): PeerAuthentication {
  return {
    metadata: { namespace, name, uid: "", createdMs, generation: 1, labels: {} },
    scope: labels ? { kind: "labels", labels } : { kind: "namespace" },
    mode,
    ports,
  };
}

function modes(policies: readonly PeerAuthentication[], namespace = "shop") {
  return compileModes({ policies, namespace, labels: { app: "api" }, rootNamespace: ROOT });
}

const app = { app: "api" };

test("compileModes(): nothing anywhere is PERMISSIVE", () => {
  expect(modes([])).toEqual({ default: "PERMISSIVE", ports: [] });
});

/** Written apart from the compiler: the list of settings from the narrowest, the first that says something. */
function oracle(settings: readonly Setting[]): string {
  const said = settings.filter((setting) => setting !== "absent" && setting !== "UNSET");
  return said[0] ?? "PERMISSIVE";
}

test("compileModes(): all of mesh × namespace × workload × port equal the oracle [F16]", () => {
  const all = MODES.flatMap((mesh) =>
    MODES.flatMap((namespace) =>
      MODES.flatMap((workload) => MODES.map((port) => ({ mesh, namespace, workload, port }))),
    ),
  );
  expect(all).toHaveLength(625);
  for (const levels of all) {
    const { mesh, namespace, workload, port } = levels;
    const compiled = modes(combination(levels));
    // A port without its workload's policy cannot be written.
    const own = workload === "absent" ? "absent" : port;
    expect(modeOfPort(compiled, 80)).toBe(oracle([own, workload, namespace, mesh]));
    expect(modeOfPort(compiled, 81)).toBe(oracle([workload, namespace, mesh]));
  }
});

type Levels = Readonly<Record<"mesh" | "namespace" | "workload" | "port", Setting>>;

function combination({ mesh, namespace, workload, port }: Levels): PeerAuthentication[] {
  const policies: PeerAuthentication[] = [];
  if (mesh !== "absent") policies.push(policy({ namespace: ROOT, mode: mesh }));
  if (namespace !== "absent") policies.push(policy({ mode: namespace }));
  if (workload !== "absent") {
    const ports = port === "absent" ? [] : [{ port: 80, mode: port }];
    policies.push(policy({ labels: app, mode: workload, ports }));
  }
  return policies;
}

test("compileModes(): of two in one scope the oldest rules, whatever their order [F10]", () => {
  const old = policy({ name: "z", createdMs: 1, mode: "STRICT" });
  const young = policy({ name: "a", createdMs: 2, mode: "DISABLE" });
  expect(modes([old, young]).default).toBe("STRICT");
  expect(modes([young, old]).default).toBe("STRICT");
});

test("compileModes(): the oldest rules whole: what it leaves unset is not the younger's [F10]", () => {
  const old = policy({ name: "old", createdMs: 1, labels: app, mode: "UNSET" });
  const ports = [{ port: 80, mode: "STRICT" as const }];
  const young = policy({ name: "young", createdMs: 2, labels: app, mode: "STRICT", ports });
  expect(modes([young, old])).toEqual({ default: "PERMISSIVE", ports: [] });
});

test("compileModes(): of two equally old the first by name rules", () => {
  const a = policy({ name: "a", mode: "STRICT" });
  const b = policy({ name: "b", mode: "DISABLE" });
  expect(modes([b, a]).default).toBe("STRICT");
});

test("compileModes(): another namespace, other labels and selectors of the root namespace are not ours", () => {
  const foreign = [
    policy({ namespace: "ops", mode: "STRICT" }),
    policy({ labels: { app: "web" }, mode: "STRICT" }),
    policy({ namespace: ROOT, labels: app, mode: "STRICT" }),
  ];
  expect(modes(foreign).default).toBe("PERMISSIVE");
  expect(modes(foreign, ROOT).default).toBe("STRICT");
});

test("compileModes(): order of objects never matters, ports ascend and differ from the default", () => {
  const mode = fc.constantFrom<PeerMode>("UNSET", "STRICT", "PERMISSIVE", "DISABLE");
  const any = fc.record({
    namespace: fc.constantFrom("shop", "ops", ROOT),
    createdMs: fc.integer({ min: 1, max: 3 }),
    labels: fc.option(fc.constantFrom(app, { app: "web" }), { nil: undefined }),
    mode,
    port: mode,
  });
  fc.assert(
    fc.property(fc.array(any, { maxLength: 8 }), (list) => {
      const policies = list.map(({ labels, port, ...rest }, i) =>
        policy({
          ...rest,
          name: `p${i}`,
          ...(labels
            ? {
                labels,
                ports: [
                  { port: 80, mode: port },
                  { port: 90, mode: "STRICT" },
                ],
              }
            : {}),
        }),
      );
      const compiled = modes(policies);
      expect(modes(policies.toReversed())).toEqual(compiled);
      expect(compiled.ports.every((entry) => entry.mode !== compiled.default)).toBe(true);
      expect(compiled.ports).toEqual(compiled.ports.toSorted((a, b) => a.port - b.port));
    }),
  );
});

test("mistakenPorts(): a Service's port that is no workload's port is told [F11]", () => {
  const ports = [80, 443, 9000].map((port) => ({ port, mode: "STRICT" as const }));
  const pairs = [
    { port: 80, targetPort: 8080 },
    { port: 443, targetPort: 443 },
    { port: 8080, targetPort: 9000 },
  ];
  expect(mistakenPorts(policy({ labels: app, ports }), pairs)).toEqual([pairs[0]]);
});

test("compileModes(): a scope that cannot be read is that of each workload of its namespace, by age [G6]", () => {
  const unread = { ...policy({ createdMs: 2, mode: "STRICT" }), isScopeUnread: true };
  const namespace = policy({ name: "ns", createdMs: 1, mode: "PERMISSIVE" });
  const younger = policy({ name: "own", createdMs: 3, labels: app, mode: "PERMISSIVE" });
  const older = { ...younger, metadata: { ...younger.metadata, createdMs: 1 } };
  expect(modes([namespace, unread])).toEqual({ default: "STRICT", ports: [] });
  expect(modes([namespace, unread, younger])).toEqual({ default: "STRICT", ports: [] });
  expect(modes([unread, older])).toEqual({ default: "PERMISSIVE", ports: [] });
  expect(modes([unread], "ops")).toEqual({ default: "PERMISSIVE", ports: [] });
});
