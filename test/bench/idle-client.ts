/** Opens idle connections and keeps them until its channel closes: `node idle-client.ts ADDRESS PORT COUNT`. */
import { once } from "node:events";
import { connect } from "node:net";

const REQUEST = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";

const [address = "", port = "0", count = "0"] = process.argv.slice(2);
for (let i = 0; i < Number(count); i += 1) {
  const socket = connect(Number(port), address);
  socket.on("error", (error) => {
    console.error(error.message);
    process.exit(1);
  });
  socket.write(REQUEST);
  // Answered: the connection is carried to the application, and not waiting in a listener's queue.
  await once(socket, "data");
}
process.send?.("open");
process.on("disconnect", () => process.exit(0));
