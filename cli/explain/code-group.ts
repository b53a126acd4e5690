/** What the catalogue says of a code, and where codes of its kind are told. */

/** Backticks stand around what is typed, or written so in a file. */
export type CodeText = readonly [meaning: string, cause: string, cure: string];

export interface CodeGroup {
  readonly title: string;
  /** Where it happens, or with which status. */
  readonly place: string;
  readonly toldIn: readonly string[];
  readonly codes: Readonly<Record<string, CodeText>>;
}

export const ACCESS_LOG = "code of the access log";
export const ASKED = "asked of the access log";
export const HEADER = "x-weft-reason";
export const FAILED_CONNECTIONS = "reason of weft_tcp_connections_failed_total";
export const HTTP_REQUESTS = "reason of weft_http_requests_total";
export const WORKER_DEATHS = "reason of weft_traffic_worker_deaths_total";
