/**
 * One message with open descriptors beside it over an AF_UNIX SEQPACKET socket: sendmsg(2) and
 * recvmsg(2) with SCM_RIGHTS. Never blocks, never keeps a descriptor.
 */
import { addressOf, checked, lastErrno, libc, SysError } from "./libc.ts";

/** SCM_MAX_FD of the kernel. */
const MAX_DESCRIPTORS = 253;
const MAX_PAYLOAD_BYTES = 4096;

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_PEEK = 0x2;
const MSG_TRUNC = 0x20;
const MSG_CTRUNC = 0x8;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const CONTROL_HEADER_BYTES = 16;

// struct msghdr: name*, namelen, iov*, iovlen, control*, controllen, flags: 56 bytes on 64-bit Linux.
const header = Buffer.alloc(56);
const vector = Buffer.alloc(16);
const payload = Buffer.alloc(MAX_PAYLOAD_BYTES);
const control = Buffer.alloc(CONTROL_HEADER_BYTES + 4 * MAX_DESCRIPTORS + 4);

vector.writeBigUInt64LE(addressOf(payload), 0);
header.writeBigUInt64LE(addressOf(vector), 16);
header.writeBigUInt64LE(1n, 24);

export interface DescriptorMessage {
  readonly payload: Buffer;
  /** The receiver owns them. */
  readonly descriptors: readonly number[];
}

/**
 * The kernel duplicates the descriptors: the sender may close its own at once.
 * Throws `SysError` EAGAIN where the socket's buffer is full and EPIPE where the other side is gone.
 */
export function sendDescriptors(fd: number, message: DescriptorMessage): void {
  const { descriptors } = message;
  if (descriptors.length > MAX_DESCRIPTORS) throw new RangeError("too many descriptors");
  if (message.payload.length > MAX_PAYLOAD_BYTES) throw new RangeError("payload too long");
  message.payload.copy(payload);
  vector.writeBigUInt64LE(BigInt(message.payload.length), 8);
  const controlBytes = CONTROL_HEADER_BYTES + 4 * descriptors.length;
  control.fill(0);
  control.writeBigUInt64LE(BigInt(controlBytes), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  for (const [i, descriptor] of descriptors.entries()) {
    control.writeInt32LE(descriptor, CONTROL_HEADER_BYTES + 4 * i);
  }
  // CMSG_SPACE: rounded up to 8.
  pointAtControl(descriptors.length === 0 ? 0 : (controlBytes + 7) & ~7);
  checked(libc.sendmsg(fd, header, MSG_DONTWAIT | MSG_NOSIGNAL), "sendmsg");
}

/** `undefined` where no message waits, or the other side is gone. `peek` leaves it in the queue and gives duplicates. */
export function receiveDescriptors(fd: number, peek: boolean): DescriptorMessage | undefined {
  vector.writeBigUInt64LE(BigInt(MAX_PAYLOAD_BYTES), 8);
  pointAtControl(control.length);
  const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC | (peek ? MSG_PEEK : 0);
  const length = libc.recvmsg(fd, header, flags);
  if (length === 0) return undefined;
  if (length < 0) {
    const error = new SysError("recvmsg", lastErrno());
    if (error.code === "EAGAIN" || error.code === "ECONNRESET") return undefined;
    throw error;
  }
  checkWhole();
  return { payload: Buffer.from(payload.subarray(0, length)), descriptors: readControl() };
}

function pointAtControl(length: number): void {
  header.writeBigUInt64LE(length === 0 ? 0n : addressOf(control), 32);
  header.writeBigUInt64LE(BigInt(length), 40);
  header.writeInt32LE(0, 48);
}

function checkWhole(): void {
  const flags = header.readInt32LE(48);
  // The buffers take the largest message this module sends; only RLIMIT_NOFILE can cut descriptors off.
  if ((flags & MSG_CTRUNC) !== 0)
    throw new Error("descriptors were lost: the open file limit is too low");
  if ((flags & MSG_TRUNC) !== 0) throw new Error("a message beside descriptors was too long");
}

function readControl(): readonly number[] {
  if (header.readBigUInt64LE(40) < BigInt(CONTROL_HEADER_BYTES)) return [];
  const isRights = control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS;
  if (!isRights) return [];
  const bytes = Number(control.readBigUInt64LE(0)) - CONTROL_HEADER_BYTES;
  return Array.from({ length: bytes / 4 }, (_, i) =>
    control.readInt32LE(CONTROL_HEADER_BYTES + 4 * i),
  );
}
