/**
 * Builds what the official conformance suite of the Gateway API consists of, from its Go modules: the suite itself, the
 * kinds it needs, and the image its pods run. Minutes once, then cached; nothing of it lies in this repository.
 */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { arch, tmpdir } from "node:os";
import { join } from "node:path";
import { cached, hashOf } from "../cluster/build-cache.ts";
import { runCommand } from "../cluster/command.ts";
import { findGo } from "../cluster/find-go.ts";
import { writeProgramImage } from "../cluster/program-image.ts";

const MODULES = import.meta.dirname;
const SUITE = "sigs.k8s.io/gateway-api/conformance";
/**
 * v1.7.0 moved the definitions of the echo servers' messages into a module of its own, whose content not every module
 * proxy gives; the last version that had them itself has the same.
 */
const SUITE_WITH_ECHO = `${SUITE}@v1.6.3`;
const ECHO = "istio.io/istio";
/** The user of Istio's own image. */
const ECHO_USER = "1338";

export interface ConformanceSuite {
  /** The suite's own test program. */
  readonly program: string;
  /** The kinds of the Gateway API, standard channel, of the suite's version: a YAML file. */
  readonly kinds: string;
  /** Archive of the image that the suite's pods name. */
  readonly echoImage: string;
}

export async function buildConformanceSuite(): Promise<ConformanceSuite> {
  const inputs = ["suite/go.mod", "suite/go.sum", "echo/go.mod", "echo/go.sum"].map(async (file) =>
    readFile(join(MODULES, file)),
  );
  const name = `gateway-api-conformance-${hashOf([arch(), ...(await Promise.all(inputs))])}`;
  const dir = await cached(name, build);
  return {
    program: join(dir, "suite"),
    kinds: join(dir, "kinds.yaml"),
    echoImage: join(dir, "echo.tar"),
  };
}

async function build(path: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "weft-conformance-"));
  try {
    await mkdir(path);
    const cwd = await stageSuite(work);
    const program = join(path, "suite");
    await go(cwd, [
      "test",
      "-c",
      "-vet=off",
      "-trimpath",
      "-ldflags",
      "-s -w",
      "-o",
      program,
      SUITE,
    ]);
    await writeKinds(await moduleFolder(cwd, "sigs.k8s.io/gateway-api"), join(path, "kinds.yaml"));
    const image = await readImageName(await moduleFolder(cwd, SUITE));
    await buildEchoImage(work, image, join(path, "echo.tar"));
  } finally {
    await rm(work, { recursive: true });
  }
}

/** A folder with the suite's go.mod and the module that its `replace` names. */
async function stageSuite(work: string): Promise<string> {
  const cwd = join(work, "suite");
  await cp(join(MODULES, "suite"), cwd, { recursive: true });
  const images = join(cwd, "conformance-images");
  await mkdir(images);
  await writeFile(
    join(images, "go.mod"),
    "module sigs.k8s.io/gateway-api-conformance-images\n\ngo 1.26.0\n",
  );
  const told = await go(work, ["mod", "download", "-json", SUITE_WITH_ECHO]);
  const { Dir } = JSON.parse(told) as { readonly Dir: string };
  for (const name of ["grpcechoserver", "tcpserver", "udpechoserver"]) {
    await copyWritable(join(Dir, "echo-basic", name), join(images, "echo-basic", name));
  }
  return cwd;
}

/** The module cache is read-only, and copies keep that. */
async function copyWritable(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  const files = (await readdir(from)).filter((file) => !file.endsWith("_test.go"));
  for (const file of files) {
    await writeFile(join(to, file), await readFile(join(from, file)));
  }
}

async function writeKinds(gatewayApi: string, path: string): Promise<void> {
  const folder = join(gatewayApi, "config", "crd", "standard");
  const files = (await readdir(folder)).filter((file) => file.startsWith("gateway.networking"));
  const texts = files.toSorted().map(async (file) => readFile(join(folder, file), "utf8"));
  await writeFile(path, (await Promise.all(texts)).join("\n---\n"));
}

async function readImageName(suite: string): Promise<string> {
  const manifests = await readFile(join(suite, "mesh", "manifests.yaml"), "utf8");
  const names = new Set([...manifests.matchAll(/^\s*image: (\S+)$/gm)].map(([, name]) => name));
  const [name, ...others] = names;
  if (name === undefined || others.length > 0) {
    throw new Error(`the suite's pods run ${names.size} images, expected one`);
  }
  return name;
}

/** As pkg/test/echo/docker/Dockerfile.app of Istio makes it. */
async function buildEchoImage(work: string, name: string, path: string): Promise<void> {
  const cwd = join(MODULES, "echo");
  const commands = ["server", "client"].map((command) => `${ECHO}/pkg/test/echo/cmd/${command}`);
  const built = join(work, "echo");
  await mkdir(built);
  await go(cwd, ["build", "-trimpath", "-ldflags", "-s -w", "-o", built, ...commands]);
  const certificates = join(await moduleFolder(cwd, ECHO), "tests", "testdata", "certs", "dns");
  await writeProgramImage(path, {
    name,
    files: {
      "/usr/local/bin/server": join(built, "server"),
      "/usr/local/bin/client": join(built, "client"),
      "/cert.crt": join(certificates, "cert-chain.pem"),
      "/cert.key": join(certificates, "key.pem"),
    },
    entrypoint: ["/usr/local/bin/server"],
    user: ECHO_USER,
  });
}

async function moduleFolder(cwd: string, module: string): Promise<string> {
  return (await go(cwd, ["list", "-m", "-f", "{{.Dir}}", module])).trim();
}

async function go(cwd: string, args: readonly string[]): Promise<string> {
  const env = { CGO_ENABLED: "0", GOFLAGS: "", GOTOOLCHAIN: "local", GOWORK: "off" };
  return runCommand([await findGo(27), ...args], { cwd, env });
}
