/**
 * Intermediates signed by somebody else: makes key and request, and takes what comes back only after every check.
 *
 * A refusal is asked again after a growing pause, whoever asks; an answer that nobody has stored is given once more
 * instead of asking for another. The first CA is waited for, however often it is refused. The key leaves in the answer only.
 */
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Backoff, backoffDelayMs } from "../../core/process/backoff.ts";
import type { Log } from "../../core/process/log.ts";
import { createCaCsr, formatCsrPem } from "../../core/x509/create-csr.ts";
import { distinguishedName, keyIdentifier } from "../../core/x509/sign-certificate.ts";
import { CaError } from "./ca-error.ts";
import { beginsMs, checkSigned } from "./check-signed.ts";
import type { ExternalSigner, SigningAnswer } from "./external-signer.ts";
import type {
  IntermediateAnswer,
  IntermediateRequest,
  IntermediateSource,
  NewIntermediate,
} from "./intermediate-source.ts";
import { INTERMEDIATE_LIFETIME_MS, SERVER_LIFETIME_SECONDS } from "./validity.ts";

export interface ExternalIntermediatesOptions {
  readonly signer: ExternalSigner;
  /** By the mesh's settings of now. */
  readonly leafLifetimeSeconds: () => number;
  readonly log: Log;
  readonly retry?: Backoff;
}

const RETRY: Backoff = { minMs: 30_000, maxMs: 900_000 };
/** An answer that nobody stored for so long is not given again. */
const KEEP_MS = 3_600_000;
/** Without a CA there is no mesh, and another replica may have got one meanwhile. */
const MAX_FIRST_PAUSE_MS = 60_000;
/** A signer whose clock is ahead by less has only to be waited for. */
const MAX_AHEAD_MS = 600_000;

interface Refused {
  readonly signer: string;
  readonly answer: Refusal;
  /** Monotonic. */
  readonly untilMs: number;
  readonly attempts: number;
}

interface Unused {
  readonly signer: string;
  readonly made: NewIntermediate;
  /** Monotonic. */
  readonly atMs: number;
}

type Refusal = Extract<IntermediateAnswer, { readonly kind: "refused" }>;

export class ExternalIntermediates implements IntermediateSource {
  readonly isExternal = true;
  readonly #options: ExternalIntermediatesOptions;
  #refused: Refused | undefined;
  #unused: Unused | undefined;

  constructor(options: ExternalIntermediatesOptions) {
    this.#options = options;
  }

  get signer(): string {
    return this.#options.signer.name;
  }

  async create(request: IntermediateRequest): Promise<IntermediateAnswer> {
    const made = this.#takeUnused(request);
    if (made) return { kind: "made", ...made };
    for (let answer = this.#recentRefusal(); ; answer = await this.#ask(request)) {
      if (answer?.kind === "made" || (answer && request.material)) return answer;
      const waitMs = (this.#refused?.untilMs ?? 0) - performance.now();
      const pauseMs = Math.min(waitMs, MAX_FIRST_PAUSE_MS);
      if (answer && pauseMs > 0) await delay(pauseMs, undefined, { signal: request.signal });
    }
  }

  toJSON(): string {
    return "[redacted]";
  }

  async #ask(request: IntermediateRequest): Promise<IntermediateAnswer> {
    const { signer } = this.#options;
    const { material, trustDomain, signal } = request;
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const publicKey = createPublicKey(privateKey).export({ format: "der", type: "spki" });
    const mark = Buffer.from(keyIdentifier(publicKey)).toString("hex", 0, 8);
    const csr = createCaCsr(privateKey, {
      subject: distinguishedName("Weft", `Weft intermediate ${mark}`),
      uri: `spiffe://${trustDomain}`,
    });
    const answer = await signer.sign({
      csrPem: formatCsrPem(csr),
      mark,
      lifetimeSeconds: INTERMEDIATE_LIFETIME_MS / 1000,
      isFirst: material === undefined,
      signal,
    });
    const keyPem = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
    return answer.kind === "denied"
      ? this.#refuse(mark, "IntermediateDenied", answer.message)
      : this.#check(answer, { request, mark, keyPem });
  }

  async #check(
    signed: Extract<SigningAnswer, { readonly kind: "signed" }>,
    asked: {
      readonly request: IntermediateRequest;
      readonly mark: string;
      readonly keyPem: string;
    },
  ): Promise<IntermediateAnswer> {
    const { request, mark, keyPem } = asked;
    const { material, trustDomain, signal } = request;
    // Time has gone by since it was asked for.
    const startMs = performance.now();
    try {
      const aheadMs = beginsMs(signed.chainPem, this.signer) - Date.now();
      if (aheadMs > 0 && aheadMs < MAX_AHEAD_MS) {
        await delay(aheadMs, undefined, { signal });
      }
      const made = checkSigned(signed, {
        signer: this.signer,
        keyPem,
        knownRootsPem: material?.rootsPem ?? "",
        trustDomain,
        longestLeafSeconds: Math.max(SERVER_LIFETIME_SECONDS, this.#options.leafLifetimeSeconds()),
        now: Date.now(),
      });
      this.#refused = undefined;
      this.#unused = { signer: this.signer, made, atMs: startMs };
      return { kind: "made", ...made };
    } catch (error) {
      if (!(error instanceof CaError)) throw error;
      return this.#refuse(mark, "IntermediateUnusable", error.message);
    }
  }

  async #refuse(
    mark: string,
    reason: "IntermediateDenied" | "IntermediateUnusable",
    message: string,
  ): Promise<Refusal> {
    const { signer, log } = this.#options;
    const code = reason === "IntermediateDenied" ? "signer_denied" : "signer_unusable";
    log.error({ signer: signer.name, reason: code, message }, "intermediate not signed");
    await signer.complain({ mark }, { reason, message });
    const answer = {
      kind: "refused",
      reason: "SignerDenied",
      message: `${signer.name}: ${message}`,
    } as const;
    const attempts = this.#refused?.attempts ?? 0;
    const pauseMs = backoffDelayMs(this.#options.retry ?? RETRY, attempts, Math.random());
    const untilMs = performance.now() + pauseMs;
    this.#refused = { signer: signer.name, answer, untilMs, attempts: attempts + 1 };
    return answer;
  }

  /** Of the signer of now, and not to be asked again yet. */
  #recentRefusal(): IntermediateAnswer | undefined {
    const refused = this.#refused;
    const isRecent = refused?.signer === this.signer && performance.now() < refused.untilMs;
    return isRecent ? refused.answer : undefined;
  }

  /** Somebody who asks on behalf of a rotation wants what came for a renewal that was not taken, and had a look at it. */
  #takeUnused({ material }: IntermediateRequest): NewIntermediate | undefined {
    const unused = this.#unused;
    if (!unused || !material) return undefined;
    const isOld = performance.now() - unused.atMs > KEEP_MS;
    // Wherever it stands in the store, as what signs, on standby or retired: it has been used.
    const [certificate = ""] = unused.made.certificatesPem.split(
      /(?<=-----END CERTIFICATE-----\n)/,
    );
    const texts = Object.values(material);
    const isUsed = texts.some((text) => typeof text === "string" && text.includes(certificate));
    if (!isOld && !isUsed && unused.signer === this.signer) return unused.made;
    this.#unused = undefined;
    return undefined;
  }
}
