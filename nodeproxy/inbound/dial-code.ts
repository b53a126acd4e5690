/** Kernel's word for a failed connect, as a code of ours. */
export function codeOf(code = ""): string {
  switch (code) {
    case "ECONNREFUSED":
      return "connect_refused";
    case "ETIMEDOUT":
      return "connect_timeout";
    case "EMFILE":
    case "ENFILE":
      return "too_many_descriptors";
    default:
      return "connect_failed";
  }
}
