/** `node grpc-server.ts PORT`: the service of `talk-service.ts` by @grpc/grpc-js. Knows nothing of any mesh. */
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { TALK } from "./talk-service.ts";

const [port = ""] = process.argv.slice(2);
let cancelled = 0;
let waiting: (() => void)[] = [];
const server = new Server();
const service: UntypedServiceImplementation = {
  echo,
  count,
  sum,
  chat,
  fail,
  hang,
  cancelled: told,
};
server.addService(TALK, service);
await new Promise<void>((resolve, reject) => {
  server.bindAsync(`0.0.0.0:${port}`, ServerCredentials.createInsecure(), (error) =>
    error ? reject(error) : resolve(),
  );
});

/** What the caller said of itself comes back, once as a header and once as a trailer. */
function echo(call: ServerUnaryCall<string, string>, done: sendUnaryData<string>): void {
  const header = new Metadata();
  for (const value of call.metadata.get("x-said")) header.add("x-heard", value);
  call.sendMetadata(header);
  const trailer = new Metadata();
  for (const value of call.metadata.get("x-octets-bin")) trailer.add("x-octets-bin", value);
  done(null, call.request, trailer);
}

function count(call: ServerWritableStream<string, string>): void {
  let i = 0;
  function goOn(): void {
    while (i < Number(call.request)) {
      i += 1;
      if (!call.write(`${i}`.padStart(1_000))) {
        call.once("drain", goOn);
        return;
      }
    }
    call.end();
  }
  goOn();
}

function sum(call: ServerReadableStream<string, string>, done: sendUnaryData<string>): void {
  let length = 0;
  call.on("data", (text: string) => {
    length += text.length;
  });
  call.once("end", () => done(null, `${length}`));
}

function chat(call: ServerDuplexStream<string, string>): void {
  call.on("data", (text: string) => call.write(`you said ${text}`));
  call.once("end", () => call.end());
}

function fail(call: ServerUnaryCall<string, string>, done: sendUnaryData<string>): void {
  const metadata = new Metadata();
  metadata.set("x-why", "asked for");
  done({ code: Number(call.request), details: "as you like: ü", metadata });
}

function hang(call: ServerWritableStream<string, string>): void {
  call.once("cancelled", () => {
    cancelled += 1;
    const woken = waiting;
    waiting = [];
    for (const wake of woken) wake();
  });
  call.write(call.getDeadline() === Number.POSITIVE_INFINITY ? "without end" : "in time");
}

function told(call: ServerUnaryCall<string, string>, done: sendUnaryData<string>): void {
  if (cancelled >= Number(call.request)) done(null, `${cancelled}`);
  else waiting.push(() => told(call, done));
}
