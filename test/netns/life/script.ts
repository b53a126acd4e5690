/**
 * Plays a conversation of two applications over one connection, and says what each of them saw of it: the same over a
 * direct connection and through proxies, so that the kernel itself is the oracle.
 *
 * Steps between which nothing is awaited happen in one turn of the loop, in which no proxy of this process gets a word in.
 */
import { until } from "../../world/until.ts";
import {
  connectRaw,
  listenRaw,
  type Place,
  type RawListener,
  type RawSocket,
} from "./raw-socket.ts";

type Party = "client" | "server";

/**
 * `sends N` octets. `fills`: all that fits on the way. `ends`: FIN. `resets`. `closes`: what the kernel makes of it.
 * `opens`: the connection is there. `holds N` octets, unread. `sees N` octets, all in all, `fin` or the kernel's error.
 * `dies`: poll(2) says so to one who does not read. `fails`: writes until the kernel refuses.
 */
export type Step =
  | `${Party} ${"fills" | "ends" | "resets" | "closes" | "opens" | "dies" | "fails"}`
  | `${Party} ${"sends" | "holds"} ${number}`
  | `${Party} sees ${number | "fin" | "ECONNRESET" | "EPIPE"}`;

export interface Way {
  readonly client: Place;
  readonly server: Place;
  /** Of the server. */
  readonly host: string;
  /** Nobody is to reach it. */
  readonly isUnreached?: boolean;
}

/** For what comes. */
const WAIT_MS = 60_000;
/** For what is not to come. */
const ABSENCE_MS = 3_000;
/** Nothing has moved for so long: what was written has come as far as it can. */
const STILL_MS = 150;
const CHUNK_BYTES = 64 << 10;
/** What each application holds unread; the kernel doubles it. */
const RECEIVE_BYTES = 32 << 10;

let nextPort = 20_000;

/** What each saw until the end of the connection, as in the steps; `all` for what a `fills` wrote, whatever it was. */
export async function play(steps: readonly Step[], way: Way): Promise<Told> {
  const { client, server, host } = way;
  const acceptMs = way.isUnreached ? ABSENCE_MS : WAIT_MS;
  const port = nextPort++;
  const listener = listenRaw(server, port, { receiveBytes: RECEIVE_BYTES });
  const parties = {
    client: new Application("client", { socket: connectRaw(client, host, port) }),
    server: new Application("server", { listener, acceptMs }),
  };
  parties.client.far = parties.server;
  parties.server.far = parties.client;
  try {
    for (const step of steps) {
      const [party, verb, what = ""] = step.split(" ");
      await parties[party as Party].perform(verb ?? "", what);
      if (parties.server.isUnreached) return { client: await parties.client.toEnd(), server: "" };
    }
    return { client: await parties.client.toEnd(), server: await parties.server.toEnd() };
  } finally {
    for (const each of [parties.client, parties.server]) each.abandon();
    listener.close();
  }
}

export interface Told {
  readonly client: string;
  readonly server: string;
}

interface Begun {
  readonly socket?: RawSocket;
  readonly listener?: RawListener;
  /** So long it waits for a connection. */
  readonly acceptMs?: number;
}

class Application {
  far: Application | undefined;
  readonly #name: Party;
  readonly #listener: RawListener | undefined;
  readonly #acceptMs: number;
  #socket: RawSocket | undefined;
  #isConnected = false;
  #isUnreached = false;
  #written = 0;
  #hasFilled = false;
  #read = 0;
  /** What ended it, in its own eyes. */
  #last = "";
  readonly #told: string[] = [];

  constructor(name: Party, { socket, listener, acceptMs = WAIT_MS }: Begun) {
    this.#name = name;
    this.#socket = socket;
    this.#listener = listener;
    this.#acceptMs = acceptMs;
  }

  async perform(verb: string, what: string): Promise<void> {
    const socket = await this.#open();
    if (!socket) return;
    switch (verb) {
      case "opens":
        return;
      case "sends":
        this.#written += Number(socket.write(Number(what)));
        return;
      case "fills":
        await this.#fill(socket);
        return;
      case "ends":
        socket.end();
        return;
      case "resets":
        socket.reset();
        return;
      case "closes":
        socket.close();
        return;
      case "holds":
        await this.#await(`hold ${what}`, () => socket.unread >= Number(what));
        return;
      case "sees":
        await this.#await(`see ${what}`, () => this.#hasSeen(socket, what));
        return;
      case "dies":
        await this.#await("die", () => socket.isDead);
        this.#told.push("dead");
        return;
      case "fails":
        await this.#await("fail", () => this.#isRefused(socket.write(1)));
        return;
      default:
        throw new TypeError(`no such step: ${verb}`);
    }
  }

  /** Reads until the connection's end, if it is not closed, and tells all that it saw. */
  async toEnd(): Promise<string> {
    const socket = this.#socket;
    if (socket?.isOpen === true && this.#last === "") {
      await this.#await("see an end", () => this.#hasSeen(socket, "end")).catch(() => {
        this.#last = "nothing";
      });
    }
    const octets = this.far?.tellRead(this.#read) ?? "";
    return [octets, this.#last, ...this.#told].join(" ");
  }

  /** It was to take the connection, and there came none. */
  get isUnreached(): boolean {
    return this.#isUnreached;
  }

  /** Of mine, as the other side tells it. */
  tellRead(octets: number): string {
    if (!this.#hasFilled) return String(octets);
    return octets === this.#written ? "all" : "a part";
  }

  abandon(): void {
    this.#socket?.close();
  }

  async #open(): Promise<RawSocket | undefined> {
    const socket = this.#socket ?? this.#listener?.accept() ?? (await this.#accepted());
    this.#socket = socket;
    if (!socket) return undefined;
    if (!this.#isConnected && this.#name === "client" && !socket.isConnected) {
      await this.#await("connect", () => socket.isConnected);
    }
    this.#isConnected = true;
    return socket;
  }

  async #accepted(): Promise<RawSocket | undefined> {
    try {
      return await until("a connection", () => this.#listener?.accept(), this.#acceptMs);
    } catch {
      this.#isUnreached = true;
      return undefined;
    }
  }

  async #fill(socket: RawSocket): Promise<void> {
    this.#hasFilled = true;
    let lastMs = performance.now();
    await this.#await("fill", () => {
      for (let put = socket.write(CHUNK_BYTES); typeof put === "number"; ) {
        this.#written += put;
        lastMs = performance.now();
        put = socket.write(CHUNK_BYTES);
      }
      return performance.now() - lastMs > STILL_MS;
    });
  }

  #hasSeen(socket: RawSocket, what: string): boolean {
    const wanted = Number(what);
    while (!(this.#read >= wanted) && this.#last === "") {
      const seen = socket.read();
      if (seen === "nothing") return false;
      if (typeof seen === "number") this.#read += seen;
      else this.#last = seen;
    }
    return true;
  }

  #isRefused(put: ReturnType<RawSocket["write"]>): boolean {
    if (typeof put === "number" || put === "nothing") return false;
    this.#told.push(`write ${put}`);
    return true;
  }

  async #await(what: string, isDone: () => boolean): Promise<void> {
    if (isDone()) return;
    await until(`${this.#name} to ${what}`, () => isDone() || undefined, WAIT_MS);
  }
}
