/** The peer's SETTINGS as we heed them, and which of its values are errors (RFC 9113 6.5.2). Unknown ones are ignored. */
import { protocolError } from "./http2-error.ts";
import { CODE, DEFAULT_MAX_FRAME, DEFAULT_WINDOW, MAX_WINDOW, SETTING } from "./protocol.ts";

export interface PeerSettings {
  readonly headerTableSize: number;
  readonly maxConcurrentStreams: number;
  readonly initialWindow: number;
  readonly maxFrame: number;
}

/** Before the peer's first SETTINGS: RFC 9113 6.5.2. */
export const DEFAULT_SETTINGS: PeerSettings = {
  headerTableSize: 4_096,
  maxConcurrentStreams: Infinity,
  initialWindow: DEFAULT_WINDOW,
  maxFrame: DEFAULT_MAX_FRAME,
};
const MAX_MAX_FRAME = (1 << 24) - 1;

/** Throws `Http2Error`. `isOfServer`: it may not ask for pushes, RFC 9113 6.5.2. */
export function applySettings(
  before: PeerSettings,
  payload: Buffer,
  isOfServer: boolean,
): PeerSettings {
  if (payload.length % 6 !== 0) throw protocolError("SETTINGS cut short", CODE.frameSizeError);
  const settings = { ...before };
  for (let at = 0; at < payload.length; at += 6) {
    const id = payload.readUInt16BE(at);
    const value = payload.readUInt32BE(at + 2);
    check(id, value, isOfServer);
    if (id === SETTING.headerTableSize) settings.headerTableSize = value;
    else if (id === SETTING.maxConcurrentStreams) settings.maxConcurrentStreams = value;
    else if (id === SETTING.initialWindowSize) settings.initialWindow = value;
    else if (id === SETTING.maxFrameSize) settings.maxFrame = value;
  }
  return settings;
}

function check(id: number, value: number, isOfServer: boolean): void {
  if (id === SETTING.enablePush && value > (isOfServer ? 0 : 1)) {
    throw protocolError(`ENABLE_PUSH of ${value}`);
  }
  if (id === SETTING.initialWindowSize && value > MAX_WINDOW) {
    throw protocolError("a window too large", CODE.flowControlError);
  }
  if (id === SETTING.maxFrameSize && (value < DEFAULT_MAX_FRAME || value > MAX_MAX_FRAME)) {
    throw protocolError(`MAX_FRAME_SIZE of ${value}`);
  }
}
