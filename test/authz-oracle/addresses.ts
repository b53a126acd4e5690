/** Addresses and blocks of the oracle: texts of zeros and ones. Shares nothing with `core/model/ip.ts`. */

/** 32 digits for IPv4 and what is mapped into IPv6, 128 for other IPv6. */
function addressBits(text: string): string {
  return unmapped(rawBits(text));
}

export function isInBlock(address: string, block: string): boolean {
  const [base = "", length] = block.split("/");
  const raw = rawBits(base);
  const kept = length === undefined ? raw.length : Number(length);
  const isMapped = raw.length === 128 && unmapped(raw).length === 32 && kept >= 96;
  const wanted = raw.slice(isMapped ? 96 : 0, kept);
  const bits = addressBits(address);
  const isSameFamily = bits.length === (isMapped ? 32 : raw.length);
  return isSameFamily && bits.slice(0, wanted.length) === wanted;
}

function rawBits(text: string): string {
  return text.includes(":") ? bits6(text) : bits4(text);
}

function bits4(text: string): string {
  return text
    .split(".")
    .map((part) => Number(part).toString(2).padStart(8, "0"))
    .join("");
}

function bits6(text: string): string {
  const lastColon = text.lastIndexOf(":");
  const tail = text.slice(lastColon + 1);
  if (tail.includes(".")) {
    const low = Number.parseInt(bits4(tail), 2);
    const words = `${Math.floor(low / 65_536).toString(16)}:${(low % 65_536).toString(16)}`;
    return bits6(text.slice(0, lastColon + 1) + words);
  }
  const [left = "", right] = text.split("::");
  const head = left === "" ? [] : left.split(":");
  const end = right === undefined || right === "" ? [] : right.split(":");
  const middle = Array<string>(8 - head.length - end.length).fill("0");
  return [...head, ...middle, ...end]
    .map((word) => Number.parseInt(word, 16).toString(2).padStart(16, "0"))
    .join("");
}

function unmapped(bits: string): string {
  const prefix = "0".repeat(80) + "1".repeat(16);
  return bits.length === 128 && bits.startsWith(prefix) ? bits.slice(96) : bits;
}
