/** Opens idle connections and keeps them until its channel closes: `node idle-client.ts ADDRESS PORT COUNT`. */
import { openIdle } from "./load.ts";

const [address = "", port = "0", count = "0"] = process.argv.slice(2);
await openIdle(address, Number(port), Number(count));
process.send?.("open");
process.on("disconnect", () => process.exit(0));
