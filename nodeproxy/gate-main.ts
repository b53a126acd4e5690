/**
 * The program of the init container `weft-gate`: ends with 0 once the pod is captured.
 *
 * It asks until the node proxy answers for each family the pod has, or until the file with the pod's
 * annotation `weft.dev/gate` says `open`. Runs without rights, imports nothing heavy, waits for ever.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import {
  GATE_ADDRESS_V4,
  GATE_ADDRESS_V6,
  GATE_LINE_BYTES,
  GATE_PORT,
  gateQuestion,
  isGateAnswer,
} from "./gate/gate-protocol.ts";

const RETRY_MS = 100;
const ANSWER_TIMEOUT_MS = 1000;

function addressesToAsk(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const own = all.filter(({ internal, address }) => !internal && !address.startsWith("fe80:"));
  const hasV4 = own.some(({ family }) => family === "IPv4");
  const hasV6 = own.some(({ family }) => family === "IPv6");
  return [...(hasV4 ? [GATE_ADDRESS_V4] : []), ...(hasV6 ? [GATE_ADDRESS_V6] : [])];
}

function isOpened(file: string | undefined): boolean {
  if (file === undefined) return false;
  try {
    return readFileSync(file, "utf8").trim() === "open";
  } catch {
    return false;
  }
}

async function isAnswered(address: string): Promise<boolean> {
  const nonce = randomBytes(16).toString("hex");
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect({ host: address, port: GATE_PORT });
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
    socket.on("connect", () => socket.write(gateQuestion(nonce)));
    socket.on("data", (chunk: Buffer) => {
      answer += chunk.toString("latin1");
      if (answer.length > GATE_LINE_BYTES) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      resolve(isGateAnswer(answer, nonce));
    });
  });
}

async function isThrough(openFile: string | undefined): Promise<boolean> {
  if (isOpened(openFile)) return true;
  const addresses = addressesToAsk();
  // No address yet is not captured: the pod's network is still being made.
  if (addresses.length === 0) return false;
  return (await Promise.all(addresses.map(isAnswered))).every(Boolean);
}

async function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

/** The flag wins over the environment. */
function openFileSetting(): string | undefined {
  const flag = process.argv.indexOf("--open-file");
  // oxlint-disable-next-line node/no-process-env -- this program has no config module, for a quick start
  return flag < 0 ? process.env["WEFT_GATE_ANNOTATION_FILE"] : process.argv[flag + 1];
}

// As process 1 of a container the default action of SIGTERM would not end it.
process.on("SIGTERM", () => process.exit(143));
process.on("SIGINT", () => process.exit(130));

const openFile = openFileSetting();
process.stderr.write("weft-gate: waiting until the node proxy has captured this pod\n");
while (!(await isThrough(openFile))) await pause(RETRY_MS);
process.stderr.write("weft-gate: passed\n");
process.exit(0);
