/**
 * `node grpc-caller.ts HOST:PORT`: makes calls of every kind by @grpc/grpc-js over one channel, and prints as JSON what
 * came of each. Knows nothing of any mesh.
 */
import { once } from "node:events";
import {
  type CallOptions,
  Client,
  type ClientReadableStream,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
} from "@grpc/grpc-js";
import { TALK } from "./talk-service.ts";

export interface CallerReport {
  readonly echo: Answer;
  readonly large: boolean;
  readonly count: { readonly answers: number; readonly last: string };
  readonly sum: string;
  readonly chat: readonly string[];
  /** Codes and what the server said of each. */
  readonly failed: readonly string[];
  readonly late: number;
  readonly lateStream: number;
  readonly cancelled: readonly string[];
  readonly cancelsSeen: string;
  readonly atOnce: number;
}

interface Answer {
  readonly text: string;
  readonly header: readonly unknown[];
  readonly trailer: readonly unknown[];
}

type Method = MethodDefinition<string, string>;

const LARGE = "x".repeat(3 << 20);
const LATE_MS = 1_000;
const HOUR_MS = 3_600_000;
const [address = ""] = process.argv.slice(2);
const client = new Client(address, credentials.createInsecure());
const report: CallerReport = {
  echo: await echo(),
  large: (await ask(TALK.echo, LARGE)) === LARGE,
  count: await count(),
  sum: await sum(),
  chat: await chat(),
  failed: await Promise.all([3, 5, 8, 14, 16].map(failed)),
  late: codeOf(await ask(TALK.cancelled, "1000", { deadline: Date.now() + LATE_MS })),
  lateStream: await late(LATE_MS),
  cancelled: [await cancelled(0), await cancelled(HOUR_MS)],
  cancelsSeen: String(await ask(TALK.cancelled, "2")),
  atOnce: (await Promise.all(Array.from({ length: 200 }, (_, i) => ask(TALK.echo, `${i}`)))).filter(
    (text, i) => text === `${i}`,
  ).length,
};
process.stdout.write(JSON.stringify(report));
client.close();

/** A unary call, and its text or its error. */
function ask(
  { path, requestSerialize, responseDeserialize }: Method,
  text: string,
  options: CallOptions = {},
): Promise<string | ServiceError> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      text,
      new Metadata(),
      options,
      (error, answer) => resolve(error ?? answer ?? ""),
    );
  });
}

function codeOf(answer: string | ServiceError): number {
  return typeof answer === "string" ? 0 : answer.code;
}

async function echo(): Promise<Answer> {
  const { path, requestSerialize, responseDeserialize } = TALK.echo;
  const said = new Metadata();
  said.add("x-said", "once");
  said.add("x-said", "twice");
  said.add("x-octets-bin", Buffer.of(0, 255, 10, 13));
  let call: ClientUnaryCall | undefined;
  const answer = new Promise<string>((resolve, reject) => {
    call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      "hello",
      said,
      (error, text) => (error ? reject(error) : resolve(text ?? "")),
    );
  });
  if (!call) throw new Error("no call was made");
  const [[header], [status], text] = await Promise.all([
    once(call, "metadata") as Promise<[Metadata]>,
    once(call, "status") as Promise<[{ readonly metadata: Metadata }]>,
    answer,
  ]);
  const octets = status.metadata.get("x-octets-bin").map((value) => [...Buffer.from(value)]);
  return { text, header: header.get("x-heard"), trailer: octets };
}

async function count(): Promise<CallerReport["count"]> {
  const { path, requestSerialize, responseDeserialize } = TALK.count;
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, "2000");
  const answers: string[] = [];
  for await (const text of call) answers.push(text as string);
  return { answers: answers.length, last: answers.at(-1)?.trim() ?? "" };
}

async function sum(): Promise<string> {
  const { path, requestSerialize, responseDeserialize } = TALK.sum;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const call = client.makeClientStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    (error, text) => (error ? reject(error) : resolve(text ?? "")),
  );
  for (let i = 0; i < 2_000; i += 1) {
    if (!call.write("y".repeat(1_000))) await once(call, "drain");
  }
  call.end();
  return promise;
}

/** Each says the next only once the other has answered. */
async function chat(): Promise<readonly string[]> {
  const { path, requestSerialize, responseDeserialize } = TALK.chat;
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const heard: string[] = [];
  for (let i = 0; i < 20; i += 1) {
    call.write(`${i}`);
    const [text] = (await once(call, "data")) as [string];
    heard.push(text);
  }
  call.end();
  await once(call, "end");
  return heard;
}

async function failed(code: number): Promise<string> {
  const error = await ask(TALK.fail, `${code}`);
  if (typeof error === "string") return `not failed: ${error}`;
  return `${error.code} ${error.details} ${error.metadata.get("x-why").join()}`;
}

/** The code of a call that nobody ends but its deadline. */
async function late(deadlineMs: number): Promise<number> {
  const call = hang(deadlineMs);
  return new Promise((resolve) => {
    call.once("error", (error: ServiceError) => resolve(error.code)).resume();
  });
}

/** What the server said, and the code after the caller has cancelled it. */
async function cancelled(deadlineMs: number): Promise<string> {
  const call = hang(deadlineMs);
  const ended = new Promise<number>((resolve) => {
    call.once("error", (error: ServiceError) => resolve(error.code));
  });
  const [heard] = (await once(call, "data").catch(() => ["nothing"])) as [string];
  call.cancel();
  return `${heard} ${await ended}`;
}

function hang(deadlineMs: number): ClientReadableStream<string> {
  const { path, requestSerialize, responseDeserialize } = TALK.hang;
  const options = deadlineMs === 0 ? {} : { deadline: Date.now() + deadlineMs };
  return client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    "please",
    options,
  );
}
