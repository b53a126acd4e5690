import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, test } from "@jest/globals";
import { boundEnd } from "./bounded-end.ts";

test("boundEnd(): a far side that never ends is not waited for", async () => {
  const far: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    far.push(socket.resume().on("error", () => undefined));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  // Half-open as a TLS socket's transport is: else Node would not wait either.
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  boundEnd(socket);
  await once(socket, "connect");
  expect(socket.destroyed).toBe(false);
  socket.end();
  await once(socket, "close");
  expect(socket.destroyed).toBe(true);
  for (const each of far) each.destroy();
  server.close();
});
