/** Everything that the operator's CA makes, read and verified by Go's crypto/x509, as ztunnel's neighbours and kubectl would. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import {
  type ChainKind,
  type IssuedFiles,
  LEAF_URI,
  SERVER_NAME,
  SERVER_URI,
  writeIssued,
} from "../fakes/issued-chains.ts";
import { runCommand } from "./command.ts";
import { buildGoProgram } from "./hyperkube.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-issued-"));
let reader: string;

beforeAll(async () => {
  reader = await buildGoProgram("go-reader", join(import.meta.dirname, "go-reader"));
});

afterAll(() => rmSync(folder, { recursive: true }));

async function read({ root, intermediate }: IssuedFiles, file: string): Promise<unknown> {
  return JSON.parse(await runCommand([reader, root, intermediate, file]));
}

test.each(["own", "brought"] satisfies ChainKind[])(
  "Go: verifies leaf and server certificate of a CA that is %s for both ends of TLS, and reads what they are",
  async (kind) => {
    const files = await writeIssued(folder, kind);
    const good = { error: "", isCa: false, curve: "P-256", path: 3 };
    expect(await read(files, files.leaf)).toEqual({
      ...good,
      uris: [LEAF_URI],
      dnsNames: null,
      ips: null,
    });
    expect(await read(files, files.server)).toEqual({
      ...good,
      uris: [SERVER_URI],
      dnsNames: [SERVER_NAME],
      ips: ["10.96.0.7", "fd00::7"],
    });
    expect(await read(files, files.intermediate)).toMatchObject({ error: "", isCa: true, path: 2 });
    expect(await read(files, files.root)).toMatchObject({ error: "", isCa: true, path: 1 });
  },
);

test("Go: takes neither a leaf that was changed, nor one without its intermediate, nor one of another mesh", async () => {
  const [files, others] = [await writeIssued(folder, "own"), await writeIssued(folder, "brought")];
  expect(await read(files, files.forged)).toMatchObject({
    error: expect.stringContaining("ECDSA verification failure"),
  });
  const unknown = { error: expect.stringContaining("signed by unknown authority") };
  expect(await read({ ...files, intermediate: files.root }, files.leaf)).toMatchObject(unknown);
  expect(await read(others, files.leaf)).toMatchObject(unknown);
});
