/** A certificate's serial number as text: hex, lower case, without the octet that only keeps DER's INTEGER positive. */
export function formatSerial(serial: Uint8Array): string {
  const isPadded = serial.length > 1 && serial[0] === 0;
  return Buffer.from(serial.subarray(isPadded ? 1 : 0)).toString("hex");
}
