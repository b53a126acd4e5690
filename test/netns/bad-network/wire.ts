/**
 * A wire that is bad on purpose: takes every Ethernet frame of one interface to the other and back, and loses, doubles,
 * delays or changes some. Told by its parent which; frames that are no TCP pass. Does what tc netem does where a kernel has it.
 *
 * Frames pass with the kernel's notes on them (PACKET_VNET_HDR): checksums that are not computed yet, segments to come.
 */
import koffi from "koffi";

// linux/if_packet.h, linux/if_ether.h
const AF_PACKET = 17;
const SOCK_RAW_NONBLOCK = 3 | 0o4000;
const ETH_P_ALL_NETWORK_ORDER = 0x0300;
const SOL_PACKET = 263;
const PACKET_VNET_HDR = 15;
const PACKET_IGNORE_OUTGOING = 23;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const RECEIVE_BUFFER_BYTES = 32 << 20;
/** struct virtio_net_hdr, then Ethernet. */
const NOTES_BYTES = 10;
const HEAD_BYTES = NOTES_BYTES + 14;
const IP_PROTOCOL_AT = HEAD_BYTES + 9;
const ETHERTYPE_IPV4 = 0x0800;
const PROTOCOL_TCP = 6;
const POLL_MS = 1;
/** Where TLS is: headers that are wrong are the kernel's to see. */
const PAYLOAD_AT = HEAD_BYTES + 80;

/** Each as a share of all TCP frames; told back: how often it was done. */
export interface WireFaults {
  readonly lost: number;
  readonly doubled: number;
  readonly late: number;
  readonly changed: number;
  /** Of those in one direction alone, of near to far and of far to near. */
  readonly lostThere: number;
  readonly lostBack: number;
}

const libc = koffi.load("libc.so.6");
const socket = libc.func("int socket(int domain, int type, int protocol)");
const bind = libc.func("int bind(int fd, void *address, uint32_t length)");
const setsockopt = libc.func(
  "int setsockopt(int fd, int level, int name, void *value, uint32_t n)",
);
const recv = libc.func("int64_t recv(int fd, void *buffer, size_t length, int flags)");
const send = libc.func("int64_t send(int fd, const void *buffer, size_t length, int flags)");
const interfaceIndex = libc.func("uint32_t if_nametoindex(const char *name)");

const buffer = Buffer.alloc(256 << 10);
const NOTHING: WireFaults = {
  lost: 0,
  doubled: 0,
  late: 0,
  changed: 0,
  lostThere: 0,
  lostBack: 0,
};
let faults = NOTHING;
/** How often each was done since the faults were set. */
let done: { -readonly [Fault in keyof WireFaults]: number } = { ...NOTHING };
let state = 4_711;

process.on("message", (message: WireFaults) => {
  faults = message;
  process.send?.(done);
  done = { ...NOTHING };
});
process.on("disconnect", () => process.exit());

const ends = [open("near"), open("far")] as const;
/** Sent behind the frame that comes next. */
const late: [Buffer[], Buffer[]] = [[], []];
setInterval(() => {
  carry(0);
  carry(1);
}, POLL_MS);
process.send?.("ready");

function carry(from: 0 | 1): void {
  for (;;) {
    const length = Number(recv(ends[from], buffer, buffer.length, 0));
    if (length <= 0) break;
    const frame = Buffer.from(buffer.subarray(0, length));
    if (isTcp(frame)) spoil(from, frame);
    else pass(from, frame);
  }
  // Nothing came behind them: they are late enough.
  for (const frame of late[from].splice(0)) pass(from, frame);
}

function spoil(from: 0 | 1, frame: Buffer): void {
  const oneWay = from === 0 ? "lostThere" : "lostBack";
  if (random() < faults[oneWay]) {
    done[oneWay] += 1;
    return;
  }
  if (random() < faults.lost) {
    done.lost += 1;
    return;
  }
  if (random() < faults.late) {
    done.late += 1;
    late[from].push(frame);
    return;
  }
  if (random() < faults.changed && frame.length > PAYLOAD_AT) {
    const at = PAYLOAD_AT + Math.floor(random() * (frame.length - PAYLOAD_AT));
    done.changed += 1;
    frame.writeUInt8(frame.readUInt8(at) ^ (1 << Math.floor(random() * 8)), at);
  }
  pass(from, frame);
  if (random() >= faults.doubled) return;
  done.doubled += 1;
  pass(from, frame);
}

function pass(from: 0 | 1, frame: Buffer): void {
  send(ends[from === 0 ? 1 : 0], frame, frame.length, 0);
}

function isTcp(frame: Buffer): boolean {
  return (
    frame.length > IP_PROTOCOL_AT &&
    frame.readUInt16BE(NOTES_BYTES + 12) === ETHERTYPE_IPV4 &&
    frame.readUInt8(IP_PROTOCOL_AT) === PROTOCOL_TCP
  );
}

/** xorshift32: the same faults for the same frames. */
function random(): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
}

function open(name: string): number {
  const fd = Number(socket(AF_PACKET, SOCK_RAW_NONBLOCK, ETH_P_ALL_NETWORK_ORDER));
  // struct sockaddr_ll
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16LE(ETH_P_ALL_NETWORK_ORDER, 2);
  address.writeInt32LE(Number(interfaceIndex(name)), 4);
  set(fd, [SOL_PACKET, PACKET_VNET_HDR], 1);
  set(fd, [SOL_PACKET, PACKET_IGNORE_OUTGOING], 1);
  set(fd, [SOL_SOCKET, SO_RCVBUFFORCE], RECEIVE_BUFFER_BYTES);
  if (Number(bind(fd, address, address.length)) !== 0) {
    throw new Error(`packet socket on ${name}: errno ${koffi.errno()}`);
  }
  return fd;
}

function set(fd: number, [level, name]: readonly [number, number], value: number): void {
  const option = Buffer.alloc(4);
  option.writeInt32LE(value, 0);
  if (Number(setsockopt(fd, level, name, option, 4)) !== 0) {
    throw new Error(`setsockopt ${name}: errno ${koffi.errno()}`);
  }
}
