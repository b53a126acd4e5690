import { expect, test } from "@jest/globals";
import { podUidOfCgroup } from "./pod-uid.ts";

const UID = "0b0c0d0e-1111-2222-3333-444455556666";
const UNDERSCORED = UID.replaceAll("-", "_");
const INNER = "ffffffff-1111-2222-3333-444455556666";

const LAYOUTS: readonly (readonly [string, string])[] = [
  [
    "v2, systemd, containerd",
    `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UNDERSCORED}.slice/cri-containerd-aa11.scope\n`,
  ],
  [
    "v2, systemd, CRI-O",
    `0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UNDERSCORED}.slice/crio-aa11.scope/container\n`,
  ],
  [
    "v2, systemd, guaranteed",
    `0::/kubepods.slice/kubepods-pod${UNDERSCORED}.slice/cri-containerd-aa11.scope\n`,
  ],
  ["v2, cgroupfs", `0::/kubepods/burstable/pod${UID}/aa11\n`],
  [
    "v2, cgroup namespace of the reader",
    `0::/../../kubepods-burstable-pod${UNDERSCORED}.slice/cri-containerd-aa11.scope\n`,
  ],
  [
    "v1, cgroupfs",
    `12:cpuset:/\n11:memory:/kubepods/burstable/pod${UID}/aa11\n1:name=systemd:/kubepods/burstable/pod${UID}/aa11\n`,
  ],
  [
    "v1, systemd, colons of containerd",
    `11:memory:/system.slice/containerd.service/kubepods-burstable-pod${UNDERSCORED}.slice:cri-containerd:aa11\n`,
  ],
  [
    "kubelet inside a pod: the outermost",
    `0::/kubepods/pod${UID}/aa11/kubelet/kubepods/burstable/pod${INNER}/bb22\n`,
  ],
];

test.each(LAYOUTS)("podUidOfCgroup(): %s", (_name, text) => {
  expect(podUidOfCgroup(text)).toBe(UID);
});

test.each([
  "",
  "0::/\n",
  "0::/system.slice/containerd.service\n",
  `0::/docker/tripod${UID}\n`,
  "0::/kubepods/burstable/pod0123456789abcdef0123456789abcdef/aa\n",
])("podUidOfCgroup(): %j is no pod's", (text) => {
  expect(podUidOfCgroup(text)).toBeUndefined();
});
