/**
 * What a header's name is to those who read it loosely: servers that hand headers on as variables (CGI, WSGI, PHP)
 * make one of `x-role`, `x_role` and `x.role`. So policy reads them as one header, and what is taken away is taken
 * away under each of its names. Pure.
 */

/** Lower case in, lower case out. */
export function foldName(name: string): string {
  return name.includes("_") || name.includes(".") ? name.replaceAll(/[_.]/g, "-") : name;
}
