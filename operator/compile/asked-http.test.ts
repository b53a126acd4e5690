import { expect, test } from "@jest/globals";
import { serviceOf } from "../../test/fakes/route-objects.ts";
import type { Service } from "../resources/service.ts";
import { askedHttp, unfitPorts } from "./asked-http.ts";

/** Its ports with what they declare. */
function declaring(declared: Readonly<Record<number, string>>): Service {
  const ports = Object.entries(declared).map(([port, appProtocol]) => ({
    port: Number(port),
    ...(appProtocol === "" ? {} : { appProtocol }),
  }));
  return serviceOf("shop/api", ...ports);
}

function asked(ports: readonly number[], declared: Readonly<Record<number, string>>): object {
  return Object.fromEntries(askedHttp({ ports }, declaring(declared)));
}

test("askedHttp(): a section without ports makes those HTTP/1 that declare nothing", () => {
  expect(asked([], { 80: "", 81: "" })).toEqual({ 80: "http1", 81: "http1" });
  expect(asked([], { 80: "", 443: "tls", 5432: "postgres" })).toEqual({ 80: "http1" });
});

test("askedHttp(): a section without ports leaves the rest as it is where a port declares HTTP", () => {
  expect(asked([], { 80: "http", 81: "" })).toEqual({});
  expect(asked([], { 81: "", 9000: "grpc" })).toEqual({});
});

test("askedHttp(): a port that is named is HTTP/1 unless it declares anything", () => {
  expect(asked([80, 81, 443, 9000, 9], { 80: "http", 81: "", 443: "https", 9000: "grpc" })).toEqual(
    { 81: "http1" },
  );
});

test("unfitPorts(): named ports that are not there or declare another protocol", () => {
  const service = declaring({ 80: "http", 81: "", 443: "https", 9000: "kubernetes.io/h2c" });
  expect(unfitPorts({ ports: [] }, service)).toEqual([]);
  expect(unfitPorts({ ports: [80, 81, 443, 9000, 9] }, service)).toEqual([
    "port 443 of Service api declares https, so it stays opaque",
    "Service api has no TCP port 9",
  ]);
});
