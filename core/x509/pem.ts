/** PEM (RFC 7468) of certificates: how chains and roots lie in files, Secrets and TLS options. Keys never pass here. */

export function formatCertificatesPem(ders: readonly Uint8Array[]): string {
  return ders
    .map((der) =>
      Buffer.from(der)
        .toString("base64")
        .replace(/.{64}(?=.)/g, "$&\n"),
    )
    .map((body) => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`)
    .join("");
}

export type ParsedPem =
  | { readonly kind: "parsed"; readonly certificates: readonly Uint8Array[] }
  | { readonly kind: "malformed"; readonly message: string };

/** 1 MiB of text: more certificates than any chain or bundle has. */
const MAX_PEM_CHARACTERS = 1_048_576;

const BEGIN = "-----BEGIN CERTIFICATE-----";
const END = "-----END CERTIFICATE-----";

/** All certificates of `text`, in order, as DER. Text around the blocks is ignored, other blocks are not: they are refused. */
export function parseCertificatesPem(text: string): ParsedPem {
  if (text.length > MAX_PEM_CHARACTERS) return malformed("larger than 1 MiB");
  const certificates: Uint8Array[] = [];
  // Lines, not one regular expression over everything: linear in whatever the text holds.
  let body: string[] | undefined;
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim();
    if (trimmed === BEGIN && !body) body = [];
    else if (trimmed === END && body) {
      const der = decodeBase64(body.join(""));
      if (!der) return malformed("a certificate is not base64");
      certificates.push(der);
      body = undefined;
    } else if (trimmed.startsWith("-----")) return malformed("a block is not a certificate");
    else body?.push(trimmed);
  }
  if (body) return malformed("the last certificate is cut");
  if (certificates.length === 0) return malformed("there is no certificate in it");
  return { kind: "parsed", certificates };
}

function malformed(message: string): ParsedPem {
  return { kind: "malformed", message };
}

/** Buffer skips what is not base64; a certificate with holes must not pass. */
function decodeBase64(text: string): Uint8Array | undefined {
  if (text === "" || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text))
    return undefined;
  return new Uint8Array(Buffer.from(text, "base64"));
}
