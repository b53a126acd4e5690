/**
 * May this request of a connection reach the pod, and how does the pod get to see it? Asked by the engines of HTTP
 * before a byte of it goes on: read, whose it is, who may, whom to ask, how many here, how many elsewhere; in this order.
 *
 * Tells the log of each request once, at its end. Never reads a body, never dials.
 */
import type { Attempt, HttpFacts } from "../authz/attempt.ts";
import type { Decision } from "../authz/decide.ts";
import type { Denial } from "../authz/verdict.ts";
import type { Question, SaidDenial } from "../ext-authz/check-message.ts";
import type { AskedProvider, ConnectionFacts } from "../flow/connection-facts.ts";
import { changeHead } from "../http/match/change-head.ts";
import { FieldTable } from "../http/match/field-table.ts";
import { type ReadRequest, readRequest } from "../http/match/read-request.ts";
import type { FieldLines, Gate, GateAnswer, RequestHead } from "../http/message.ts";
import { limitFields } from "../limit/limit-fields.ts";
import type { Admission } from "../limit/rate-limits.ts";
import type { RateAnswer } from "../rate-service/rate-service.ts";
import { askFirst, openQuestion, type Settled, withUnknown } from "./ask-first.ts";
import { refusalOf } from "./decision-facts.ts";
import type { InboundPod } from "./inbound-pod.ts";
import { type RequestReports, reportsOf } from "./request-reports.ts";

/** One connection, as far as its requests share it. */
export interface GatedConnection {
  readonly pod: InboundPod;
  readonly facts: ConnectionFacts & { readonly attempt: Attempt };
  readonly question: Question;
  readonly onDone: (requestBytes: number, responseBytes: number) => void;
}

type Request = Extract<ReadRequest, { readonly kind: "request" }>;

const UNLIMITED: Admission = { isRefused: false, applied: [], elsewhere: [] };
/** In the log, among those that were asked: MeshConfig's field. */
const RATE_SERVICE = "rateLimitService";
const DENIED = "RBAC: access denied";

export function createGate(connection: GatedConnection): Gate {
  const { pod } = connection;
  return (head) => new GatedRequest(connection, pod.tracer()?.begin(head) ?? head).judge();
}

class GatedRequest {
  readonly #connection: GatedConnection;
  readonly #pod: InboundPod;
  readonly #reports: RequestReports;
  readonly #came: RequestHead;
  #cut: Denial | undefined;

  constructor(connection: GatedConnection, head: RequestHead) {
    this.#connection = connection;
    this.#pod = connection.pod;
    this.#came = head;
    this.#reports = reportsOf(connection, head);
  }

  judge(): GateAnswer | Promise<GateAnswer> {
    const { facts } = this.#connection;
    const read = readRequest(this.#came, {
      sourceIp: facts.attempt.sourceIp,
      caller: facts.source.identity,
      own: facts.destination.identity,
      trustedProxies: this.#pod.trustedProxies(),
    });
    if (read.kind === "refused") return this.#refuse({ status: 400, reason: read.reason });
    const { requestAuthentications = [] } = this.#pod.enrolment() ?? {};
    return requestAuthentications.length === 0 ? this.#decide(read) : this.#authenticate(read);
  }

  async #authenticate(request: Request): Promise<GateAnswer> {
    const { head, http } = request;
    const target = `${head.path}${head.query}`;
    const result = await this.#pod.authenticate({ headers: http.headers, target });
    if (result.kind === "refused") {
      const fields = ["www-authenticate", 'Bearer error="invalid_token"'];
      const { reason } = result;
      return this.#refuse({ status: 401, reason, body: "Jwt verification fails", fields });
    }
    const changed = changeHead(head, result.changes);
    const { claims } = result;
    const seen: HttpFacts = {
      ...http,
      // Policies see what the workload will: what a caller wrote where claims are written is gone.
      headers: changed === head ? http.headers : new FieldTable(changed),
      ...(claims ? { claims } : {}),
    };
    return this.#decide({ ...request, head: changed, http: seen });
  }

  #decide(request: Request): GateAnswer | Promise<GateAnswer> {
    const { http, remoteIp } = request;
    const attempt = { ...this.#connection.facts.attempt, http, remoteIp };
    const decision = this.#pod.judge.decide(this.#pod.uid, attempt);
    if (openQuestion(decision.verdict) !== undefined) return this.#ask(request, attempt);
    return this.#settle(request.head, { decision, attempt });
  }

  async #ask({ head }: Request, attempt: Attempt): Promise<GateAnswer> {
    const question = { ...this.#connection.question, atMs: Date.now(), head };
    const settled = await askFirst(this.#pod, attempt, question);
    const changed = settled.changes.reduce(changeHead, head);
    return this.#settle(changed, settled);
  }

  #settle(head: RequestHead, settled: Judged): GateAnswer | Promise<GateAnswer> {
    const { decision, attempt } = settled;
    if (decision.verdict.kind === "deny") return this.#deny(decision.verdict, settled);
    const admission = this.#admit(attempt);
    if (admission.isRefused) return this.#refuseExcess(settled, limitFields(admission));
    if (admission.elsewhere.length > 0) return this.#count(head, settled, admission);
    return this.#pass(head, settled, limitFields(admission));
  }

  async #count(head: RequestHead, settled: Judged, here: Admission): Promise<GateAnswer> {
    const answer = await this.#pod.rateService.ask(here.elsewhere);
    const { attempt } = settled;
    const asked = [...(settled.asked ?? []), { provider: RATE_SERVICE, answer: answer.said }];
    // By the policies of now: nothing has held the request while the service was asked.
    const decision = this.#pod.judge.decide(this.#pod.uid, attempt);
    const judged = { decision, attempt, asked };
    if (decision.verdict.kind === "deny") return this.#deny(decision.verdict, judged);
    const fields = countedFields(here, answer);
    if (!answer.isRefused) return this.#pass(head, judged, fields);
    return answer.kind === "counted"
      ? this.#refuseExcess(judged, fields, answer.body)
      : this.#refuseUncounted(judged, fields);
  }

  #pass(head: RequestHead, settled: Judged, fields: FieldLines): GateAnswer {
    const { attempt } = settled;
    const { exchanges, uid: pod } = this.#pod;
    const report = this.#reports.judged(settled);
    return {
      kind: "pass",
      head,
      fields,
      hold: (end) =>
        exchanges.add({
          pod,
          attempt,
          end: (late) => {
            this.#cut = late;
            end();
          },
        }),
      done: (outcome) => {
        this.#connection.onDone(outcome.requestBytes, outcome.responseBytes);
        report.ended(outcome, this.#cut);
      },
    };
  }

  #admit({ destinationPort: port, http, sourceIp, remoteIp = sourceIp }: Attempt): Admission {
    const caller = this.#connection.facts.source.identity;
    return http ? this.#pod.admit({ port, caller, remoteIp, http }) : UNLIMITED;
  }

  #refuseExcess(settled: Judged, fields: FieldLines, said = ""): GateAnswer {
    const [status, reason] = [429, "rate_limited"];
    this.#reports.judged(settled).refused(status, { code: reason });
    return { kind: "refuse", status, reason, body: said || "too many requests\n", fields };
  }

  #refuseUncounted(settled: Judged, fields: FieldLines): GateAnswer {
    const [status, reason] = [503, "rate_limit_unavailable"];
    this.#reports.judged(settled).refused(status, { code: reason });
    return { kind: "refuse", status, reason, body: `${reason}\n`, fields };
  }

  #deny(verdict: Denial, { decision, attempt, asked, denial }: Judged): GateAnswer {
    const own = verdict.reason === "denied_by_provider" ? denial : undefined;
    const status = own?.status ?? 403;
    const all = withUnknown(asked, verdict, this.#pod.judge);
    const told = { decision, attempt, ...(all ? { asked: all } : {}) };
    this.#reports.judged(told).refused(status, refusalOf(verdict));
    const { body = DENIED, fields = [] } = own ?? {};
    return { kind: "refuse", status, reason: verdict.reason, body, fields };
  }

  /** What is no decision of policy. */
  #refuse({ status, reason, body = `${reason}\n`, fields = [] }: Unjudged): GateAnswer {
    this.#reports.unjudged(status, reason);
    return { kind: "refuse", status, reason, body, fields };
  }
}

/** What the limits that are counted here and those of the service say together. */
function countedFields({ applied }: Admission, answer: RateAnswer): FieldLines {
  const { isRefused } = answer;
  if (answer.kind === "uncounted") return limitFields({ isRefused: false, applied });
  const own = limitFields({ isRefused, applied: [...applied, ...answer.applied] });
  const isTold = own.includes("retry-after");
  const said = answer.fields.filter((_, i, all) => {
    return !isTold || all[i - (i % 2)] !== "retry-after";
  });
  return [...own, ...said];
}

type Judged = Pick<Settled, "decision" | "attempt"> & {
  readonly decision: Decision;
  readonly asked?: readonly AskedProvider[];
  readonly denial?: SaidDenial;
};

interface Unjudged {
  readonly status: number;
  readonly reason: string;
  readonly body?: string;
  readonly fields?: FieldLines;
}
