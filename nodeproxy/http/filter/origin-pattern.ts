/** Which origins does a CORS filter allow (Gateway API HTTPCORSFilter `allowOrigins`)? Pure. */

interface Origin {
  readonly scheme: string;
  readonly host: string;
  readonly port: string;
}

/** `*`: any, `null` too. Else `<scheme>://<host>(:<port>)`, where the host may hold `*`. */
export function compileOrigins(patterns: readonly string[]): (origin: string) => boolean {
  if (patterns.includes("*")) return () => true;
  const wanted = patterns.flatMap((pattern) => {
    const { scheme, host, port } = parseOrigin(pattern) ?? {};
    return scheme === undefined || host === undefined ? [] : [{ scheme, port, ...glob(host) }];
  });
  return (text) => {
    const origin = parseOrigin(text);
    if (!origin) return false;
    return wanted.some(({ scheme, port, accepts }) => {
      return scheme === origin.scheme && port === origin.port && accepts(origin.host);
    });
  };
}

/** "if not included, port `80` is assumed for `http` scheme origins, and port `443` is assumed for `https` origins" */
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: "80", https: "443" };

function parseOrigin(text: string): Origin | undefined {
  const parts = /^([a-z][a-z0-9+.-]*):\/\/(\[[0-9a-f:.]+\]|[^:/?#@[\]]+)(?::([0-9]{1,5}))?$/.exec(
    text.toLowerCase(),
  );
  const [, scheme = "", host = "", port = DEFAULT_PORTS[scheme] ?? ""] = parts ?? [];
  return parts ? { scheme, host, port } : undefined;
}

/** "`*` is a greedy match to the _left_, including any number of DNS labels", in whose place at least one character stands. */
function glob(pattern: string): { readonly accepts: (host: string) => boolean } {
  const parts = pattern.split("*");
  const [first = "", ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return { accepts: (host) => host === pattern };
  return {
    accepts(host) {
      if (!host.startsWith(first)) return false;
      let at = first.length;
      for (const part of rest) {
        const found = host.indexOf(part, at + 1);
        if (found < 0) return false;
        at = found + part.length;
      }
      return host.length - last.length > at && host.endsWith(last);
    },
  };
}
