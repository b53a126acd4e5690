/** What `weftctl --help`, `weftctl ca --help` and `weftctl ca rotate --help` say. */

/** As it is called: of one word or two. */
export type CommandName =
  | "status"
  | "why"
  | "authz list"
  | "explain"
  | "check"
  | "uninstall"
  | "ca status"
  | "ca rotate";

export const COMMANDS: Readonly<Record<CommandName, string>> = {
  status: "is the mesh installed, which pods are captured, which policies are enforced",
  why: "may this call be made and why, or why was that call refused",
  "authz list": "which policies apply to a pod, and from where",
  explain: "what a code of the log, a metric or x-weft-reason means, and what to do",
  check: "can this cluster run the mesh (--before), does what is installed work",
  uninstall: "release every pod, wait for every node, then delete the mesh",
  "ca status": "every certificate of the mesh: time left, who renews it, last success",
  "ca rotate": "exchange the root or the intermediate, with proof from every node",
};

const COMMON_FLAGS = `  --json, -o json|yaml   print one object
  --kubeconfig FILE      instead of kubectl's default
  --context NAME         of the kubeconfig
  -n, --namespace NAME   of the mesh (weft-system)`;

const HELP = `usage: weftctl COMMAND [flags]

${list(Object.keys(COMMANDS) as CommandName[])}

flags:
${COMMON_FLAGS}
  --before               check: only what must hold before installing
  --keep-crds            uninstall: leave weft's kinds and all their objects
  --timeout SECONDS      uninstall: longest wait for the nodes (120)
  --drain SECONDS        uninstall: longest wait for open connections of released pods (10)

weftctl COMMAND --help tells more of why, authz list, explain, ca status and ca rotate.

exit codes:
  0  everything that the command looks at is as it should be
  1  something is not, or the cluster could not be asked
  2  wrong use; why, ca status: it could not find out`;

const CA = `usage: weftctl ca COMMAND [flags]

${list(["ca status", "ca rotate"])}

weftctl ca status --help and weftctl ca rotate --help tell more; docs/certificates.md tells what a
certificate of the mesh is and who renews it.`;

const CA_STATUS = `usage: weftctl ca status [flags]

Every certificate of the mesh, with the time left, who renews it and when it was last issued: the
roots, what signs, the servers of each operator replica, what each node serves. And the rotation
that is under way. Changes nothing.

The operator's own certificates are read from its metrics through the API server. That needs the
right to get pods/proxy in the mesh's namespace; without it their rows say so, and the exit code
does not count them.

flags:
${COMMON_FLAGS}

exit codes:
  0  every certificate holds, and none is late
  1  one has ended, is missing, or is in the last quarter of its life without a successor; no
     operator runs; or a node has held up a rotation for 15 minutes
  2  it could not find out, because the API server or a replica did not answer or said no; or
     wrong use`;

const CA_ROTATE = `usage: weftctl ca rotate root|intermediate [--dry-run] [--waive NODE ...] [--timeout DURATION]
       weftctl ca rotate --waive NODE
       weftctl ca rotate --abort

Exchanges the root or the intermediate while the mesh runs, without a restart of anything:

  Add      everybody trusts the new root beside the old one (root only)
  Reissue  everything is signed by the new one, every certificate and tunnel is made anew
  Drop     nobody trusts the old one any more

Each phase ends only when every node has proved that it followed. The operator does it; this
command asks for it and shows how far it is. Called again while a rotation of the same authority
is under way it shows that one. Ctrl-C ends the command, never the rotation.

flags:
  --dry-run              say what would be done and which nodes would hold it up now; write nothing
  --waive NODE           go on without the proof of this node (repeatable). Its workloads may be
                         cut off from the rest until it has followed
  --abort                turn back the one under way: the CA from before stays
  --timeout DURATION     stop watching after 90s, 10m, 1h30m (default: watch until its end)
${COMMON_FLAGS}

exit codes:
  0    it is complete; with --abort: turned back; with --dry-run: nothing would hold it up
  1    it is not: refused, turned back, held up by a node (--dry-run), not followed to its end
  2    wrong use
  130  Ctrl-C: it goes on without the command`;

const WHY = `usage: weftctl why --from CALLER --to DESTINATION[:PORT] [flags]
       weftctl why ID [flags]

Asks the node that enforces, and prints every policy, rule and clause with what matched, what did
not and the value seen; before that what comes before policy. ID is that of a denial in the access
log (the field denial): why it was denied, and what the policies of now would make of it.

  CALLER        NAMESPACE/NAME of a pod, else of a service account (sa: and pod: say which),
                spiffe://..., or an address
  DESTINATION   NAMESPACE/NAME of a Service, else of a pod (svc: and pod: say which),
                NAME.NAMESPACE.svc, or an address

flags:
  --plaintext            as if the caller proved no identity
  --http                 as if the port were read as HTTP
  --sni NAME             the server that its TLS names, where that is read
  --method, --path, --host, --header NAME=VALUE (repeatable)
                         the request that is made
  --jwt TOKEN|@FILE      its token, taken for verified. Only the claims leave this machine
  --source file:DIR      compute from a directory of Kubernetes YAML, as if every pod were captured
${COMMON_FLAGS}

It needs the rights to list pods and to get and create pods/portforward in the mesh's namespace.

exit codes:
  0  permitted, by every endpoint (ID: it would be now)
  1  denied, by one endpoint at least (ID: it would be now too)
  2  it could not find out, or wrong use`;

const AUTHZ = `usage: weftctl authz list NAMESPACE/NAME [flags]

Which AuthorizationPolicies apply to a pod, in the order in which they are evaluated, and from
where; and the mode of its ports, with the PeerAuthentication that says so. Reads the objects.

flags:
  --source file:DIR      read a directory of Kubernetes YAML instead of the cluster
${COMMON_FLAGS}

exit codes:
  0  told
  1  the pod is not in the mesh, or the cluster could not be asked
  2  wrong use, or there is no such pod`;

const EXPLAIN = `usage: weftctl explain [CODE] [--json]

What a code means, what causes it and what cures it: of the fields code and asked of the access
log, of the label reason of a metric, of x-weft-reason in a response. Without CODE: all of them.
Asks no cluster.

flags:
  --json, -o json|yaml   print one object

exit codes:
  0  told
  2  there is no such code: those that may be meant are named; or wrong use`;

const TOPICS: Readonly<Record<string, string>> = {
  why: WHY,
  authz: AUTHZ,
  explain: EXPLAIN,
  ca: CA,
  "ca status": CA_STATUS,
  "ca rotate": CA_ROTATE,
};

/** Of the command that the words begin with; the overview where there is none of its own. */
export function helpFor(words: readonly string[]): string {
  const [group = "", name = ""] = words;
  return TOPICS[`${group} ${name}`] ?? TOPICS[group] ?? HELP;
}

function list(names: readonly CommandName[]): string {
  return names.map((name) => `  ${name.padEnd(10)} ${COMMANDS[name]}`).join("\n");
}
