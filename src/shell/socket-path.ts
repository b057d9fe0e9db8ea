import { chmodSync, lstatSync, mkdirSync, readdirSync, type Stats, statSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { type InputError, inputError, isInputError } from "../core/errors.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Of `sun_path`, without its final NUL: Linux has 108 bytes, macOS 104. */
const SOCKET_PATH_BYTES_MAX = process.platform === "darwin" ? 103 : 107;

/** Where sockets are that were not told a path: in the session's runtime folder, else in the user's own under the temporary one. */
export function defaultFolders(environment: Environment): readonly [string, ...string[]] {
  const temporary = join(tmpdir(), `faultproxy-${process.getuid?.() ?? userInfo().username}`);
  const runtime = environment.XDG_RUNTIME_DIR;
  if (runtime === undefined || !isAbsolute(runtime) || statOf(runtime, statSync)?.isDirectory() !== true) return [temporary];
  return [join(runtime, "faultproxy"), temporary];
}

/** A daemon is found by its port; where others may have the same one, or it has none, its file has its process id too. */
export function socketName(port: number, isShared: boolean, pid: number): string {
  return isShared || port === 0 ? `${port}-${pid}` : String(port);
}

/** The path of the socket to open, its folder made and found safe. */
export function socketPathFor(explicit: string | undefined, name: string | number, environment: Environment): string | InputError {
  if (explicit !== undefined) {
    const path = resolve(explicit);
    return checkLength(path) ?? checkParentFolder(dirname(path)) ?? path;
  }
  const [folder] = defaultFolders(environment);
  const path = join(folder, `${name}.sock`);
  const mistake = checkLength(path) ?? checkParentFolder(dirname(folder)) ?? makeDefaultFolder(folder) ?? checkDefaultFolder(folder);
  return mistake ?? path;
}

/** Where the packaged service has its socket. */
const SERVICE_SOCKET = "/run/faultproxy/control.sock";

/** Every socket file in the default folders that are safe to look into, and the service's, for whoever may use it. */
export function defaultSockets(environment: Environment): readonly string[] {
  const isService = isSafeFolder(dirname(SERVICE_SOCKET)) && statOf(SERVICE_SOCKET, lstatSync) !== undefined;
  return [...ownSockets(environment), ...(isService ? [SERVICE_SOCKET] : [])];
}

function isSafeFolder(folder: string): boolean {
  return statOf(folder, lstatSync) !== undefined && !isInputError(checkParentFolder(dirname(folder)) ?? checkDefaultFolder(folder));
}

function ownSockets(environment: Environment): readonly string[] {
  return defaultFolders(environment).flatMap((folder) => {
    if (!isSafeFolder(folder)) return [];
    const names = readdirSync(folder).filter((name) => /^\d+(-\d+)?\.sock$/.test(name));
    return names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)).map((name) => join(folder, name));
  });
}

/** The default sockets of one port. */
export function defaultSocketsOf(port: number, environment: Environment): readonly string[] {
  return ownSockets(environment).filter((path) => Number.parseInt(basename(path), 10) === port);
}

export type SocketFile = "none" | "socket";

/** What stands at the path: nothing, or a socket that may be spoken to. Everything else is refused and left alone. */
export function checkSocketFile(path: string): SocketFile | InputError {
  let stats: Stats;
  try {
    stats = lstatSync(path);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return "none";
    return inputError(`cannot look at the control socket ${path} (${code})`);
  }
  if (!stats.isSocket()) return inputError(`${path} is not a socket, and is left as it is; choose another path with --socket`);
  if (!isOursOrRoots(stats))
    return inputError(`the control socket ${path} belongs to another user (uid ${stats.uid}); choose another path with --socket`);
  return "socket";
}

function checkLength(path: string): InputError | undefined {
  const bytes = Buffer.byteLength(path);
  if (bytes <= SOCKET_PATH_BYTES_MAX) return undefined;
  return inputError(
    `the path of a socket has at most ${SOCKET_PATH_BYTES_MAX} bytes, ${path} has ${bytes}; choose a shorter one with --socket`,
  );
}

function makeDefaultFolder(folder: string): InputError | undefined {
  try {
    mkdirSync(folder, { mode: 0o700 });
    // The umask may have taken the owner's rights too.
    chmodSync(folder, 0o700);
  } catch (error) {
    const code = codeOf(error);
    if (code !== "EEXIST")
      return inputError(`cannot make the folder ${folder} for the control socket (${code}); choose a path with --socket`);
  }
  return undefined;
}

/** Whoever can write to the folder can put a socket of their own in place of ours. */
function checkDefaultFolder(folder: string): InputError | undefined {
  const choose = "; remove it, or choose a path with --socket";
  const stats = statOf(folder, lstatSync);
  if (stats === undefined) return inputError(`cannot look at the folder ${folder}${choose}`);
  if (stats.isSymbolicLink()) return inputError(`the folder ${folder} for the control socket is a symbolic link${choose}`);
  if (!stats.isDirectory()) return inputError(`${folder}, the folder for the control socket, is not a folder${choose}`);
  if (process.getuid === undefined) return undefined;
  if (stats.uid !== process.getuid())
    return inputError(`the folder ${folder} for the control socket belongs to another user (uid ${stats.uid})${choose}`);
  if ((stats.mode & 0o077) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, "0");
    return inputError(
      `the folder ${folder} for the control socket is open to others (mode ${mode}); chmod 700 it, or choose a path with --socket`,
    );
  }
  return undefined;
}

function checkParentFolder(folder: string): InputError | undefined {
  const stats = statOf(folder, statSync);
  if (stats === undefined)
    return inputError(`the folder ${folder} for the control socket does not exist; make it, or choose another path with --socket`);
  if (!stats.isDirectory()) return inputError(`${folder} is not a folder; choose another path with --socket`);
  if (process.getuid === undefined) return undefined;
  if (!isOursOrRoots(stats))
    return inputError(
      `the folder ${folder} belongs to another user (uid ${stats.uid}), who could replace the control socket; choose another with --socket`,
    );
  if ((stats.mode & 0o002) !== 0 && (stats.mode & 0o1000) === 0) {
    return inputError(`anyone can replace files in ${folder} (it is writable by all and not sticky); choose another folder with --socket`);
  }
  return undefined;
}

function isOursOrRoots(stats: Stats): boolean {
  return process.getuid === undefined || stats.uid === process.getuid() || stats.uid === 0;
}

function statOf(path: string, stat: (path: string) => Stats): Stats | undefined {
  try {
    return stat(path);
  } catch {
    return undefined;
  }
}

export function codeOf(error: unknown): string {
  if (typeof error === "object" && error !== null && "code" in error) return String(error.code);
  return error instanceof Error ? error.message : "unknown error";
}
