/** cert-manager's CertificateRequest, as far as the operator writes and reads it. Pure. */
import type { SigningAnswer, SigningRequest } from "../ca/external-signer.ts";
import type { IssuerRef } from "../resources/mesh-config.ts";

/** Whose request it is: the name of the operator's pod. */
export const REQUESTER_LABEL = "weft.dev/requested-by";

export interface RequestObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly uid?: string };
  readonly status?: {
    readonly conditions?: readonly Condition[];
    /** Base64 of PEM, each. */
    readonly certificate?: string;
    readonly ca?: string;
  };
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

export interface RequestContent extends SigningRequest {
  readonly issuer: IssuerRef;
  readonly name: string;
  readonly namespace: string;
  readonly podName: string;
  /** "" where it is not known: then nobody removes the object with the pod. */
  readonly podUid: string;
}

export function requestBody(content: RequestContent): object {
  const { name, namespace, podName, podUid, issuer, csrPem, lifetimeSeconds } = content;
  const owner = { apiVersion: "v1", kind: "Pod", name: podName, uid: podUid };
  return {
    apiVersion: "cert-manager.io/v1",
    kind: "CertificateRequest",
    metadata: {
      name,
      namespace,
      labels: { "app.kubernetes.io/part-of": "weft", [REQUESTER_LABEL]: podName },
      ...(podUid === "" ? {} : { ownerReferences: [owner] }),
    },
    spec: {
      request: Buffer.from(csrPem).toString("base64"),
      isCA: true,
      // cert-manager refuses a request whose own extensions say anything else (`createCaCsr`).
      usages: ["digital signature", "cert sign", "crl sign"],
      duration: `${Math.floor(lifetimeSeconds / 3600)}h`,
      issuerRef: issuer,
    },
  };
}

export type RequestState = SigningAnswer | { readonly kind: "pending"; readonly why: string };

/** As cert-manager documents the conditions. */
export function readRequest({ status = {} }: RequestObject): RequestState {
  const { conditions = [], certificate = "", ca = "" } = status;
  const refusal = conditions.find(isFinal);
  if (refusal) {
    const { type, reason = type, message = "no reason given" } = refusal;
    return { kind: "denied", message: `${reason}: ${message}` };
  }
  if (isTrue(conditions, "Ready") && certificate !== "") {
    return { kind: "signed", chainPem: decode(certificate), rootsPem: decode(ca) };
  }
  return { kind: "pending", why: whyPending(conditions) };
}

function whyPending(conditions: readonly Condition[]): string {
  if (!isTrue(conditions, "Approved")) return "nobody has approved it yet";
  const ready = conditions.find(({ type }) => type === "Ready");
  return ready?.message ?? "the issuer has not answered yet";
}

function isTrue(conditions: readonly Condition[], wanted: string): boolean {
  return conditions.some(({ type, status }) => type === wanted && status === "True");
}

/** Nothing comes after it. */
function isFinal({ type, status, reason = "" }: Condition): boolean {
  if (type === "Ready") return status === "False" && ["Failed", "Denied"].includes(reason);
  return status === "True" && ["Denied", "InvalidRequest"].includes(type);
}

function decode(base64: string): string {
  return Buffer.from(base64, "base64").toString("utf8");
}
