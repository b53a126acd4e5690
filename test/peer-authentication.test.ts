/**
 * From PeerAuthentications as written to what a port takes: all combinations of mesh × namespace ×
 * workload × port [F16], each alone and with a younger rival in every scope, for a workload of a
 * plain namespace and one of the root namespace, against an oracle that shares no code.
 */
import { expect, test } from "@jest/globals";
import { modeOfPort } from "../core/model/mtls-modes.ts";
import { decideMode } from "../nodeproxy/authz/decide-mode.ts";
import { compileModes } from "../operator/compile/peer-authentication.ts";
import {
  type PeerAuthentication,
  parsePeerAuthentication,
} from "../operator/resources/peer-authentication.ts";
import { attempt } from "./policy-language.ts";

const ROOT = "weft-system";
/** `none`: no object at all; `empty`: an object that says nothing. */
const SETTINGS = ["none", "empty", "UNSET", "STRICT", "PERMISSIVE", "DISABLE"] as const;
type Setting = (typeof SETTINGS)[number];

interface Written {
  readonly namespace: string;
  readonly selector?: Readonly<Record<string, string>>;
  readonly mode: Setting;
  readonly port?: Setting;
  readonly second: number;
  readonly name: string;
}

interface Combination {
  readonly mesh: Setting;
  readonly namespace: Setting;
  readonly workload: Setting;
  readonly port: Setting;
  readonly hasRivals: boolean;
  readonly home: string;
}

const API = { app: "api" };

/** The younger rival of each scope says the opposite, and must not be heard. */
function objectsOf({ mesh, namespace, workload, port, hasRivals, home }: Combination): Written[] {
  const olds: Written[] = [
    { namespace: ROOT, mode: mesh, second: 1, name: "zz" },
    ...(home === ROOT ? [] : [{ namespace: home, mode: namespace, second: 1, name: "zz" }]),
    { namespace: home, selector: API, mode: workload, port, second: 1, name: "zz-api" },
  ];
  const present = olds.filter(({ mode }) => mode !== "none");
  if (!hasRivals) return present;
  return present.flatMap((old) => [
    { ...old, mode: opposite(old.mode), port: opposite(old.port ?? "none"), second: 2, name: "aa" },
    old,
    // Neither the selector of another nor another namespace is about this workload.
    { namespace: home, selector: { app: "web" }, mode: "DISABLE" as const, second: 0, name: "web" },
    { namespace: "ops", mode: "DISABLE" as const, second: 0, name: "ops" },
  ]);
}

function opposite(setting: Setting): Setting {
  return setting === "STRICT" ? "DISABLE" : "STRICT";
}

function read({ namespace, selector, mode, port, second, name }: Written): PeerAuthentication {
  const parsed = parsePeerAuthentication({
    apiVersion: "weft.dev/v1",
    kind: "PeerAuthentication",
    metadata: { namespace, name, creationTimestamp: `2026-01-01T00:00:0${second}Z` },
    spec: {
      ...(selector ? { selector: { matchLabels: selector } } : {}),
      ...(mode === "empty" || mode === "none" ? {} : { mtls: { mode } }),
      ...(port === undefined || port === "none" || port === "empty" || !selector
        ? {}
        : { portLevelMtls: { "80": { mode: port } } }),
    },
  });
  if (parsed.kind !== "accepted") throw new Error(JSON.stringify(parsed.reasons));
  return parsed.value;
}

/** "Precedence port > workload > namespace > mesh; UNSET inherits; nothing anywhere is PERMISSIVE." */
function oracle({ mesh, namespace, workload, port, home }: Combination, isPort80: boolean): string {
  const scopes = [
    ...(isPort80 && workload !== "none" ? [port] : []),
    workload,
    ...(home === ROOT ? [] : [namespace]),
    mesh,
  ];
  const spoken = scopes.find((setting) => /^[PSD]/.test(setting));
  return spoken ?? "PERMISSIVE";
}

const combinations: Combination[] = SETTINGS.flatMap((mesh) =>
  SETTINGS.flatMap((namespace) =>
    SETTINGS.flatMap((workload) =>
      SETTINGS.flatMap((port) =>
        [true, false].flatMap((hasRivals) =>
          ["shop", ROOT].map((home) => ({ mesh, namespace, workload, port, hasRivals, home })),
        ),
      ),
    ),
  ),
);

test("PeerAuthentication: every combination of settings and scopes is as the oracle says [F10] [F16]", () => {
  expect(combinations).toHaveLength(6 ** 4 * 4);
  for (const combination of combinations) {
    const policies = objectsOf(combination).map(read);
    const { home } = combination;
    const modes = compileModes({ policies, namespace: home, labels: API, rootNamespace: ROOT });
    for (const port of [80, 81]) {
      const wanted = oracle(combination, port === 80);
      const plain = decideMode(modes, attempt(undefined, { port })).kind;
      const named = decideMode(modes, attempt("a/ns/b/sa/c", { port })).kind;
      // [F12] STRICT alone refuses, and plaintext alone is refused.
      expect({ combination, port, mode: modeOfPort(modes, port), plain, named }).toEqual({
        combination,
        port,
        mode: wanted,
        plain: wanted === "STRICT" ? "deny" : "pass",
        named: "pass",
      });
    }
  }
});

test("PeerAuthentication: one that cannot be read counts as STRICT for what it selects [G6]", () => {
  const parsed = parsePeerAuthentication({
    apiVersion: "weft.dev/v1",
    kind: "PeerAuthentication",
    metadata: { namespace: "shop", name: "broken", creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { mtls: { mode: "OFF" } },
  });
  const policies = parsed.kind === "refused" && parsed.present ? [parsed.present] : [];
  const modes = compileModes({ policies, namespace: "shop", labels: API, rootNamespace: ROOT });
  expect(modes.default).toBe("STRICT");
});
