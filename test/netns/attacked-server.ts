/**
 * An application that takes a request as servers of every kind would: it keeps what came byte for byte, and says which of
 * them read a path there that was denied. Parses nothing that it could refuse. Not a test itself.
 */
import type { Socket } from "node:net";

type Reading = (path: string) => string;

/** What servers do to a path before they look it up, by the kind of server. */
const STEPS: Readonly<Record<string, Reading>> = {
  "merges slashes": (path) => path.replaceAll(/\/{2,}/g, "/"),
  "decodes percents": decoded,
  "strips parameters": (path) => path.replaceAll(/;[^/]*/g, ""),
  "takes \\ for /": (path) => path.replaceAll("\\", "/"),
  "resolves dots": withoutDots,
};

/** Every order of every choice of steps; the first takes a path for what it is. */
const KINDS: readonly (readonly string[])[] = arrangements(Object.keys(STEPS));

export class AttackedServer {
  /** What came over each connection, oldest first. */
  readonly #came: string[] = [];

  take(socket: Socket): void {
    const at = this.#came.push("") - 1;
    socket.setEncoding("latin1").on("error", () => undefined);
    socket.on("end", () => socket.end());
    socket.on("data", (text: string) => {
      const before = this.#came[at] ?? "";
      this.#came[at] = before + text;
      // One answer to each head, whatever stands in it.
      const heads = (before + text).split("\r\n\r\n").length - before.split("\r\n\r\n").length;
      for (let i = 0; i < heads; i += 1)
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
  }

  /** Forgets what came. */
  clear(): void {
    this.#came.length = 0;
  }

  get heads(): readonly string[] {
    return this.#came.filter((text) => text !== "");
  }

  /** Targets of everything that looks like a request line, wherever it stands. */
  get targets(): readonly string[] {
    return this.heads.flatMap((text) =>
      Array.from(text.matchAll(/^[^\s:]+ +(.*?) +HTTP\/\d/gm), ([, target = ""]) => target),
    );
  }

  /** The kinds of server that take what came for such a path, each with the path as it came. */
  reached(isDenied: (path: string) => boolean): readonly string[] {
    return this.targets.flatMap((target) =>
      KINDS.filter((kind) => isDenied(pathRead(target, kind))).map(
        (kind) => `${target} at one that ${kind.join(", ") || "is strict"}`,
      ),
    );
  }
}

function pathRead(target: string, kind: readonly string[]): string {
  const path = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "");
  return kind.reduce((read, step) => STEPS[step]?.(read) ?? read, path);
}

/** As lenient as any: `%u0061`, overlong UTF-8 and whatever else has been taken for a letter. */
function decoded(path: string): string {
  return path
    .replaceAll(/%u([0-9a-f]{4})/gi, (_, digits: string) => character(Number.parseInt(digits, 16)))
    .replaceAll(/%([0-9a-f]{2})/gi, (_, digits: string) => character(Number.parseInt(digits, 16)))
    .replaceAll(/[\xc0\xc1][\x80-\xbf]/g, (pair) =>
      character(((pair.charCodeAt(0) & 0x1f) << 6) | (pair.charCodeAt(1) & 0x3f)),
    );
}

function character(code: number): string {
  return String.fromCharCode(code);
}

function withoutDots(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") kept.pop();
    else if (segment !== ".") kept.push(segment);
  }
  return kept.join("/");
}

function arrangements(steps: readonly string[]): readonly (readonly string[])[] {
  const longer = steps.flatMap((step) =>
    arrangements(steps.filter((other) => other !== step)).map((rest) => [step, ...rest]),
  );
  return [[], ...longer];
}
