/**
 * Takes from a thread all that leads out of it, before a plugin's code runs there: what is left is the language, URLs,
 * text and base64. Files, network, processes and other threads are refused by Node's permissions as well, with which
 * the thread was started: these are two walls, and each holds by itself.
 */
import { registerHooks } from "node:module";

/** Beside what ECMAScript defines. */
const KEPT = new Set([
  "URL",
  "URLSearchParams",
  "TextEncoder",
  "TextDecoder",
  "atob",
  "btoa",
  "structuredClone",
]);
/** Of ECMAScript, as Node 26 has it; without what shares memory. */
const LANGUAGE = new Set(
  (
    "Object Function Array Number parseFloat parseInt Infinity NaN undefined Boolean String Symbol Date Promise RegExp " +
    "Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError SuppressedError globalThis " +
    "JSON Math Intl ArrayBuffer Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array BigUint64Array " +
    "BigInt64Array Uint8ClampedArray Float16Array Float32Array Float64Array DataView Map BigInt Set Iterator WeakMap " +
    "WeakSet WeakRef Proxy Reflect decodeURI decodeURIComponent encodeURI encodeURIComponent escape unescape eval " +
    "isFinite isNaN Temporal DisposableStack AsyncDisposableStack"
  ).split(" "),
);
/** Of `process`, for whoever gets at it all the same: what ends this program, looks into it or loads code. */
const WAYS_OUT = [
  "abort",
  "binding",
  "chdir",
  "debugPort",
  "dlopen",
  "execve",
  "exit",
  "getBuiltinModule",
  "kill",
  "_debugEnd",
  "_debugProcess",
  "_getActiveHandles",
  "_getActiveRequests",
  "_kill",
  "_linkedBinding",
  "_rawDebug",
  "_startProfilerIdleNotifier",
  "_stopProfilerIdleNotifier",
  "mainModule",
  "reallyExit",
  "report",
  "stderr",
  "stdin",
  "stdout",
];

/** From here on nothing can be imported but `source`, once, under the address that is returned. */
export function sealThread(name: string, source: string): string {
  const address = `weft-plugin:${name}`;
  let isGiven = false;
  registerHooks({
    resolve: (specifier) => {
      if (specifier !== address || isGiven) throw new Error(`a plugin imports nothing`);
      isGiven = true;
      return { url: address, format: "module", shortCircuit: true };
    },
    load: () => ({ format: "module", source, shortCircuit: true }),
  });
  for (const key of WAYS_OUT) Reflect.deleteProperty(process, key);
  for (const key of Reflect.ownKeys(globalThis)) {
    const isKept = typeof key === "string" ? LANGUAGE.has(key) || KEPT.has(key) : isTag(key);
    if (!isKept) Reflect.deleteProperty(globalThis, key);
  }
  return address;
}

function isTag(key: symbol): boolean {
  return key === Symbol.toStringTag;
}
