/**
 * The tiers of `npm test`: what each needs of the machine, and what is missing.
 */
import { installCommand, providePackages, type Tools } from "./packages.ts";

export interface Tier {
  readonly name: "unit" | "mesh" | "netns" | "cluster";
  readonly needsRoot: boolean;
  readonly tools: Tools;
  readonly jestOptions: readonly string[];
}

const NETWORK_TOOLS = {
  iptables: "iptables",
  ip: "iproute2",
  nsenter: "util-linux",
  setpriv: "util-linux",
  curl: "curl",
};

/** Programs that others wrote, and that speak through the node proxies. */
const HTTP_CLIENTS = { nghttp: "nghttp2-client", h2load: "nghttp2-client", python3: "python3" };

export const TIERS: readonly Tier[] = [
  { name: "unit", needsRoot: false, tools: { openssl: "openssl" }, jestOptions: [] },
  { name: "mesh", needsRoot: false, tools: { openssl: "openssl" }, jestOptions: [] },
  {
    name: "netns",
    needsRoot: true,
    tools: {
      ...NETWORK_TOOLS,
      ...HTTP_CLIENTS,
      tcpdump: "tcpdump",
      openssl: "openssl",
      faketime: "faketime",
    },
    jestOptions: ["--runInBand"],
  },
  {
    name: "cluster",
    needsRoot: true,
    tools: {
      ...NETWORK_TOOLS,
      tcpdump: "tcpdump",
      containerd: "containerd",
      runc: "runc",
      mmdebstrap: "mmdebstrap",
      buildah: "buildah",
      openssl: "openssl",
    },
    jestOptions: ["--runInBand"],
  },
];

/** Why the tier cannot run here, after trying to install what it lacks; empty where it can. */
export function whyNot(tier: Tier): readonly string[] {
  const reasons: string[] = [];
  if (process.platform !== "linux") reasons.push("it needs Linux");
  if (tier.needsRoot && process.getuid?.() !== 0) reasons.push("it needs root");
  const missing = providePackages(tier.tools);
  if (missing.length > 0) reasons.push(`install what it lacks: ${installCommand(missing)}`);
  return reasons;
}
