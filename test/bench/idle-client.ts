/** Opens idle connections and keeps them until its channel closes: `node idle-client.ts ADDRESS PORT COUNT`. */
import { once } from "node:events";
import { connect } from "node:net";

const REQUEST = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
/** Opened at the same time. */
const AT_ONCE = 32;

const [address = "", port = "0", count = "0"] = process.argv.slice(2);
let left = Number(count);
await Promise.all(Array.from({ length: AT_ONCE }, openSome));
process.send?.("open");
process.on("disconnect", () => process.exit(0));

async function openSome(): Promise<void> {
  while (left > 0) {
    left -= 1;
    const socket = connect(Number(port), address);
    socket.on("error", (error) => {
      console.error(error.message);
      process.exit(1);
    });
    socket.write(REQUEST);
    // Answered: the connection is carried to the application, and not waiting in a listener's queue.
    await once(socket, "data");
  }
}
