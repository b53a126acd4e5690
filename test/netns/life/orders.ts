/**
 * The orders in which a TCP connection can live and end, with what each application sees of it. `X` and `Y` are client
 * and server, and once more the other way round.
 */
import type { Step, Told } from "./script.ts";

export interface Order {
  readonly name: string;
  readonly steps: readonly Step[];
  /** Octets, then the end, then what it was told besides. */
  readonly told: Told;
}

interface Mirrored {
  readonly name: string;
  readonly steps: readonly string[];
  readonly x: string;
  readonly y: string;
}

/** Both sides have spoken and heard. */
const SPOKEN = ["client sends 3", "server sees 3", "server sends 4", "client sees 4"] as const;

const EITHER: readonly Mirrored[] = [
  {
    name: "X ends, Y answers and ends",
    steps: ["X sends 5", "X ends", "Y sees 5", "Y sees fin", "Y sends 7", "Y ends"],
    x: "7 fin",
    y: "5 fin",
  },
  {
    name: "X ends without a word, Y speaks long after",
    steps: ["Y opens", "X ends", "Y sees fin", "Y sends 7", "X sees 7", "Y sends 2", "Y ends"],
    x: "9 fin",
    y: "0 fin",
  },
  {
    name: "X sends, Y sends, X ends, Y ends",
    steps: [...SPOKEN, "X ends", "Y sees fin", "Y ends", "X sees fin"],
    x: "X fin",
    y: "Y fin",
  },
  {
    name: "X closes where all is read, then Y ends",
    steps: ["X sends 5", "X closes", "Y sees 5", "Y sees fin", "Y ends"],
    x: "0 ",
    y: "5 fin",
  },
  {
    name: "X closes, Y goes on and hears by its writes that nobody listens",
    steps: ["Y opens", "X closes", "Y sees fin", "Y sends 1", "Y dies", "Y fails"],
    x: "0 ",
    y: "0 fin dead write EPIPE",
  },
  {
    name: "X fills what is on its way and ends, Y reads it all",
    steps: ["Y opens", "X fills", "X ends", "Y sees 100000", "Y sees fin", "Y ends"],
    x: "0 fin",
    y: "all fin",
  },
  {
    name: "X fills and ends, Y answers before it reads",
    steps: ["Y opens", "X fills", "X ends", "Y sends 6", "X sees 6", "Y sees fin", "Y ends"],
    x: "6 fin",
    y: "all fin",
  },
  {
    name: "X resets before any data",
    steps: ["Y opens", "X resets"],
    x: "0 ",
    y: "0 ECONNRESET",
  },
  {
    name: "X resets after data both ways",
    steps: [...SPOKEN, "X resets"],
    x: "X ",
    y: "Y ECONNRESET",
  },
  {
    name: "X sends and resets at once",
    steps: ["Y opens", "X sends 5", "X resets"],
    x: "0 ",
    y: "5 ECONNRESET",
  },
  {
    name: "X sends and resets, Y has not read it yet",
    steps: ["X sends 5", "Y holds 5", "X resets", "Y dies"],
    x: "0 ",
    y: "5 ECONNRESET dead",
  },
  {
    name: "X resets after Y has ended",
    steps: ["Y sends 5", "Y ends", "X sees 5", "X sees fin", "X resets"],
    x: "5 fin",
    y: "0 ECONNRESET",
  },
  {
    name: "X ends, then resets",
    steps: ["Y opens", "X ends", "Y sees fin", "X resets", "Y dies", "Y fails"],
    x: "0 ",
    y: "0 fin dead write EPIPE",
  },
  {
    name: "X ends, then resets, Y reads nothing and sends nothing",
    steps: ["X sends 5", "X ends", "Y holds 5", "X resets", "Y dies"],
    x: "0 ",
    y: "5 fin dead",
  },
  {
    name: "X fills and resets, Y reads nothing",
    steps: ["Y opens", "X fills", "X resets", "Y dies"],
    x: "0 ",
    y: "a part ECONNRESET dead",
  },
  {
    name: "X fills, Y resets without reading",
    steps: ["Y opens", "X fills", "Y resets", "X dies"],
    x: "0 ECONNRESET dead",
    y: "a part ",
  },
  {
    name: "X fills and ends, Y resets without reading",
    steps: ["Y opens", "X fills", "X ends", "Y resets", "X dies"],
    x: "0 ECONNRESET dead",
    y: "a part ",
  },
  {
    name: "X sends, Y closes without reading",
    steps: ["X sends 5", "Y holds 5", "Y closes"],
    x: "0 ECONNRESET",
    y: "0 ",
  },
  {
    name: "Y answers and closes without reading all that X sends",
    steps: ["X sends 5", "Y holds 5", "Y sends 9", "Y closes"],
    x: "9 ECONNRESET",
    y: "0 ",
  },
  {
    name: "X ends, Y sends more than X can hold and ends, X resets without reading",
    steps: ["X ends", "Y sees fin", "Y fills", "Y ends", "X resets", "Y dies"],
    x: "a part ",
    y: "0 fin dead",
  },
  {
    name: "X ends, Y closes without reading",
    steps: ["X sends 5", "X ends", "Y holds 5", "Y closes"],
    x: "0 ECONNRESET",
    y: "0 ",
  },
];

const BOTH: readonly Order[] = [
  {
    name: "both end at once",
    steps: [...SPOKEN, "client ends", "server ends"],
    told: { client: "4 fin", server: "3 fin" },
  },
  {
    name: "both reset at once",
    steps: [...SPOKEN, "client resets", "server resets"],
    told: { client: "4 ", server: "3 " },
  },
  {
    name: "both fill and end, then both read",
    steps: ["server opens", "client fills", "server fills", "client ends", "server ends"],
    told: { client: "all fin", server: "all fin" },
  },
  {
    name: "both fill, the client resets, the server reads nothing",
    steps: ["server opens", "client fills", "server fills", "client resets", "server dies"],
    told: { client: "a part ", server: "a part ECONNRESET dead" },
  },
  {
    name: "the server speaks first, and only the server",
    steps: ["server sends 6", "server ends", "client sees 6", "client sees fin", "client ends"],
    told: { client: "6 fin", server: "0 fin" },
  },
  {
    name: "the client ends before the server has taken the connection",
    steps: ["client sends 5", "client ends", "server sees 5", "server sees fin", "server ends"],
    told: { client: "0 fin", server: "5 fin" },
  },
  {
    name: "the client resets before the server has taken the connection",
    steps: ["client sends 5", "client resets", "server opens"],
    told: { client: "0 ", server: "5 ECONNRESET" },
  },
];

export const ORDERS: readonly Order[] = [
  ...BOTH,
  ...EITHER.flatMap((order) => [
    mirror(order, "client", "server"),
    mirror(order, "server", "client"),
  ]),
];

const GONE_AT_ONCE =
  "in in plaintext, through one proxy: the client resets before the server has taken the connection";

/** What cannot be as it is without a proxy, by way and name. */
export const DIFFERENT: ReadonlyMap<string, Told> = new Map([
  // A socket whose caller is gone tells no address any more, and who has none gets no verdict: the server sees nobody.
  [GONE_AT_ONCE, { client: "0 ", server: "" }],
]);

function mirror({ name, steps, x, y }: Mirrored, forX: Party, forY: Party): Order {
  function named(text: string): string {
    return text.replaceAll(/\bX\b/g, forX).replaceAll(/\bY\b/g, forY);
  }
  const spoken = { client: "4", server: "3" };
  const told = { [forX]: x.replace("X", spoken[forX]), [forY]: y.replace("Y", spoken[forY]) };
  return {
    name: named(name),
    steps: steps.map((step) => named(step) as Step),
    told: { client: told["client"] ?? "", server: told["server"] ?? "" },
  };
}

type Party = "client" | "server";
