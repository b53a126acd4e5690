/** Hashes the long lists of a rule when it arrives, so that no decision waits for it. */
import type {
  Condition,
  Layer7Condition,
  Rule,
  Source,
} from "../../core/model/authorization-policy.ts";
import { isLayer7Condition } from "../../core/model/layer7-condition.ts";
import { hashAccountsIfLong, hashBlocksIfLong, hashIfLong } from "./match-list.ts";

export function hashLongLists({ from, to, when }: Rule): void {
  for (const source of from) hashSource(source);
  for (const { layer7 } of to) {
    if (layer7) {
      hashIfLong(layer7.hosts);
      hashIfLong(layer7.notHosts);
      hashIfLong(layer7.methods);
      hashIfLong(layer7.notMethods);
      hashIfLong(layer7.paths);
      hashIfLong(layer7.notPaths);
    }
  }
  for (const condition of when) hashCondition(condition);
}

function hashSource(source: Source): void {
  hashIfLong(source.principals);
  hashIfLong(source.notPrincipals);
  hashIfLong(source.namespaces);
  hashIfLong(source.notNamespaces);
  hashAccountsIfLong(source.serviceAccounts);
  hashAccountsIfLong(source.notServiceAccounts);
  hashIfLong(source.trustDomains);
  hashIfLong(source.notTrustDomains);
  hashBlocksIfLong(source.ipBlocks);
  hashBlocksIfLong(source.notIpBlocks);
  if (source.layer7) {
    hashBlocksIfLong(source.layer7.remoteIpBlocks);
    hashBlocksIfLong(source.layer7.notRemoteIpBlocks);
  }
}

function hashCondition(condition: Condition): void {
  if (isLayer7Condition(condition)) return hashLayer7(condition);
  switch (condition.key) {
    case "source.serviceAccount":
      hashAccountsIfLong(condition.values);
      return hashAccountsIfLong(condition.notValues);
    case "source.ip":
    case "destination.ip":
      hashBlocksIfLong(condition.values);
      return hashBlocksIfLong(condition.notValues);
    case "source.principal":
    case "source.namespace":
    case "source.trustDomain":
      hashIfLong(condition.values);
      return hashIfLong(condition.notValues);
    case "destination.port":
      return;
  }
}

function hashLayer7(condition: Layer7Condition): void {
  switch (condition.key) {
    case "remote.ip":
      hashBlocksIfLong(condition.values);
      return hashBlocksIfLong(condition.notValues);
    case "connection.sni":
    case "request.headers":
    case "request.auth.audiences":
    case "request.auth.presenter":
    case "request.auth.claims":
      hashIfLong(condition.values);
      return hashIfLong(condition.notValues);
    case "request.auth.principal":
      return;
  }
}
