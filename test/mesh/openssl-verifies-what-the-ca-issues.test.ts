/** Everything that the operator's CA makes, read and verified by `openssl` as strictly as it can. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import {
  type ChainKind,
  type IssuedFiles,
  LEAF_URI,
  SERVER_NAME,
  SERVER_URI,
  writeIssued,
} from "../fakes/issued-chains.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-issued-"));

afterAll(() => rmSync(folder, { recursive: true }));

function openssl(...args: readonly string[]): string {
  const { stdout, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
  return `${stdout}${stderr}`;
}

/** As somebody that trusts the root only. */
function verify(files: IssuedFiles, file: string, ...how: readonly string[]): string {
  const trust = ["-CAfile", files.root, "-untrusted", files.intermediate];
  return openssl("verify", "-x509_strict", "-check_ss_sig", ...how, ...trust, file).trim();
}

test.each(["own", "brought"] satisfies ChainKind[])(
  "openssl: takes the root, intermediate, leaf and server certificate of a CA that is %s, for both ends of TLS",
  async (kind) => {
    const files = await writeIssued(folder, kind);
    for (const purpose of ["sslclient", "sslserver"]) {
      for (const file of [files.leaf, files.server]) {
        expect(verify(files, file, "-purpose", purpose)).toBe(`${file}: OK`);
      }
    }
    for (const file of [files.root, files.intermediate]) {
      expect(verify(files, file)).toBe(`${file}: OK`);
    }
    const name = ["-purpose", "sslserver", "-verify_hostname"];
    expect(verify(files, files.server, ...name, SERVER_NAME)).toBe(`${files.server}: OK`);
    expect(verify(files, files.server, ...name, "other.svc")).toContain("hostname mismatch");
    expect(verify(files, files.leaf, ...name, SERVER_NAME)).toContain("hostname mismatch");
  },
);

test("openssl: sees in each what it should be, and no leaf for a CA", async () => {
  const files = await writeIssued(folder, "own");
  const shown = ["-noout", "-ext", "basicConstraints,keyUsage,extendedKeyUsage,subjectAltName"];
  const leaf = openssl("x509", ...shown, "-in", files.leaf);
  expect(leaf).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
  expect(leaf).toMatch(/Key Usage: critical\s+Digital Signature\n/);
  expect(leaf).toMatch(/TLS Web Server Authentication, TLS Web Client Authentication/);
  expect(leaf).toMatch(new RegExp(`Alternative Name: critical\\s+URI:${LEAF_URI}\\n`));
  const server = openssl("x509", ...shown, "-in", files.server);
  expect(server).toContain(`URI:${SERVER_URI}, DNS:${SERVER_NAME}, IP Address:10.96.0.7`);
  const intermediate = openssl("x509", ...shown, "-in", files.intermediate);
  expect(intermediate).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
  expect(intermediate).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
});

test("openssl: takes neither a leaf that was changed, nor one without its intermediate, nor one of another mesh", async () => {
  const [files, others] = [await writeIssued(folder, "own"), await writeIssued(folder, "brought")];
  expect(verify(files, files.forged)).toContain("certificate signature failure");
  expect(openssl("verify", "-CAfile", files.root, files.leaf)).toContain("unable to get local");
  expect(verify(others, files.leaf)).toMatch(/unable to get (local )?issuer/);
});
