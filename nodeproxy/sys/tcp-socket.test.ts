import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { expect, test } from "@jest/globals";
import { descriptorOf } from "../tcp/accept.ts";
import { minRoundTripMs } from "./tcp-socket.ts";

test("minRoundTripMs(): of a connection to this machine it is short", async () => {
  await using server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  socket.write("there and back");
  await once(socket, "data");
  expect(minRoundTripMs(descriptorOf(socket))).toBeLessThan(1_000);
  expect(minRoundTripMs(descriptorOf(socket))).toBeGreaterThanOrEqual(0);
  socket.destroy();
});

test("minRoundTripMs(): of what is no connection it is not known", () => {
  expect(minRoundTripMs(-1)).toBeNaN();
  expect(minRoundTripMs(0)).toBeNaN();
});
