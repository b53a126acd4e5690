import { expect, test } from "@jest/globals";
import { parseCommand } from "./command.ts";

const CALL = ["why", "--from=shop/web", "--to=shop/api:80"];

function flags(args: readonly string[]) {
  const parsed = parseCommand(args);
  if (parsed.kind !== "command") throw new Error(JSON.stringify(parsed));
  return parsed.command.why;
}

test("readWhyFlags(): a call, as what it is made, and where it is computed", () => {
  const request = [
    "--method=GET",
    "--path=/a",
    "--host=h",
    "--header=A=b",
    "--header=C: d e",
    "--sni=s",
  ];
  expect(flags([...CALL, ...request, "--http", "--source=file:dir"])).toEqual({
    directory: "dir",
    from: "shop/web",
    to: "shop/api:80",
    denial: "",
    pod: "",
    plaintext: false,
    http: true,
    sni: "s",
    method: "GET",
    path: "/a",
    host: "h",
    headers: [
      ["a", "b"],
      ["c", "d e"],
    ],
    claims: undefined,
  });
});

test("readWhyFlags(): a denial's id, and a pod, are the one word of their command", () => {
  expect(flags(["why", "0a1b2c-0123456789ab"]).denial).toBe("0a1b2c-0123456789ab");
  expect(flags(["authz", "list", "shop/web-1"]).pod).toBe("shop/web-1");
});

test("readWhyFlags(): of a token only its claims are taken", () => {
  const payload = Buffer.from('{"iss":"i","groups":["a"]}').toString("base64url");
  expect(flags([...CALL, `--jwt=e30.${payload}.sig`]).claims).toEqual({ iss: "i", groups: ["a"] });
});

test.each([
  [["why"], "why: say --from and --to, or the id of a denial"],
  [["why", "--from=a/b"], "why: say --from and --to, or the id of a denial"],
  [["why", "id", "--http"], "--http: only of why without an id"],
  [["why", "id", "--source=file:d"], "--source: a denial is known to its node alone"],
  [["why", "id", "more"], "more: not expected"],
  [["authz", "list"], "authz list: say which pod, NAMESPACE/NAME"],
  [["authz", "list", "web"], "authz list: say which pod, NAMESPACE/NAME"],
  [["authz", "list", "a/b", "--from=c/d"], "--from: only of why"],
  [["status", "--from=a/b"], "--from: only of why"],
  [["status", "--source=file:d"], "--source: only of why and authz list"],
  [[...CALL, "--source=kubernetes"], "--source: kubernetes is not file:DIR"],
  [[...CALL, "--header=nonsense"], "--header: nonsense is not NAME=VALUE"],
  [[...CALL, "--jwt=secret"], "--jwt: neither a token nor @FILE with one"],
  [[...CALL, "--jwt=@/nowhere"], "--jwt: neither a token nor @FILE with one"],
])("readWhyFlags(): %j is wrong: %s", (args, reason) => {
  expect(parseCommand(args)).toEqual({ kind: "wrong", reasons: [reason] });
});
