/** Where the two processes meet, under the run directory: in a folder of its own, which traffic's group may enter. */
export const TRAFFIC_LINE = "line/traffic.sock";
