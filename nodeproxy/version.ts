/** The version of this program, as it tells the operator and its metrics; that of package.json (a test says so). */
export const VERSION = "0.1.0";
