/**
 * The applications of the fault story, each a process in its pod: `node load.ts server NAME` answers
 * lines, `node load.ts client` puts load on what the story names. Know nothing of any mesh.
 */
import { createServer } from "node:net";
import { answerTo } from "./checked-text.ts";
import { ask } from "./exchange.ts";
import { Load } from "./load-client.ts";
import type { FromLoad, ToLoad } from "./load-messages.ts";

const PORTS = [8080, 9090, 9091];

const [role, name = ""] = process.argv.slice(2);
process.on("disconnect", () => process.exit(0));
if (role === "server") serve();
if (role === "client") obey();

function tell(message: FromLoad): void {
  process.send?.(message);
}

function serve(): void {
  for (const port of PORTS) {
    createServer((socket) => {
      socket.on("error", () => socket.destroy());
      let text = "";
      socket.on("data", (bytes: Buffer) => {
        const lines = (text + bytes.toString("latin1")).split("\n");
        text = lines.pop() ?? "";
        for (const line of lines) socket.write(answerTo(`${line}\n`, name));
      });
    }).listen(port);
  }
  tell({ kind: "ready" });
}

function obey(): void {
  let load: Load | undefined;
  process.on("message", (message: ToLoad) => {
    switch (message.kind) {
      case "start":
        load = new Load(message);
        break;
      case "reach":
        void load?.reached(message.ended).then(() => tell({ kind: "reached" }));
        break;
      case "stop":
        void load?.finish().then((tally) => tell({ kind: "tally", tally }));
        break;
      case "ask":
        void ask(message.target, message.patienceMs).then(
          (answer) => tell({ kind: "answer", id: message.id, answer }),
          (error: Error) =>
            tell({ kind: "answer", id: message.id, answer: `failed: ${error.message}` }),
        );
        break;
    }
  });
  tell({ kind: "ready" });
}
