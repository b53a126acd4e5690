/** What plugins keep requests from, or how these fail. Part of the catalogue: `catalogue.ts`. */
import { ACCESS_LOG, type CodeGroup, HEADER, HTTP_REQUESTS } from "./code-group.ts";

export const PLUGIN_CODES: CodeGroup = {
  title: "Requests that a plugin keeps from a Service",
  place: "at the caller's node, answered 503 where nothing else is said",
  toldIn: [ACCESS_LOG, HTTP_REQUESTS, HEADER],
  codes: {
    plugin_answered: [
      "a plugin has answered it, with the status that it chose",
      "The plugin's code, and its configuration in the Service's TrafficPolicy.",
      "Nothing, if it is meant; else correct the plugin or its configuration.",
    ],
    plugin_failed: [
      "a plugin threw, could not be loaded, or returned what cannot be sent",
      "A fault in the plugin's code; the node proxy's log says which, as `plugin failed`.",
      "Correct the plugin in its ConfigMap. With `failOpen` in MeshConfig such requests go on without it.",
    ],
    plugin_timeout: [
      "a plugin was not done with the request within its `timeout`, and was started again",
      "An endless loop, a promise that nobody keeps, or more work than fits into the time.",
      "Correct the plugin, or raise its `timeout` in MeshConfig.",
    ],
    plugin_config_invalid: [
      "a plugin does not take the configuration that the Service's TrafficPolicy gives it",
      "`config` is not as the plugin's `schema` asks for, or its `create` threw; the node proxy's log says where.",
      "Correct `http.plugins` of the TrafficPolicy.",
    ],
    plugin_overloaded: [
      "1,000 requests wait for the plugin on this thread of the node proxy",
      "More requests than the plugin has time for: it does them one after another.",
      "Make the plugin faster, or run more traffic threads with `--workers`.",
    ],
    plugin_missing: [
      "the Service's TrafficPolicy names a plugin whose code is not there",
      "MeshConfig has no such plugin, or its ConfigMap is missing; the statuses of both objects say which.",
      'Create the ConfigMap in `weft-system`, with the label `weft.dev/plugin: "true"`, or correct the name.',
    ],
  },
};
