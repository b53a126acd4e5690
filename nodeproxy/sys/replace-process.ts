/** Becoming another program: execve(2), with which the keeper turns into its small loop. */
import { lastErrno, libc, SysError } from "./libc.ts";

export interface Program {
  /** Absolute path. */
  readonly path: string;
  /** The first is the program's own name. */
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Returns only by throwing. Descriptors without close-on-exec stay open; nothing of Node is closed or flushed. */
export function replaceProcess({ path, args, environment }: Program): never {
  const variables = Object.entries(environment).flatMap(([name, text]) =>
    text === undefined ? [] : [`${name}=${text}`],
  );
  libc.execve(path, [...args, null], [...variables, null]);
  throw new SysError(`execve ${path}`, lastErrno());
}
