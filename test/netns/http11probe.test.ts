/**
 * The 113 MUST cases of Http11Probe, each through two node proxies: once with the called pod's node as the first to read
 * it, once with the caller's. The application counts what reaches it whole.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import {
  ACCEPTED,
  HOST,
  INCOMPLETE,
  NEVER_UPGRADED,
  REFUSED,
  SEPARATE,
  STRICTLY_REFUSED,
} from "./http11probe/cases.ts";
import { createTwoFronts, FRONTS, type Front, type TwoFronts } from "./two-fronts.ts";

/** Sent behind each that is to be refused: would it be served, it would be counted. */
const SECOND = `GET /second HTTP/1.1\r\n${HOST}\r\n`;
let fronts: TwoFronts;
/** Requests that came whole: method, target and body. */
const whole: string[] = [];
const application = createServer(answer).on("upgrade", upgrade);

beforeAll(async () => {
  fronts = await createTwoFronts("wp-probe", "http1", (socket) => {
    application.emit("connection", socket);
  });
});

beforeEach(() => {
  whole.length = 0;
});

afterAll(async () => {
  await fronts[Symbol.asyncDispose]();
});

function answer(asked: IncomingMessage, response: ServerResponse): void {
  const { method, url } = asked;
  let body = "";
  asked.setEncoding("latin1").on("error", () => undefined);
  asked.on("data", (chunk: string) => {
    body += chunk;
  });
  asked.once("end", () => {
    whole.push(`${method} ${url} ${body}`.trimEnd());
    if (method === "OPTIONS") response.writeHead(204, { allow: "GET, POST" }).end();
    else if (method === "DELETE") response.writeHead(405, { allow: "GET, POST" }).end();
    else response.setHeader("content-length", body.length).end(body);
  });
}

/** As RFC 6455 4.2 asks it of a server. */
function upgrade({ method, headers }: IncomingMessage, socket: Socket): void {
  const isGood = method === "GET" && headers["sec-websocket-version"] === "13";
  const isAsked = headers.upgrade?.toLowerCase() === "websocket";
  if (isGood && isAsked) socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  else
    socket.end("HTTP/1.1 426 Upgrade Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}

interface Said {
  /** Of each head. */
  readonly statuses: readonly number[];
  readonly text: string;
  readonly body: string;
}

/** All that comes until the proxy ends the connection; with `isLast` the client says that nothing follows. */
async function say(front: Front, text: string, isLast: boolean): Promise<Said> {
  const socket = fronts.dial(front);
  let all = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    all += chunk;
  });
  socket.on("end", () => socket.end());
  if (isLast) socket.end(text, "latin1");
  else socket.write(text, "latin1");
  await once(socket, "close");
  const statuses = Array.from(all.matchAll(/^HTTP\/1\.\d (\d{3})/gm), ([, code]) => Number(code));
  return { statuses, text: all, body: all.split("\r\n\r\n").slice(1).join("\r\n\r\n") };
}

test("Http11Probe: all of its 113 MUST cases are here", () => {
  const tables = [STRICTLY_REFUSED, REFUSED, INCOMPLETE, ACCEPTED, NEVER_UPGRADED];
  const ids = [...tables.flat().map(([id]) => id), ...Object.keys(SEPARATE)];
  expect([ids.length, new Set(ids).size]).toEqual([113, 113]);
});

/** Each row once for each front: `id, front, what is sent, body`. */
function atBoth(rows: readonly (readonly [id: string, text: string, body?: string])[]) {
  return rows.flatMap(([id, text, body = ""]) =>
    FRONTS.map((front) => [id, front, text, body] as const),
  );
}

test.each(atBoth(STRICTLY_REFUSED))(
  "%s, first read at the %s's node",
  async (...[, front, text]) => {
    const { statuses } = await say(front, text + SECOND, false);
    expect([statuses, whole]).toEqual([[400], []]);
  },
);

test.each(atBoth(REFUSED))("%s, first read at the %s's node", async (...[, front, text]) => {
  const { statuses } = await say(front, text + SECOND, false);
  expect(statuses).toHaveLength(1);
  expect([400, 501]).toContain(statuses[0]);
  expect(whole).toEqual([]);
});

test.each(atBoth(INCOMPLETE))("%s, first read at the %s's node", async (...[, front, text]) => {
  const { statuses } = await say(front, text, true);
  expect([statuses, whole]).toEqual([[400], []]);
});

test.each(atBoth(ACCEPTED))("%s, first read at the %s's node", async (...[, front, text, sent]) => {
  const { statuses, body } = await say(front, text, true);
  expect([statuses, body, whole]).toEqual([[200], sent, [`POST / ${sent}`.trimEnd()]]);
});

test.each(atBoth(NEVER_UPGRADED))("%s, first read at the %s's node", async (...[, front, text]) => {
  const { statuses } = await say(front, text, true);
  expect(statuses).toHaveLength(1);
  expect(statuses).not.toContain(101);
});

test.each(FRONTS)("COMP-OPTIONS-STAR, COMP-NO-CL-IN-204: %s", async (front) => {
  const star = await say(front, SEPARATE["COMP-OPTIONS-STAR"], true);
  const slash = await say(front, SEPARATE["COMP-NO-CL-IN-204"], true);
  expect([star.statuses, slash.statuses]).toEqual([[204], [204]]);
  expect(whole).toEqual(["OPTIONS *", "OPTIONS /"]);
  expect(slash.text).not.toMatch(/^content-length:/im);
});

test.each(FRONTS)("COMP-CONNECTION-CLOSE: %s", async (front) => {
  // What follows is not served: the proxy ends the connection by itself.
  const { statuses, text } = await say(front, SEPARATE["COMP-CONNECTION-CLOSE"] + SECOND, false);
  expect([statuses, whole]).toEqual([[200], ["GET /"]]);
  expect(text).toMatch(/^connection: close\r$/im);
});

test.each(FRONTS)("COMP-HEAD-NO-BODY, COMP-DATE-HEADER, COMP-405-ALLOW: %s", async (front) => {
  const head = await say(front, SEPARATE["COMP-HEAD-NO-BODY"], true);
  const dated = await say(front, SEPARATE["COMP-DATE-HEADER"], true);
  const refused = await say(front, SEPARATE["COMP-405-ALLOW"], true);
  expect([head.statuses, head.body]).toEqual([[200], ""]);
  expect(dated.statuses).toEqual([200]);
  expect(dated.text).toMatch(/^date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r$/im);
  expect(refused.statuses).toEqual([405]);
  expect(refused.text).toMatch(/^allow: GET, POST\r$/im);
  expect(whole).toEqual(["HEAD /", "GET /", "DELETE /"]);
});

test.each(FRONTS)("COMP-NO-1XX-HTTP10: %s", async (front) => {
  const { statuses, body } = await say(front, SEPARATE["COMP-NO-1XX-HTTP10"], true);
  expect([statuses, body]).toEqual([[200], "hello"]);
});
