/** A pod from its enrolment to its release, with both ends of the line between control and traffic. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { NOTHING_EXCLUDED } from "../../core/model/capture-exclusions.ts";
import type { Enrolment } from "../../core/model/enrolment.ts";
import type { CaptureReport } from "../../core/model/node-report.ts";
import { createLog } from "../../core/process/log.ts";
import { areRedirected } from "../../nodeproxy/capture/apply-rules.ts";
import { type Capture, createCapture } from "../../nodeproxy/capture/create-capture.ts";
import { type ControlLine, createControlLine } from "../../nodeproxy/channel/control-line.ts";
import { openKeptDescriptors } from "../../nodeproxy/channel/kept-descriptors.ts";
import { createTrafficLine, type TrafficLine } from "../../nodeproxy/channel/traffic-line.ts";
import { answerGate } from "../../nodeproxy/gate/answer.ts";
import { isGateDestination } from "../../nodeproxy/gate/gate-protocol.ts";
import { closeDescriptor } from "../../nodeproxy/sys/descriptor.ts";
import { originalDestination } from "../../nodeproxy/sys/original-destination.ts";
import { LISTEN_BACKLOG } from "../../nodeproxy/sys/tcp-socket.ts";
import { openSocketPair } from "../../nodeproxy/sys/unix-socket.ts";
import {
  createPodNetwork,
  descriptorOf,
  nextText,
  type PodNetwork,
  startFromPod,
} from "./pod-network.ts";

const log = createLog({ name: "test", level: "fatal" });
const UID = "0b0c0d0e-1111-2222-3333-444455556666";

let network: PodNetwork;
let directory: string;

beforeEach(() => {
  network = createPodNetwork("wc-cap");
  directory = mkdtempSync(join(tmpdir(), "wc-"));
});

afterEach(async () => {
  await network[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

function enrolment(): Enrolment {
  const { path, v4, v6 } = network.a;
  return {
    uid: UID,
    namespace: "shop",
    name: "web",
    serviceAccount: "web",
    addresses: [v4, v6],
    netnsPath: path,
    policies: [],
    modes: { default: "PERMISSIVE", ports: [] },
    probes: [],
    nodeAddresses: [],
    exclusions: NOTHING_EXCLUDED,
    owner: "web",
    zone: "",
  };
}

/** A traffic process as far as listeners go: answers the gate, and greets everybody else. */
function startTraffic(path: string): TrafficLine & { readonly servers: Server[] } {
  const servers: Server[] = [];
  const line = createTrafficLine({
    path,
    log,
    onMessage: (message, descriptors) => {
      if (message.kind === "pod_closed") for (const server of servers.splice(0)) server.close();
      if (message.kind !== "pod") return;
      closeDescriptor(descriptors[0] ?? -1);
      for (const [i, fd] of descriptors.slice(1).entries()) {
        const family = message.families[Math.floor(i / 3)] ?? 4;
        const server = createServer((socket) => {
          greet(socket, family);
        });
        server.listen({ fd }, LISTEN_BACKLOG);
        servers.push(server);
      }
      line.send({ kind: "listening", uid: message.uid });
    },
  });
  return { ...line, servers };
}

function greet(socket: Socket, family: 4 | 6): void {
  const destination = originalDestination(descriptorOf(socket), family);
  if (isGateDestination(destination)) answerGate(socket);
  else socket.end(`weft ${destination.address} ${destination.port}`);
}

interface Control {
  readonly line: ControlLine;
  readonly capture: Capture;
  readonly states: EventEmitter<Record<string, [CaptureReport]>>;
}

async function startControl(path: string, ends?: readonly [number, number]): Promise<Control> {
  const states = new EventEmitter<Record<string, [CaptureReport]>>();
  const line = await createControlLine({
    path,
    log,
    onMessage: (message) => {
      capture.received(message);
    },
    onConnected: () => {
      capture.trafficConnected();
    },
  });
  const capture = createCapture({
    log,
    send: line.send,
    hasLeaf: () => true,
    hasTunnel: () => true,
    onClosed: () => undefined,
    onState: (report) => states.emit(report.state, report),
    kept: ends && openKeptDescriptors(ends),
  });
  return { line, capture, states };
}

async function stop({ line, capture }: Control, traffic: ReturnType<typeof startTraffic>) {
  traffic.close();
  for (const server of traffic.servers) server.close();
  await capture.close();
  await line.close();
}

function startGate(...args: readonly string[]): ChildProcess {
  const program = [process.execPath, "nodeproxy/gate-main.ts", ...args];
  return spawn("ip", ["netns", "exec", network.a.name, ...program], { stdio: "ignore" });
}

test("createCapture(): pending until traffic listens, then captured, and the gate ends; released without a trace", async () => {
  const path = join(directory, "line");
  const control = await startControl(path);
  const gate = startGate();
  const gateEnd = once(gate, "exit");
  const pending = once(control.states, "pending");
  control.capture.apply(new Map([[UID, enrolment()]]));
  expect(await pending).toMatchObject([{ reason: "listeners_not_ready" }]);
  expect(gate.exitCode).toBeNull();
  const captured = once(control.states, "captured");
  const traffic = startTraffic(path);
  await captured;
  expect(await gateEnd).toEqual([0, null]);
  const client = startFromPod(network.a, network.b.v6, 80);
  expect(await nextText(client)).toBe(`weft ${network.b.v6} 80`);
  client.destroy();

  const releasing = once(control.states, "releasing");
  control.capture.apply(new Map());
  await releasing;
  expect(await areRedirected(network.a.namespace, [4, 6])).toBe(true);
  const closed = traffic.servers.map(async (server) => once(server, "close"));
  control.capture.releaseSettled(UID);
  await Promise.all(closed);
  expect(control.capture.reports()).toEqual([]);
  const saved = execFileSync("ip", ["netns", "exec", network.a.name, "iptables-save"]);
  expect(saved.toString()).not.toContain("WEFT");
  await stop(control, traffic);
});

for (const [family, gone] of [
  ["IPv6", "-4"],
  ["IPv4", "-6"],
] as const) {
  test(`createCapture(): a pod of ${family} alone is captured by it, its gate ends, and it is released`, async () => {
    const { a, b } = network;
    const flush = ["-n", a.name, gone, "addr", "flush", "dev", "eth0"];
    execFileSync("ip", flush);
    const [own, other] = family === "IPv6" ? [a.v6, b.v6] : [a.v4, b.v4];
    const path = join(directory, "line");
    const control = await startControl(path);
    const traffic = startTraffic(path);
    const gate = once(startGate(), "exit");
    const captured = once(control.states, "captured");
    control.capture.apply(new Map([[UID, { ...enrolment(), addresses: [own] }]]));
    await captured;
    expect(await gate).toEqual([0, null]);
    const client = startFromPod(a, other, 80);
    expect(await nextText(client)).toBe(`weft ${other} 80`);
    client.destroy();
    control.capture.apply(new Map());
    control.capture.releaseSettled(UID);
    await Promise.all(traffic.servers.map(async (server) => once(server, "close")));
    for (const program of ["iptables-save", "ip6tables-save"]) {
      const saved = execFileSync("ip", ["netns", "exec", a.name, program]);
      expect(saved.toString()).not.toContain("WEFT");
    }
    await stop(control, traffic);
  });
}

test("createCapture(): exclusions that change under a running pod are followed, and told", async () => {
  const path = join(directory, "line");
  const control = await startControl(path);
  const traffic = startTraffic(path);
  let told = once(control.states, "captured");
  control.capture.apply(new Map([[UID, enrolment()]]));
  expect(await told).toMatchObject([{ message: "" }]);
  told = once(control.states, "captured");
  const exclusions = { ...NOTHING_EXCLUDED, outboundPorts: [25], inboundPorts: [9100, 9200] };
  control.capture.apply(new Map([[UID, { ...enrolment(), exclusions }]]));
  const message = "not captured, by annotation: inbound ports 9100, 9200; outbound ports 25";
  expect(await told).toMatchObject([{ message }]);
  const saved = execFileSync("ip", ["netns", "exec", network.a.name, "ip6tables-save"]);
  expect(saved.toString()).toContain("-A WEFT_OUTPUT -p tcp -m tcp --dport 25 -j RETURN");
  await control.capture.audit();
  expect(control.capture.reports()).toMatchObject([{ state: "captured", message }]);
  control.capture.apply(new Map());
  control.capture.releaseSettled(UID);
  await Promise.all(traffic.servers.map(async (server) => once(server, "close")));
  await stop(control, traffic);
});

test("createCapture(): after a restart of control and traffic the kept descriptors go on, rules never gone", async () => {
  const path = join(directory, "line");
  const ends = openSocketPair();
  const first = await startControl(path, ends);
  const firstCaptured = once(first.states, "captured");
  const firstTraffic = startTraffic(path);
  first.capture.apply(new Map([[UID, enrolment()]]));
  await firstCaptured;
  await stop(first, firstTraffic);

  // Nobody listens now but the pair: the connection waits in the kept socket's queue.
  const waiting = startFromPod(network.a, network.b.v4, 80);
  await once(waiting, "connect");
  const answer = nextText(waiting);
  const second = await startControl(path, ends);
  const captured = once(second.states, "captured");
  second.capture.apply(new Map([[UID, enrolment()]]));
  await captured;
  const secondTraffic = startTraffic(path);
  expect(await answer).toBe(`weft ${network.b.v4} 80`);
  waiting.destroy();
  await stop(second, secondTraffic);
  ends.forEach(closeDescriptor);
});

test("createCapture(): a port that the pod itself has is failed, with the reason", async () => {
  const control = await startControl(join(directory, "line"));
  const server = spawn("ip", [
    "netns",
    "exec",
    network.a.name,
    process.execPath,
    "-e",
    "require('net').createServer().listen(15006, () => console.log('up'))",
  ]);
  await once(server.stdout, "data");
  const failed = once(control.states, "failed");
  control.capture.apply(new Map([[UID, enrolment()]]));
  expect(await failed).toMatchObject([{ reason: "port_in_use" }]);
  server.kill("SIGKILL");
  await control.capture.close();
  await control.line.close();
});

test("createCapture(): a namespace without the pod's address is not the pod's", async () => {
  const control = await startControl(join(directory, "line"));
  const pending = once(control.states, "pending");
  control.capture.apply(new Map([[UID, { ...enrolment(), addresses: ["10.77.0.99"] }]]));
  expect(await pending).toMatchObject([{ reason: "address_not_configured" }]);
  await control.capture.close();
  await control.line.close();
});

test("gate-main: ends when the annotation says open, and with an error at SIGTERM", async () => {
  const file = join(directory, "gate");
  writeFileSync(file, "");
  const [first, second] = [startGate("--open-file", file), startGate()];
  const ends = [once(first, "exit"), once(second, "exit")];
  writeFileSync(file, "open");
  expect(await ends[0]).toEqual([0, null]);
  second.kill("SIGTERM");
  const [code, signal] = (await ends[1]) as [number | null, string | null];
  expect(code !== 0 || signal !== null).toBe(true);
});
