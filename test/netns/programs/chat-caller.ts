/**
 * `node chat-caller.ts HOST:PORT`: three people in the chat of `chat-server.ts`, one after the other leaving in a way of
 * its own, and a stranger. Prints as JSON what came of it. Knows nothing of any mesh.
 */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";

export interface ChatReport {
  readonly protocol: string;
  readonly extensions: string;
  readonly welcome: string;
  readonly heard: readonly string[];
  readonly large: boolean;
  readonly pong: string;
  readonly left: readonly string[];
  readonly thrownOut: string;
  readonly stranger: string;
}

const LARGE = 1 << 20;
const [address = ""] = process.argv.slice(2);

/** Keeps what it hears, in order, until it is asked for. */
class Person {
  readonly socket: WebSocket;
  readonly #heard: Buffer[] = [];
  #wake: () => void = () => undefined;

  constructor(name: string) {
    this.socket = new WebSocket(`ws://${address}/room/${name}`, ["chat.v1", "chat.v2"]);
    this.socket.on("message", (data) => {
      this.#heard.push(data as Buffer);
      this.#wake();
    });
  }

  async next(): Promise<Buffer> {
    for (;;) {
      const first = this.#heard.shift();
      if (first) return first;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async text(): Promise<string> {
    return (await this.next()).toString();
  }
}

const ann = new Person("ann");
const welcome = await ann.text();
const bob = new Person("bob");
await bob.text();
const cat = new Person("cat");
await cat.text();
const heard: string[] = [];
for (let i = 0; i < 10; i += 1) {
  ann.socket.send(`ann ${i}`);
  heard.push(await bob.text());
  bob.socket.send(`bob ${i}`);
  heard.push(await cat.text(), await cat.text());
  await ann.text();
  heard.push(await ann.text());
  await bob.text();
}
const octets = Buffer.alloc(LARGE, "0123456789");
ann.socket.send(octets);
const large = (await bob.next()).equals(octets) && (await cat.next()).equals(octets);
await ann.next();
ann.socket.ping("are you there");
const [pong] = (await once(ann.socket, "pong")) as [Buffer];

const left: string[] = [];
bob.socket.close(4_001, "good bye");
left.push(await ann.text());
await cat.text();
// Without a word.
cat.socket.terminate();
left.push(await ann.text());
ann.socket.send("throw me out");
const [code, reason] = (await once(ann.socket, "close")) as [number, Buffer];

const stranger = new WebSocket(`ws://${address}/room/stranger`);
const [, refused] = (await once(stranger, "unexpected-response")) as [unknown, IncomingMessage];
const report: ChatReport = {
  protocol: ann.socket.protocol,
  extensions: ann.socket.extensions,
  welcome,
  heard,
  large,
  pong: pong.toString(),
  left,
  thrownOut: `${code} ${reason.toString()}`,
  stranger: `${refused.statusCode} ${String(refused.headers["x-why"])}`,
};
refused.destroy();
process.stdout.write(JSON.stringify(report));
