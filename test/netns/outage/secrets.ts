/** Where the secrets of a mesh lie, and where they turn up besides: in files, on pages, in logs. Never prints one. */
import { type Dirent, lstatSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

/** Of the mesh's folder: what may hold secrets, for root alone. */
const SAFES = /^(?:ca|run-[^/]+)(?:\/|$)|^join-token$/;

export interface Place {
  /** A file below the folder, or a page's address. */
  readonly name: string;
  readonly text: string;
}

export interface SecretsFound {
  /** How many different ones there were to be found. */
  readonly known: number;
  /** Places that show one and may not. */
  readonly leaks: readonly string[];
  /** Files with secrets, or their folders, that others than root can read: name and mode. */
  readonly open: readonly string[];
}

export class Secrets {
  readonly #folder: string;
  readonly #known = new Set<string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Remembers what lies in the safes now: leaf keys change. */
  learn(): void {
    for (const name of this.#files().filter((file) => SAFES.test(file))) {
      const text = readFileSync(join(this.#folder, name), "utf8");
      if (name === "join-token") this.#known.add(text.trim());
      // A PKCS#8 key on P-256 begins alike in all: 36 octets, of which the private key's own follow.
      const bodies = text.matchAll(/-----BEGIN (?:EC )?PRIVATE KEY-----(?:\n|\\n)([^-]+)/g);
      for (const [, body = ""] of bodies) this.#known.add(oneLine(body).slice(48, 88));
    }
  }

  find(pages: readonly Place[]): SecretsFound {
    const files = this.#files();
    const places = files
      .filter((name) => !SAFES.test(name))
      .map((name) => ({ name, text: readFileSync(join(this.#folder, name), "utf8") }));
    return {
      known: this.#known.size,
      leaks: [...places, ...pages].filter(({ text }) => this.#isIn(text)).map(({ name }) => name),
      open: this.#entries(() => true)
        .filter((name) => SAFES.test(name))
        .flatMap((name) => this.#openness(name)),
    };
  }

  #isIn(text: string): boolean {
    const plain = oneLine(text);
    return plain.includes("PRIVATEKEY") || [...this.#known].some((one) => plain.includes(one));
  }

  #openness(name: string): readonly string[] {
    const { mode } = lstatSync(join(this.#folder, name));
    return (mode & 0o077) === 0 ? [] : [`${name} ${(mode & 0o777).toString(8)}`];
  }

  #files(): readonly string[] {
    return this.#entries((entry) => entry.isFile());
  }

  #entries(isWanted: (entry: Dirent) => boolean): readonly string[] {
    return readdirSync(this.#folder, { recursive: true, withFileTypes: true })
      .filter(isWanted)
      .map((entry) => relative(this.#folder, join(entry.parentPath, entry.name)));
  }
}

/** Whatever breaks the lines: PEM, JSON, a terminal. */
function oneLine(text: string): string {
  return text.replace(/\s|\\[nr]/g, "");
}
