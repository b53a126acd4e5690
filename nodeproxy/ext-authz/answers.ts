/**
 * What authorizers have said about one connection, for as long as it is open: the connection is not asked about
 * again while the provider stays who it was. Policies are no part of a question, so their changes spoil no answer.
 */
import type { ProviderAnswer, ProviderAnswers } from "../authz/attempt.ts";

interface Given {
  readonly answer: ProviderAnswer;
  readonly terms: string;
}

export class Answers implements ProviderAnswers {
  readonly #termsOf: (provider: string) => string;
  readonly #given = new Map<string, Given>();

  /** `termsOf`: who stands behind the name now, as `Authorizers.termsOf` says it. */
  constructor(termsOf: (provider: string) => string) {
    this.#termsOf = termsOf;
  }

  get(provider: string): ProviderAnswer | undefined {
    const given = this.#given.get(provider);
    return given?.terms === this.#termsOf(provider) ? given.answer : undefined;
  }

  has(provider: string): boolean {
    return this.get(provider) !== undefined;
  }

  /** `terms`: those under which it was asked. */
  set(provider: string, given: Given): void {
    this.#given.set(provider, given);
  }
}
