/**
 * Reads every packet of one interface from the kernel (AF_PACKET) and says whether what pods of
 * different nodes say to each other is TLS, byte for byte.
 *
 * Counts only TCP between the two address ranges it is told; needs no tcpdump.
 */
import koffi from "koffi";
import { TlsRecordReader } from "./tls-records.ts";

// linux/if_packet.h, linux/if_ether.h, asm-generic/socket.h
const AF_PACKET = 17;
const SOCK_RAW_NONBLOCK = 3 | 0o4000;
const ETH_P_ALL = 0x0003;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const RECEIVE_BUFFER_BYTES = 64 << 20;
const ETHERTYPE_IPV4 = 0x0800;
const PROTOCOL_TCP = 6;
const DRAIN_EVERY_MS = 20;

const libc = koffi.load("libc.so.6");
const socket = libc.func("int socket(int domain, int type, int protocol)");
const bind = libc.func("int bind(int fd, void *address, uint32_t length)");
const setsockopt = libc.func(
  "int setsockopt(int fd, int level, int name, void *value, uint32_t n)",
);
const recv = libc.func("int64_t recv(int fd, void *buffer, size_t length, int flags)");
const interfaceIndex = libc.func("uint32_t if_nametoindex(const char *name)");
const close = libc.func("int close(int fd)");

export interface WireReading {
  /** Payload bytes in flows that parse as TLS records from their first byte to their last. */
  readonly tlsBytes: number;
  /** Payload bytes of flows that do not. */
  readonly otherBytes: number;
  /** True where a text that the applications exchange was seen in any packet. */
  readonly sawText: boolean;
  readonly flows: number;
}

export interface WireTap {
  /** Reads what is left and closes. */
  finish(): WireReading;
}

export interface WireTapOptions {
  readonly interfaceName: string;
  /** Only packets whose two addresses both begin so. */
  readonly addressPrefix: string;
  /** What must not be readable on the wire. */
  readonly text: string;
}

export function createWireTap({ interfaceName, addressPrefix, text }: WireTapOptions): WireTap {
  const fd = openPacketSocket(interfaceName);
  const packet = Buffer.alloc(256 << 10);
  const flows = new Map<string, TlsRecordReader>();
  let sawText = false;

  function drain(): void {
    for (;;) {
      const length = Number(recv(fd, packet, packet.length, 0));
      if (length <= 0) return;
      take(packet.subarray(0, length));
    }
  }

  function take(frame: Buffer): void {
    const segment = parseSegment(frame);
    if (!segment?.source.startsWith(addressPrefix)) return;
    if (!segment.destination.startsWith(addressPrefix)) return;
    if (segment.payload.includes(text)) sawText = true;
    const key = `${segment.source}:${segment.sourcePort} ${segment.destination}:${segment.destinationPort}`;
    const isNew = segment.isSyn || !flows.has(key);
    // A SYN takes one sequence number itself (RFC 9293 3.4).
    const first = segment.isSyn ? segment.sequence + 1 : segment.sequence;
    if (isNew) flows.set(key, new TlsRecordReader(first));
    flows.get(key)?.take(segment.sequence, segment.payload);
  }

  const timer = setInterval(drain, DRAIN_EVERY_MS);
  return {
    finish() {
      clearInterval(timer);
      drain();
      close(fd);
      const readers = [...flows.values()];
      return {
        tlsBytes: sum(readers.filter((reader) => reader.isTls)),
        otherBytes: sum(readers.filter((reader) => !reader.isTls)),
        sawText,
        flows: readers.filter((reader) => reader.bytes > 0).length,
      };
    },
  };
}

function sum(readers: readonly TlsRecordReader[]): number {
  return readers.reduce((total, reader) => total + reader.bytes, 0);
}

function openPacketSocket(interfaceName: string): number {
  const index = Number(interfaceIndex(interfaceName));
  if (index === 0) throw new Error(`no interface ${interfaceName}`);
  const networkOrder = ((ETH_P_ALL & 0xff) << 8) | (ETH_P_ALL >> 8);
  const fd = Number(socket(AF_PACKET, SOCK_RAW_NONBLOCK, networkOrder));
  if (fd < 0) throw new Error(`packet socket: errno ${koffi.errno()}`);
  const size = Buffer.alloc(4);
  size.writeInt32LE(RECEIVE_BUFFER_BYTES);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, size, 4);
  // struct sockaddr_ll
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(ETH_P_ALL, 2);
  address.writeInt32LE(index, 4);
  if (Number(bind(fd, address, address.length)) !== 0) {
    throw new Error(`packet socket on ${interfaceName}: errno ${koffi.errno()}`);
  }
  return fd;
}

interface Segment {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly isSyn: boolean;
  readonly payload: Buffer;
}

function parseSegment(frame: Buffer): Segment | undefined {
  if (frame.length < 54 || frame.readUInt16BE(12) !== ETHERTYPE_IPV4) return undefined;
  const packet = frame.subarray(14);
  if (packet.readUInt8(9) !== PROTOCOL_TCP) return undefined;
  const headerLength = (packet.readUInt8(0) & 15) * 4;
  // 0 where segmentation offload leaves the length to the driver.
  const totalLength = packet.readUInt16BE(2) || packet.length;
  const segment = packet.subarray(headerLength, totalLength);
  const flags = segment.readUInt8(13);
  return {
    source: packet.subarray(12, 16).join("."),
    destination: packet.subarray(16, 20).join("."),
    sourcePort: segment.readUInt16BE(0),
    destinationPort: segment.readUInt16BE(2),
    sequence: segment.readUInt32BE(4),
    isSyn: (flags & 2) !== 0,
    payload: segment.subarray((segment.readUInt8(12) >> 4) * 4),
  };
}
