/** An issuer of tokens with a real HTTP server for its keys, which can be made to answer anything, or nothing. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTPayload,
  SignJWT,
} from "jose";

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

export class TokenIssuer {
  readonly #server: Server;
  readonly #scheme: string;
  #keys: SigningKey[] = [];
  /** Requests for its keys so far. */
  asked = 0;
  /** In place of the key set. */
  answer: Answer | undefined;

  constructor(tls?: { readonly key: string; readonly cert: string }) {
    const handle: Answer = (request, response) => {
      this.asked += 1;
      if (this.answer) this.answer(request, response);
      else response.setHeader("content-type", "application/json").end(this.jwks());
    };
    this.#scheme = tls ? "https" : "http";
    this.#server = tls ? createTlsServer(tls, handle) : createServer(handle);
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get uri(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}/keys`;
  }

  /** One more key; tokens are signed by the newest. */
  async addKey(kid: string, alg = "ES256"): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: "sig" };
    this.#keys.push({ kid, alg, privateKey, jwk });
  }

  /** Takes the keys back. */
  dropKeys(): void {
    this.#keys = [];
  }

  get publicKeys(): readonly JWK[] {
    return this.#keys.map(({ jwk }) => jwk);
  }

  jwks(): string {
    return JSON.stringify({ keys: this.publicKeys });
  }

  async sign(claims: JWTPayload, header: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const key = this.#keys.at(-1);
    if (!key) throw new Error("the issuer has no key");
    return new SignJWT(claims)
      .setProtectedHeader({ alg: key.alg, kid: key.kid, ...header })
      .sign(key.privateKey);
  }
}
