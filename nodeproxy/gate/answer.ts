/**
 * Answers a pod's `weft-gate`: called by the outbound listener for a connection whose original
 * destination is the gate's address. That such a connection arrived is the proof that the redirect works.
 */
import type { Socket } from "node:net";
import { GATE_LINE_BYTES, gateAnswer } from "./gate-protocol.ts";

const TIMEOUT_MS = 5000;

/** Owns the socket from here on. Whoever says anything else is closed without a word. */
export function answerGate(socket: Socket): void {
  let question = "";
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    question += chunk.toString("latin1");
    if (!question.includes("\n") && question.length < GATE_LINE_BYTES) return;
    const answer = gateAnswer(question);
    if (answer === undefined) socket.destroy();
    else socket.end(answer);
  });
  socket.on("end", () => socket.end());
}
