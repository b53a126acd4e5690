/** The rules or routes could not be put in, looked at or taken out; the message is what the program said. */
export class RulesError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RulesError";
  }
}
