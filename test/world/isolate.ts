/**
 * Runs the calling program again inside namespaces of its own (network, mounts, processes; a user
 * namespace where it is not root), so that whatever it makes ends with it, also after a SIGKILL.
 *
 * Never touches a rule, an address or a mount of the machine itself.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";

const MARK = "WEFT_ISOLATED";
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

type ToInner =
  | { readonly kind: "pid"; readonly pid: number }
  | { readonly kind: "signal"; readonly signal: (typeof SIGNALS)[number] };

/** True inside; false where the caller is still outside and must call `runIsolated`. */
export function isIsolated(): boolean {
  return process.env[MARK] !== undefined;
}

/** Inside: the start of a command line that runs the rest in here, for a shell of whoever started us. */
export function enterCommand(pid: number): string {
  // Without root nobody may set groups in there (user_namespaces(7)), which nsenter would.
  const user = process.env[MARK] === "user" ? " -U --preserve-credentials" : "";
  return `nsenter -t ${pid}${user} -m -n -p`;
}

/** Starts this very program isolated, hands signals on to it, and resolves with its exit code. */
export async function runIsolated(): Promise<number> {
  const isRoot = process.getuid?.() === 0;
  const user = isRoot ? [] : ["--user", "--map-root-user"];
  const flags = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  // `unshare` ignores signals while it waits and its child is another process, so signals travel on
  // a channel that `unshare` hands down unused; its end also tells the inner program that we died.
  const child = spawn("unshare", [...user, ...flags, ...command], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, [MARK]: isRoot ? "root" : "user" },
  });
  for (const signal of SIGNALS) process.on(signal, () => tell({ kind: "signal", signal }));
  child.on("message", (message) => {
    const pid = firstChildOf(child.pid ?? 0);
    if (message === "up" && pid !== undefined) tell({ kind: "pid", pid });
  });
  function tell(message: ToInner): void {
    if (child.connected) child.send(message);
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

function firstChildOf(pid: number): number | undefined {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return text === "" ? undefined : Number(text.split(" ")[0]);
}

/**
 * Inside: a private `/run`, where `ip netns` and iptables keep their files, and a loopback that is up.
 * Resolves with this process's pid as the machine outside sees it, for `nsenter`.
 */
export async function prepareIsolated(onSignal: () => void): Promise<number> {
  run("mount", ["-t", "tmpfs", "tmpfs", "/run"]);
  mkdirSync("/run/netns", { recursive: true });
  run("ip", ["link", "set", "lo", "up"]);
  for (const signal of SIGNALS) process.on(signal, onSignal);
  process.on("disconnect", onSignal);
  return new Promise((resolve) => {
    process.on("message", (message: ToInner) => {
      if (message.kind === "signal") onSignal();
      else {
        // From here on the channel alone keeps nobody waiting.
        process.channel?.unref();
        resolve(message.pid);
      }
    });
    process.send?.("up");
  });
}

function run(command: string, args: readonly string[]): void {
  const done = spawnSync(command, args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${done.stderr}`);
}
