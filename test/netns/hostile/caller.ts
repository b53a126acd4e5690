/** An honest caller of the attack tests: measures round trips through the mesh, in windows that its parent begins and ends. */
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { performance } from "node:perf_hooks";
import type { Window } from "./messages.ts";

const [, , host = "", port = ""] = process.argv;
/** Between two calls: what is measured is not the caller. */
const PACE_MS = 2;
/** Every so many calls a new connection, which is measured too. */
const CALLS = 10;
const PATIENCE_MS = 10_000;
let took: number[] = [];
let wrong = 0;

process.on("message", () => {
  const sorted = took.toSorted((a, b) => a - b);
  const p99 = sorted[Math.floor(sorted.length * 0.99)] ?? PATIENCE_MS;
  const told: Window = { p99, calls: sorted.length, wrong };
  took = [];
  wrong = 0;
  process.send?.(told);
});
process.on("disconnect", () => process.exit());
converse();

function converse(): void {
  const socket = connect(Number(port), host).setNoDelay(true);
  let begun = performance.now();
  let left = CALLS;
  let asked = Buffer.alloc(0);
  let heard = Buffer.alloc(0);
  function ask(): void {
    begun = performance.now();
    asked = randomBytes(64);
    heard = Buffer.alloc(0);
    socket.write(asked);
  }
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error("no answer")));
  socket.on("connect", () => {
    const connected = performance.now() - begun;
    ask();
    begun -= connected;
  });
  socket.on("data", (chunk: Buffer) => {
    heard = Buffer.concat([heard, chunk]);
    if (heard.length < asked.length) return;
    took.push(performance.now() - begun);
    if (!heard.equals(asked)) wrong += 1;
    left -= 1;
    if (left > 0) setTimeout(ask, PACE_MS);
    else socket.end();
  });
  socket.on("error", () => {
    wrong += 1;
  });
  socket.on("close", () => setTimeout(converse, PACE_MS));
}
