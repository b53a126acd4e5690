/** A caller of another trust domain: its own tunnel, by a certificate of its own root, from the node's network. Not a test itself. */
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { createCraftedRoot, uriName } from "../fakes/crafted-ca.ts";
import type { Call } from "../policy-language.ts";
import { startFromPod } from "./pod-network.ts";
import type { Manifest, PolicyMesh } from "./policy-mesh.ts";
import { connectTo, headers, RawHttp2, startTls } from "./raw-http2.ts";

const TUNNEL_PORT = 15_008;
const ROOT = createCraftedRoot("root of the others");

/** What makes the mesh believe that trust domain's callers. */
export function trustIn(peer: string): Manifest {
  const [trustDomain = ""] = peer.split("/");
  const spec = { trustDomain, roots: formatCertificatesPem([ROOT.der]) };
  return { apiVersion: "weft.dev/v1", kind: "TrustBundle", metadata: { name: "others" }, spec };
}

/** The code of the refusal, or `permit` for a tunnel that was opened. */
export async function outcomeFromAnotherMesh(
  { mesh, host }: PolicyMesh,
  { peer = "", port }: Call,
): Promise<string> {
  const { keyPem, chainPem } = ROOT.issue({ names: [uriName(`spiffe://${peer}`)] });
  const called = mesh.network.b.v4;
  const ended = mesh.b.nextEnded();
  const socket = startFromPod(host, called, TUNNEL_PORT).on("error", () => undefined);
  const tunnel = new RawHttp2(startTls(socket, { key: keyPem, cert: chainPem })).greet();
  tunnel.send(headers(1, connectTo(`${called}:${port}`)));
  const isPermitted = (await tunnel.answer(1)) === 200;
  tunnel.destroy();
  const { facts, outcome } = await ended;
  if (facts.source.identity !== `spiffe://${peer}`) throw new Error(facts.source.identity);
  return isPermitted ? "permit" : outcome.code;
}
