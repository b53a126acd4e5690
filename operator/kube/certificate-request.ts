/**
 * cert-manager as the signer of the mesh's intermediate: one CertificateRequest (cert-manager.io/v1) for each key, watched
 * by asking until it is signed or refused.
 *
 * Named by the key, so that a call whose answer was lost makes no second one. It goes with the operator's pod, which owns
 * it, and with the next request of the same pod. Never sees the key.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type KubeApi, kubePath } from "../../core/kube/kube-api.ts";
import { KubeError } from "../../core/kube/kube-error.ts";
import { type Backoff, backoffDelayMs } from "../../core/process/backoff.ts";
import type { Log } from "../../core/process/log.ts";
import type { ExternalSigner, SigningAnswer, SigningRequest } from "../ca/external-signer.ts";
import type { IssuerRef } from "../resources/mesh-config.ts";
import {
  REQUESTER_LABEL,
  type RequestObject,
  type RequestState,
  readRequest,
  requestBody,
} from "./certificate-request-object.ts";
import { createEvent } from "./status-patches.ts";

export interface CertificateRequestOptions {
  readonly api: KubeApi;
  readonly namespace: string;
  /** Of the operator, in the same namespace. */
  readonly podName: string;
  /** Of now; `undefined` where nobody else shall sign any more. */
  readonly issuerRef: () => IssuerRef | undefined;
  /** Another replica may have got the mesh's first CA meanwhile. */
  readonly isCaStored: () => Promise<boolean>;
  readonly log: Log;
  readonly pollMs?: number;
}

const PLURAL = "certificaterequests";
const POLL_MS = 2000;
/** What waits longer waits for a person. */
const SLOW_POLL_MS = 10_000;
const SLOW_AFTER_MS = 300_000;
const REPEAT_MS = 600_000;
const RETRY: Backoff = { minMs: 1000, maxMs: 30_000 };

export function createCertificateRequestSigner(options: CertificateRequestOptions): ExternalSigner {
  return new CertificateRequestSigner(options);
}

interface Waiting extends SigningRequest {
  readonly issuer: IssuerRef;
  readonly name: string;
  readonly startMs: number;
}

type Step = RequestState | { readonly kind: "failed"; readonly why: string };

class CertificateRequestSigner implements ExternalSigner {
  readonly #options: CertificateRequestOptions;
  /** Names of those that somebody waits for. */
  readonly #open = new Set<string>();

  constructor(options: CertificateRequestOptions) {
    this.#options = options;
  }

  get name(): string {
    const issuer = this.#options.issuerRef();
    return issuer ? `${issuer.kind} ${issuer.name}` : "no issuer";
  }

  async sign(request: SigningRequest): Promise<SigningAnswer> {
    const issuer = this.#options.issuerRef();
    if (!issuer) throw unwanted("MeshConfig names no issuer any more");
    const name = nameOf(request);
    const waiting = { ...request, issuer, name, startMs: performance.now() };
    this.#open.add(name);
    try {
      return await this.#wait(waiting);
    } catch (error) {
      // Whoever has signed it by now has signed it for nobody.
      await this.#delete(name);
      request.signal.throwIfAborted();
      throw error;
    } finally {
      this.#open.delete(name);
    }
  }

  async complain(
    { mark }: Pick<SigningRequest, "mark">,
    { reason, message }: Parameters<ExternalSigner["complain"]>[1],
  ): Promise<void> {
    const { api, namespace, log } = this.#options;
    const name = nameOf({ mark });
    try {
      const object = (await api.call({ method: "GET", path: this.#path(name) })) as RequestObject;
      const { apiVersion, kind } = object;
      const about = { apiVersion, kind, namespace, name, uid: object.metadata.uid ?? "" };
      await createEvent(api, about, { type: "Warning", reason, message });
    } catch (error) {
      log.warn({ err: error, request: name }, "event not written");
    }
  }

  async #wait(waiting: Waiting): Promise<SigningAnswer> {
    const { signal } = waiting;
    let failures = 0;
    let toldMs = -Infinity;
    while (!signal.aborted) {
      await this.#requireWanted(waiting);
      const step = await this.#step(waiting);
      if (step.kind === "signed" || step.kind === "denied") return step;
      failures = step.kind === "failed" ? failures + 1 : 0;
      if (performance.now() - toldMs > REPEAT_MS) {
        toldMs = performance.now();
        this.#tell(waiting, step.why);
      }
      const pauseMs = this.#pauseMs(waiting, failures);
      await delay(pauseMs, undefined, { signal });
    }
    throw signal.reason;
  }

  /** Where the API server cannot say, it is gone on with: the same request counts. */
  async #step(waiting: Waiting): Promise<Step> {
    const { api } = this.#options;
    try {
      const object = (await api.call({
        method: "GET",
        path: this.#path(waiting.name),
      })) as RequestObject;
      return readRequest(object);
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      if (error.reason !== "not_found") return { kind: "failed", why: error.message };
      return this.#create(waiting);
    }
  }

  /** It is not there yet, or somebody has removed it. */
  async #create(waiting: Waiting): Promise<Step> {
    const { api, namespace, podName } = this.#options;
    try {
      await this.#cleanUp();
      const podUid = await this.#findPodUid();
      const body = requestBody({ ...waiting, namespace, podName, podUid });
      await api.call({ method: "POST", path: this.#path(), body });
      return { kind: "pending", why: "just asked" };
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      // Admission: cert-manager's own, approver-policy's or somebody else's.
      if (error.reason === "invalid") return { kind: "denied", message: error.message };
      if (error.reason === "already_exists") return { kind: "pending", why: "asked before" };
      const isMissing = error.reason === "not_found";
      const why = isMissing ? "cert-manager is not installed in this cluster" : error.message;
      return { kind: "failed", why };
    }
  }

  async #requireWanted({ issuer, isFirst }: Waiting): Promise<void> {
    const { issuerRef, isCaStored } = this.#options;
    const now = issuerRef();
    const isSame =
      now?.name === issuer.name && now.kind === issuer.kind && now.group === issuer.group;
    if (!isSame) throw unwanted("MeshConfig names another issuer by now");
    if (isFirst && (await isCaStored())) throw unwanted("another replica has got the CA");
  }

  /** What this pod asked before it was restarted, or before it was refused. */
  async #cleanUp(): Promise<void> {
    const { api, podName } = this.#options;
    const labelSelector = `${REQUESTER_LABEL}=${podName}`;
    const list = await api.call({ method: "GET", path: this.#path(), query: { labelSelector } });
    const { items = [] } = list as { readonly items?: readonly RequestObject[] };
    for (const { metadata } of items) {
      if (!this.#open.has(metadata.name)) await this.#delete(metadata.name);
    }
  }

  async #delete(name: string): Promise<void> {
    const { api, log } = this.#options;
    try {
      await api.call({ method: "DELETE", path: this.#path(name) });
    } catch (error) {
      if (error instanceof KubeError && error.reason === "not_found") return;
      log.warn({ err: error, request: name }, "certificate request not removed");
    }
  }

  async #findPodUid(): Promise<string> {
    const { api, namespace, podName } = this.#options;
    const path = kubePath("api", "v1", "namespaces", namespace, "pods", podName);
    try {
      const pod = (await api.call({ method: "GET", path })) as RequestObject;
      return pod.metadata.uid ?? "";
    } catch (error) {
      if (error instanceof KubeError && error.reason === "not_found") return "";
      throw error;
    }
  }

  #tell({ name, issuer, isFirst }: Waiting, why: string): void {
    const message = isFirst
      ? "waiting for cert-manager to sign the mesh's CA: the operator is not ready before"
      : "waiting for cert-manager to sign a new intermediate";
    this.#options.log.warn(
      { request: name, issuer: `${issuer.kind}/${issuer.name}`, why },
      message,
    );
  }

  #pauseMs({ startMs }: Waiting, failures: number): number {
    if (failures > 0) return backoffDelayMs(RETRY, failures - 1, Math.random());
    const isSlow = performance.now() - startMs > SLOW_AFTER_MS;
    return this.#options.pollMs ?? (isSlow ? SLOW_POLL_MS : POLL_MS);
  }

  #path(name?: string): string {
    const { namespace } = this.#options;
    const own = name === undefined ? [] : [name];
    return kubePath("apis", "cert-manager.io", "v1", "namespaces", namespace, PLURAL, ...own);
  }
}

function nameOf({ mark }: Pick<SigningRequest, "mark">): string {
  return `weft-intermediate-${mark}`;
}

/** Whoever asked asks again, and finds what there is by then. */
function unwanted(why: string): KubeError {
  return new KubeError("unavailable", `a new intermediate is not waited for: ${why}`);
}
