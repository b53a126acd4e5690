/** What a connect that failed is called in the log and the metric, by the kernel's word for it. */
export function dialCode(code: unknown): string {
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
