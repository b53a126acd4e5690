/**
 * Node's HTTP, without what nobody here needs: an `import` of it reads each of its exports, and those that belong to
 * `fetch` then load all of that. Measured on Node 26: 40 ms and 7 MB of each process that starts.
 */
import type * as http from "node:http";

export const nodeHttp: typeof http = process.getBuiltinModule("node:http");
