/** The way into the engine of HTTP/1: one connection of a client, served until it is gone. */
import type { Side } from "../flow/side.ts";
import { Http1Connection } from "./http1-connection.ts";
import type { Http1Options, HttpServing } from "./http1-options.ts";

/** The front is paused and has no reader; it belongs to the engine from here on. */
export function serveHttp1(front: Side, options: Http1Options): HttpServing {
  const connection = new Http1Connection(front, options);
  connection.start();
  return connection;
}
