import { expect, test } from "@jest/globals";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { createCraftedRoot } from "../../test/fakes/crafted-ca.ts";
import { operatorRoots } from "./operator-roots.ts";

const [first, second, friend] = ["first", "second", "friend"].map(
  (name) => createCraftedRoot(name).der,
);
const trustDomain = "cluster.local";

function bundle(part: Partial<TrustBundle>): TrustBundle {
  return { trustDomain, roots: [], issuer: "", retired: [], ...part };
}

function roots(...ders: readonly (Uint8Array | undefined)[]): Uint8Array[] {
  return ders.filter((der) => der !== undefined);
}

function ask(bundles: readonly TrustBundle[], file: string | Error): Promise<string> {
  return operatorRoots({
    trustDomain,
    bundles,
    readFile: () => (Error.isError(file) ? Promise.reject(file) : Promise.resolve(file)),
  });
}

function pem(...ders: readonly (Uint8Array | undefined)[]): string {
  return formatCertificatesPem(roots(...ders));
}

test("operatorRoots(): those of the own bundle and of the file, each once, none of other domains", async () => {
  const own = bundle({ roots: roots(first, second) });
  const other = bundle({ trustDomain: "friend.example", roots: roots(friend) });
  expect(await ask([own, other], pem(first))).toBe(pem(first, second));
  expect(await ask([bundle({ roots: roots(first) })], pem(second))).toBe(pem(first, second));
});

test("operatorRoots(): the file alone where nothing is known yet, the bundle alone where the file is not to be had", async () => {
  expect(await ask([], pem(first))).toBe(pem(first));
  const own = bundle({ roots: roots(first) });
  expect(await ask([own], new Error("no such file"))).toBe(pem(first));
  expect(await ask([own], "-----BEGIN CERTIFICATE-----\n!")).toBe(pem(first));
});

test("operatorRoots(): a retired root is not trusted though the file, brought late, still has it", async () => {
  const retired = roots(first).map(certificateFingerprint);
  const own = bundle({ roots: roots(second), retired });
  expect(await ask([own], pem(first))).toBe(pem(second));
  await expect(ask([bundle({ retired })], pem(first))).rejects.toThrow("retired");
});

test("operatorRoots(): without any root it rejects, rather than trust what Node trusts", async () => {
  await expect(ask([], new Error("no such file"))).rejects.toThrow("could not be read");
  await expect(ask([], "")).rejects.toThrow("not to be read");
});
