/**
 * Asks one endpoint the request of an active check over a connection that is open, and says whether its answer is good.
 * Loaded with the first such check.
 *
 * A refusal by policy, on the way there, says nothing about the endpoint and passes.
 */
import { request as requestHttp } from "node:http";
import { connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import type { Duplex } from "node:stream";
import type { HttpVersion } from "../../core/model/enrolment.ts";
import type { GrpcCheck, HttpCheck } from "../../core/model/http-settings.ts";
import type { Side } from "../flow/side.ts";
import { checkRequest, saysServing } from "../health/health-message.ts";
import { duplexOf } from "../http/side-duplex.ts";

export interface CheckAsk {
  readonly check: HttpCheck | GrpcCheck;
  readonly authority: string;
  readonly version: HttpVersion;
}

interface Answer {
  readonly status: number;
  readonly fields: IncomingHttpHeaders;
  /** With trailers. */
  readonly body: Buffer;
}

const USER_AGENT = "weft-health-check";
const MAX_HEAD_OCTETS = 16_384;
/** The answer of the health protocol holds one number; of HTTP's the head is enough. */
const MAX_BODY_OCTETS = 1_024;
const GRPC_PATH = "/grpc.health.v1.Health/Check";

/** Takes the connection over, and ends it. Never rejects. */
export async function answersWell(side: Side, ask: CheckAsk, timeoutMs: number): Promise<boolean> {
  const stream = duplexOf(side, { endsAtOnce: true });
  stream.on("error", ignore);
  const timer = setTimeout(() => stream.destroy(), timeoutMs);
  const { check, authority, version } = ask;
  const isOfHttp1 = check.kind === "http" && version === "http1";
  const answer = await (isOfHttp1
    ? askHttp1(stream, check.path, authority)
    : askHttp2(stream, check, authority));
  clearTimeout(timer);
  stream.destroy();
  return answer !== undefined && (isRefusal(answer) || isGood(check, answer));
}

function isGood(check: HttpCheck | GrpcCheck, { status, fields, body }: Answer): boolean {
  switch (check.kind) {
    case "http":
      return check.statuses.some(([from, to]) => status >= from && status <= to);
    case "grpc":
      return status === 200 && fields["grpc-status"] === "0" && saysServing(body);
  }
}

/** By the proxy in front of the endpoint. */
function isRefusal({ status, fields }: Answer): boolean {
  if (fields["x-weft-reason"] === undefined) return false;
  return status === 401 || status === 403 || status === 429 || fields["grpc-status"] === "7";
}

function askHttp1(stream: Duplex, path: string, host: string): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const headers = { host, "user-agent": USER_AGENT, connection: "close" };
    const asking = requestHttp({
      path,
      headers,
      setHost: false,
      maxHeaderSize: MAX_HEAD_OCTETS,
      createConnection: () => stream,
    });
    asking.on("error", () => resolve(undefined)).on("close", () => resolve(undefined));
    asking.on("response", (response) => {
      const { statusCode: status = 0, headers: fields } = response;
      response.on("error", ignore).resume();
      resolve({ status, fields, body: Buffer.alloc(0) });
    });
    asking.end();
  });
}

function askHttp2(
  stream: Duplex,
  check: HttpCheck | GrpcCheck,
  authority: string,
): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const session = connect("http://endpoint", {
      createConnection: () => stream,
      settings: { enablePush: false, maxHeaderListSize: MAX_HEAD_OCTETS },
      maxSessionMemory: 1,
    });
    session.on("error", ignore).on("close", () => resolve(undefined));
    const asking = session.request(headOf(check, authority));
    const chunks: Buffer[] = [];
    let octets = 0;
    let fields: IncomingHttpHeaders & { ":status"?: number | undefined } = {};
    function answered(): void {
      resolve({ status: fields[":status"] ?? 0, fields, body: Buffer.concat(chunks) });
    }
    asking.on("error", ignore).on("response", (head) => {
      fields = head;
      if (check.kind === "http") answered();
    });
    asking.on("trailers", (trailers) => {
      fields = { ...fields, ...trailers };
    });
    asking.on("data", (chunk: Buffer) => {
      octets += chunk.length;
      if (octets > MAX_BODY_OCTETS) resolve(undefined);
      else chunks.push(chunk);
    });
    asking.on("end", answered).on("close", () => resolve(undefined));
    asking.end(check.kind === "grpc" ? checkRequest(check.service) : undefined);
  });
}

function headOf(check: HttpCheck | GrpcCheck, authority: string): OutgoingHttpHeaders {
  const shared = { ":scheme": "http", ":authority": authority, "user-agent": USER_AGENT };
  if (check.kind === "http") return { ...shared, ":method": "GET", ":path": check.path };
  const typed = { "content-type": "application/grpc", te: "trailers" };
  return { ...shared, ...typed, ":method": "POST", ":path": GRPC_PATH };
}

function ignore(): void {}
