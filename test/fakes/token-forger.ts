/**
 * Tokens that no issuer has made, of group C of the list of attacks: signed by hand, so that header and claims may be any
 * text. What each of them is refused for stands beside it.
 */
import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { JWK, JWTPayload } from "jose";

export type Forged = readonly [name: string, make: () => string, reason: string];

export class TokenForger {
  /** The key that rules know, of the id `rsa`. */
  readonly jwk: JWK;
  readonly #issuer: string;
  readonly #nowS: number;
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;

  constructor(issuer: string, nowS: number) {
    this.#issuer = issuer;
    this.#nowS = nowS;
    const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
    this.#privateKey = pair.privateKey;
    this.#publicKey = pair.publicKey;
    this.jwk = { ...(pair.publicKey.export({ format: "jwk" }) as JWK), kid: "rsa" };
  }

  claims(fields: Readonly<Record<string, unknown>> = {}): JWTPayload {
    return { iss: this.#issuer, sub: "ada", exp: this.#nowS + 60, ...fields };
  }

  sign(header: unknown, payload: unknown = this.claims()): string {
    return this.#signed(header, payload, this.#privateKey);
  }

  /** Claims that no JSON library writes. */
  raw(member: string): string {
    return `{"iss":"${this.#issuer}",${member}}`;
  }

  forgeries(): readonly Forged[] {
    return [...this.#algorithms(), ...this.#keys(), ...this.#claimed(), ...this.#malformed()];
  }

  #algorithms(): readonly Forged[] {
    return [
      ["attack 34: alg none", () => this.#unsigned({ alg: "none" }), "algorithm_refused"],
      ["attack 34: alg None", () => this.#unsigned({ alg: "None" }), "algorithm_refused"],
      ["attack 34: none with a signature", () => this.sign({ alg: "none" }), "algorithm_refused"],
      ["attack 34: no alg", () => this.sign({ kid: "rsa" }), "token_malformed"],
      ["attack 35: public key as HMAC secret", () => this.#hmac(), "algorithm_refused"],
      ["attack 36: alg of another family", () => this.sign({ alg: "ES256" }), "algorithm_refused"],
      ["attack 36: alg made up", () => this.sign({ alg: "RS1" }), "algorithm_refused"],
    ];
  }

  #keys(): readonly Forged[] {
    const kids: readonly (readonly [string, unknown, string])[] = [
      ["a path", "../../dev/null", "key_unknown"],
      ["SQL", "' OR 1=1 --", "key_unknown"],
      ["a list", ["rsa"], "token_malformed"],
      ["__proto__", "__proto__", "key_unknown"],
    ];
    return [
      ["attack 37: jwk, jku and x5u in the header", () => this.#byOwnKey(), "signature_invalid"],
      [
        "attack 37: unknown crit",
        () => this.sign({ alg: "RS256", crit: ["x"], x: 1 }),
        "token_malformed",
      ],
      ...kids.map(
        ([name, kid, reason]): Forged => [
          `attack 38: kid is ${name}`,
          () => this.sign({ alg: "RS256", kid }),
          reason,
        ],
      ),
      [
        "attack 38: kid twice",
        () => this.sign('{"alg":"RS256","kid":"rsa","kid":"x"}'),
        "key_unknown",
      ],
    ];
  }

  #claimed(): readonly Forged[] {
    const now = this.#nowS;
    const issuer = this.#issuer;
    return [
      ["attack 39: exp a text", this.#good({ exp: "9" }), "token_malformed"],
      ["attack 39: exp negative", this.#good({ exp: -1 }), "token_expired"],
      ["attack 39: exp 1e400", this.#raw('"exp":1e400'), "token_malformed"],
      ["attack 39: nbf -1e400", this.#raw('"nbf":-1e400'), "token_malformed"],
      ["attack 39: exp null", this.#good({ exp: null }), "token_malformed"],
      ["attack 39: expired by more than the skew", this.#good({ exp: now - 60 }), "token_expired"],
      // Far enough for a clock that has gone on since.
      ["attack 39: not yet valid", this.#good({ nbf: now + 3_600 }), "token_not_yet_valid"],
      ["attack 40: issuer with a slash", this.#good({ iss: `${issuer}/` }), "issuer_unknown"],
      [
        "attack 40: issuer in other case",
        this.#good({ iss: issuer.toUpperCase() }),
        "issuer_unknown",
      ],
      ["attack 40: issuer a list", this.#good({ iss: [issuer] }), "token_malformed"],
      ["attack 40: no issuer", this.#good({ iss: undefined }), "token_malformed"],
      ["attack 41: unknown issuer", this.#good({ iss: "https://evil.example" }), "issuer_unknown"],
      ["attack 45: sub an object", this.#good({ sub: { a: 1 } }), "token_malformed"],
    ];
  }

  #malformed(): readonly Forged[] {
    const [head, , signature] = this.sign({ alg: "RS256" }).split(".");
    const body = encoded(this.claims());
    const noText = Buffer.from('{"alg":"\xff"}', "latin1").toString("base64url");
    return [
      ["attack 44: two segments", () => `${head}.${body}`, "token_malformed"],
      ["attack 44: five segments", () => `${this.sign({ alg: "RS256" })}.a.b`, "token_malformed"],
      ["attack 44: no base64", () => "a~b.c.d", "token_malformed"],
      ["attack 44: no JSON", () => this.sign("hello", "world"), "token_malformed"],
      ["attack 44: a list", () => this.sign([], []), "token_malformed"],
      ["attack 44: no UTF-8", () => `${noText}.e30.`, "token_malformed"],
      ["attack 46: signature of zeros", () => `${head}.${body}.${"A".repeat(342)}`, BAD],
      [
        "attack 46: claims changed",
        () => `${head}.${encoded(this.claims({ sub: "root" }))}.${signature}`,
        BAD,
      ],
      ["attack 46: signature empty", () => `${head}.${body}.`, BAD],
      [
        "attack 47: JSON 10,000 deep",
        () => this.sign({ alg: "RS256" }, "[".repeat(10_000)),
        "token_malformed",
      ],
    ];
  }

  /** But for these claims. */
  #good(fields: Readonly<Record<string, unknown>>): () => string {
    return () => this.sign({ alg: "RS256", kid: "rsa" }, this.claims(fields));
  }

  #raw(member: string): () => string {
    return () => this.sign({ alg: "RS256" }, this.raw(member));
  }

  #unsigned(header: unknown): string {
    return `${encoded(header)}.${encoded(this.claims())}.`;
  }

  #hmac(): string {
    const text = `${encoded({ alg: "HS256", kid: "rsa" })}.${encoded(this.claims())}`;
    const pem = this.#publicKey.export({ type: "spki", format: "pem" });
    return `${text}.${createHmac("sha256", pem).update(text).digest("base64url")}`;
  }

  #byOwnKey(): string {
    const own = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const jwk = own.publicKey.export({ format: "jwk" });
    const places = { jku: "http://192.0.2.1/keys", x5u: "http://192.0.2.1/keys" };
    const header = { alg: "RS256", kid: "rsa", jwk, ...places };
    return this.#signed(header, this.claims(), own.privateKey);
  }

  #signed(header: unknown, payload: unknown, key: KeyObject): string {
    const text = `${encoded(header)}.${encoded(payload)}`;
    return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
  }
}

const BAD = "signature_invalid";

function encoded(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return Buffer.from(text).toString("base64url");
}
