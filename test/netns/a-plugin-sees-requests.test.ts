/** The plugin of docs/plugins.md through the operator and both processes of the caller's node, and one that fails. */
import { spawnSync } from "node:child_process";
import { expect, test } from "@jest/globals";
import type { PluginOutcome } from "./plugins/outcome.ts";

const LIMIT_MS = 280_000;

test("a plugin from a ConfigMap changes and answers requests, and where it fails only its own request does", () => {
  const done = spawnSync(process.execPath, ["test/netns/plugins/main.ts"], {
    encoding: "utf8",
    timeout: LIMIT_MS,
  });
  if (done.status !== 0) throw new Error(`exit ${done.status}\n${done.stderr}`);
  const told = JSON.parse(done.stdout) as PluginOutcome;
  expect(told.unknown).toBe("403 plugin_answered no such tenant\n");
  expect(told.known).toMatch(/^200 - app \/orders\?page=2 .*"x-tenant-pool":"large"/);
  expect(told.stalled).toBe("503 plugin_timeout plugin_timeout\n");
  expect(told.behind).toMatch(/^200 - app \/behind .*"x-faulty":"seen"/);
  expect(told.thrown).toBe("503 plugin_failed plugin_failed\n");
  expect(told.badConfig).toBe("503 plugin_config_invalid plugin_config_invalid\n");
  expect(told.missing).toBe("503 plugin_missing plugin_missing\n");
  expect(told.open).toMatch(/^200 - app \/throw (?!.*x-faulty)/);
});
