/**
 * The certificates of the operator's own servers, of each replica, as its metrics tell them. Over pages already
 * read; asks nobody.
 */

/** What a replica's metrics page said, or why there is none. */
export type Scrape =
  | { readonly kind: "page"; readonly pod: string; readonly page: string }
  /** `not_seen`: who asks has no right to. `unanswered`: the replica or the way to it does not work. */
  | {
      readonly kind: "not_seen" | "unanswered";
      readonly pod: string;
      readonly message: string;
    };

/** `renewal_late`: it lives for 24 h and is renewed with 8 h left, and has less than 4. */
export type ServerState = "valid" | "renewal_late" | "expired" | "not_seen" | "unanswered";

export interface ServerView {
  readonly pod: string;
  readonly certificate: "grpc" | "webhook";
  /** 0 where it is not known. */
  readonly secondsLeft: number;
  /** "" where it is not known, as all that follows from it. */
  readonly notAfter: string;
  /** The last renewal that succeeded. */
  readonly issuedAt: string;
  readonly renewedBy: "operator";
  readonly state: ServerState;
  /** Why nothing is known; else "". */
  readonly problem: string;
}

const CERTIFICATES = ["grpc", "webhook"] as const;
const LATE_SECONDS = 4 * 3600;

export function viewServers(scrape: Scrape, now: number): readonly ServerView[] {
  return CERTIFICATES.map((certificate) => viewServer(scrape, certificate, now));
}

function viewServer(
  scrape: Scrape,
  certificate: ServerView["certificate"],
  now: number,
): ServerView {
  const { pod } = scrape;
  if (scrape.kind !== "page") {
    return unknown({ pod, certificate, state: scrape.kind, problem: scrape.message });
  }
  const seconds = sampleOf(scrape.page, "weft_operator_certificate_expiry_seconds", certificate);
  if (seconds === undefined) {
    const problem =
      "its metrics do not tell: an operator of an earlier version, or one that starts";
    return unknown({ pod, certificate, state: "unanswered", problem });
  }
  const issued = sampleOf(
    scrape.page,
    "weft_operator_certificate_issued_timestamp_seconds",
    certificate,
  );
  return {
    pod,
    certificate,
    secondsLeft: Math.floor(seconds),
    notAfter: new Date(now + seconds * 1000).toISOString(),
    issuedAt: issued === undefined ? "" : new Date(issued * 1000).toISOString(),
    renewedBy: "operator",
    state: stateOf(seconds),
    problem: "",
  };
}

function unknown(known: Pick<ServerView, "pod" | "certificate" | "state" | "problem">): ServerView {
  return { ...known, secondsLeft: 0, notAfter: "", issuedAt: "", renewedBy: "operator" };
}

function stateOf(seconds: number): ServerState {
  if (seconds <= 0) return "expired";
  return seconds < LATE_SECONDS ? "renewal_late" : "valid";
}

/** Of a page in Prometheus' text format. */
function sampleOf(page: string, metric: string, certificate: string): number | undefined {
  const start = `${metric}{certificate="${certificate}"} `;
  const line = page.split("\n").find((each) => each.startsWith(start));
  const value = Number(line?.slice(start.length) ?? Number.NaN);
  // The years that a Date can tell.
  return Math.abs(value) < 1e11 ? value : undefined;
}
