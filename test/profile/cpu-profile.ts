/** V8's CPU profiles as files: what lies between two moments of one, and which functions took its time. */

/** https://chromedevtools.github.io/devtools-protocol/v8/Profiler/#type-Profile */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Microseconds of CLOCK_MONOTONIC, as all moments here. */
  readonly startTime: number;
  readonly endTime: number;
  /** Id of the node that ran at each sample, and the microseconds since the one before it. */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly hitCount?: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
  };
}

export interface SelfTime {
  /** Name and, where it has one, file and line. */
  readonly name: string;
  /** Of the time in which the thread ran, in per cent. */
  readonly percent: number;
}

const NOT_RUNNING = "(idle)";

/** The samples of one part alone; the tree stays whole. */
export function cutProfile(profile: CpuProfile, fromUs: number, toUs: number): CpuProfile {
  const samples: number[] = [];
  const timeDeltas: number[] = [];
  const hits = new Map<number, number>();
  let at = profile.startTime;
  let last = fromUs;
  for (const [i, node] of profile.samples.entries()) {
    at += profile.timeDeltas[i] ?? 0;
    if (at < fromUs || at > toUs) continue;
    samples.push(node);
    timeDeltas.push(at - last);
    last = at;
    hits.set(node, (hits.get(node) ?? 0) + 1);
  }
  const nodes = profile.nodes.map((node) => ({ ...node, hitCount: hits.get(node.id) ?? 0 }));
  return { ...profile, nodes, startTime: fromUs, endTime: toUs, samples, timeDeltas };
}

/** The dearest first; a function's time in all its callers together. */
export function selfTimes({ nodes, samples }: CpuProfile): readonly SelfTime[] {
  const names = new Map(nodes.map((node) => [node.id, nameOf(node)]));
  const counts = new Map<string, number>();
  let running = 0;
  for (const sample of samples) {
    const name = names.get(sample) ?? "(unknown)";
    if (name === NOT_RUNNING) continue;
    running += 1;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts]
    .map(([name, count]) => ({ name, percent: (100 * count) / running }))
    .toSorted((a, b) => b.percent - a.percent);
}

function nameOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  if (url === "") return name;
  const file = url.split("/").slice(-2).join("/");
  return `${name} ${file}:${lineNumber + 1}`;
}
