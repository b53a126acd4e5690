/**
 * The DNS of a test cluster: `main.ts KUBECONFIG ADDRESS` answers on UDP port 53 of ADDRESS for Services with
 * a ClusterIP, from a watch of them. Whatever else is asked does not exist: nothing is passed on.
 */
import { createSocket } from "node:dgram";
import { CoreV1Api, KubeConfig, makeInformer, type V1Service } from "@kubernetes/client-node";
import { answerQuery } from "./answer-query.ts";

const AGAIN_MS = 100;
const [kubeconfig = "", address = ""] = process.argv.slice(2);
const addresses = new Map<string, string>();

function nameOf({ metadata }: V1Service): string {
  return `${metadata?.name}.${metadata?.namespace}.svc.cluster.local`;
}

function keep(service: V1Service): void {
  addresses.set(nameOf(service), service.spec?.clusterIP ?? "None");
}

const config = new KubeConfig();
config.loadFromFile(kubeconfig);
const api = config.makeApiClient(CoreV1Api);
const informer = makeInformer(config, "/api/v1/services", async () =>
  api.listServiceForAllNamespaces(),
);
informer.on("add", keep);
informer.on("update", keep);
informer.on("delete", (service) => addresses.delete(nameOf(service)));
// The API server is stopped in some tests: what was known is answered on.
informer.on("error", () => setTimeout(() => void informer.start(), AGAIN_MS));

const socket = createSocket("udp4");
socket.on("message", (query, { port, address: asker }) => {
  const answer = answerQuery(query, (name) => addresses.get(name));
  if (answer !== undefined) {
    socket.send(answer, port, asker);
  }
});
socket.bind(53, address);
await informer.start();
