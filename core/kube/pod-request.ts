/**
 * One GET to a port of a pod, its loopback ones included, through the API server's port-forward. Who may
 * ask is the cluster's RBAC (`pods/portforward`); nothing listens for it anywhere.
 */
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { type Duplex, duplexPair, PassThrough } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type KubeConfig, PortForward } from "@kubernetes/client-node";
import { KubeError } from "./kube-error.ts";

export interface PodRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
  /** With its query. */
  readonly path: string;
}

export interface PodAnswer {
  readonly status: number;
  readonly body: string;
}

/** Rejects with a `KubeError` where the pod cannot be asked. */
export type AskPod = (request: PodRequest) => Promise<PodAnswer>;

const ANSWER_WITHIN_MS = 15_000;

export function createPodAsker(config: KubeConfig): AskPod {
  return async (request) => {
    const [near, far] = duplexPair();
    near.on("error", ignore);
    const errors = new PassThrough();
    const { promise: refused, reject } = Promise.withResolvers<never>();
    const place = `${request.namespace}/${request.pod}:${request.port}`;
    // What kubelet says where nothing listens, and its like.
    errors.once("data", (said: Buffer) => {
      reject(new KubeError("unavailable", `${place}: ${said.toString("utf8").trim()}`));
    });
    const timer = setTimeout(() => {
      reject(new KubeError("unavailable", `${place} did not answer in ${ANSWER_WITHIN_MS} ms`));
    }, ANSWER_WITHIN_MS);
    try {
      const asked = openForward({ config, request, far, errors }).then(async (opened) => {
        const answer = await exchange(near, request.path);
        opened.close();
        return answer;
      });
      return await Promise.race([asked, refused]);
    } catch (error) {
      throw error instanceof KubeError ? error : forwardError(error, place);
    } finally {
      clearTimeout(timer);
      // Ends the forwarding too, however it went.
      near.end();
    }
  };
}

interface Forwarding {
  readonly config: KubeConfig;
  readonly request: PodRequest;
  /** Our end of the connection to the pod, as the client library sees it. */
  readonly far: Duplex;
  readonly errors: PassThrough;
}

interface Closable {
  close(): void;
}

async function openForward({ config, request, far, errors }: Forwarding): Promise<Closable> {
  const { namespace, pod, port } = request;
  const forward = new PortForward(config);
  const opened = await forward.portForward(
    encodeURIComponent(namespace),
    encodeURIComponent(pod),
    [port],
    far,
    errors,
    far,
  );
  const socket = typeof opened === "function" ? opened() : opened;
  if (!socket) throw new Error("no connection");
  socket.onclose = () => far.end();
  return socket;
}

/** The client library rejects with an ErrorEvent of its socket, or with an error. */
function forwardError(error: unknown, place: string): KubeError {
  const said = (error as { readonly message?: unknown } | null)?.message;
  const message = typeof said === "string" ? said : String(error);
  if (/\b403\b/.test(message)) {
    const right = `${place}: needs the right to get and create pods/portforward there`;
    return new KubeError("forbidden", right, { cause: error });
  }
  const text = `port-forward to ${place} failed: ${message}`;
  return new KubeError("unavailable", text, { cause: error });
}

async function exchange(stream: Duplex, path: string): Promise<PodAnswer> {
  const agent = new Agent();
  agent.createConnection = () => stream;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { connection: "close" };
    const sent = httpRequest({ host: "localhost", path, agent, headers }, resolve);
    sent.on("error", reject);
    sent.end();
  });
  const body = (await buffer(response)).toString("utf8");
  return { status: response.statusCode ?? 0, body };
}

function ignore(): void {}
