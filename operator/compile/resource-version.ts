/**
 * The version of a resource: a hash of its content, the same in every replica and after every restart.
 *
 * 64 bits of two murmur-style lanes over a canonical JSON text. It tells contents apart, it protects
 * nothing: should two contents of one name ever collide (1 in 2^64), a node keeps the older one until
 * the next change. No cryptography, so that this folder needs no `node:crypto`.
 */
import type { Resource, ResourceBody } from "../../core/model/resource.ts";

export function createResource(name: string, body: ResourceBody): Resource {
  return { name, version: contentVersion(body.value), body };
}

/** 16 hexadecimal digits. Equal for values that differ in the order of their keys only. */
export function contentVersion(value: unknown): string {
  return hash64(canonicalJson(value));
}

function canonicalJson(value: unknown): string {
  if (value instanceof Uint8Array) return `"${hexOf(value)}"`;
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, entry]) => `${JSON.stringify(key)}:${canonicalJson(entry)}`).join()}}`;
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** cyrb53's mixing with both lanes kept whole; the multipliers are those of xxHash and murmur3. */
function hash64(text: string): string {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x9e3779b1);
    b = Math.imul(b ^ unit, 0x5f356495);
  }
  const high = mix(a, b);
  const low = mix(b, a);
  return high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
}

function mix(lane: number, other: number): number {
  const mixed = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b);
  return (mixed ^ Math.imul(other ^ (other >>> 13), 0xc2b2ae35)) >>> 0;
}
