import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { type InputError, inputError, isInputError } from "../../core/errors.ts";
import { codeOf } from "../../shell/socket-path.ts";

/** A file to write, in a folder that is there and the user's own. */
export type Place = {
  /** As it was named. */
  readonly path: string;
  /** Without links in its folder. */
  readonly realPath: string;
  /** Undefined: there is none yet. */
  readonly mode: number | undefined;
};

/** Finds that a file may be written there: nobody else's folder, and no link that leads elsewhere. Makes the folder where it is missing. */
export function placeFor(path: string, uid: number, folderMode: number): Place | InputError {
  const folder = dirname(path);
  try {
    mkdirSync(folder, { recursive: true, mode: folderMode });
    const realFolder = realpathSync(folder);
    const mistake = folderMistake(folder, statSync(realFolder), uid);
    if (mistake !== undefined) return inputError(mistake);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink()) return inputError(`${path} is a link, and is left as it is; remove it, or name the file that it leads to`);
    if (stats?.isDirectory()) {
      return inputError(`${path} is a folder, as is made where a container mounts a file that is not there; remove it: rmdir ${path}`);
    }
    if (stats !== undefined && !stats.isFile()) return inputError(`${path} is not a regular file, and is left as it is`);
    return { path, realPath: join(realFolder, basename(path)), mode: stats === undefined ? undefined : stats.mode & 0o777 };
  } catch (error) {
    return inputError(`${path} cannot be written (${codeOf(error)}); is its folder yours?`);
  }
}

function folderMistake(folder: string, stats: Stats, uid: number): string | undefined {
  if (process.getuid === undefined) return undefined;
  if (stats.uid !== uid) return `the folder ${folder} belongs to another user (uid ${stats.uid}); run this as that user, without sudo`;
  const isOpen = (stats.mode & 0o002) !== 0 && (stats.mode & 0o1000) === 0;
  return isOpen ? `anyone can replace files in ${folder}; take that away with: chmod o-w ${folder}` : undefined;
}

/** Puts a whole new file in the place of the old one: a reader finds one or the other, and a crash leaves one or the other. */
export function replaceFile({ path, realPath }: Place, text: string, mode: number): InputError | undefined {
  const temporary = join(dirname(realPath), `.${basename(realPath)}.${crypto.randomUUID()}`);
  let isThere = false;
  try {
    const file = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    isThere = true;
    try {
      writeFileSync(file, text);
      fchmodSync(file, mode);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, realPath);
    isThere = false;
    syncFolder(dirname(realPath));
    return undefined;
  } catch (error) {
    return inputError(`${path} cannot be written (${codeOf(error)}); what was there is as it was`);
  } finally {
    if (isThere) remove(temporary);
  }
}

/** Gives a file that is there its mode. */
export function changeMode({ path, realPath, mode: before }: Place, mode: number): InputError | undefined {
  if (before === undefined || before === mode) return undefined;
  try {
    const file = openSync(realPath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      fchmodSync(file, mode);
    } finally {
      closeSync(file);
    }
    return undefined;
  } catch (error) {
    return inputError(`${path} can be read by others, and that cannot be changed (${codeOf(error)}); chmod 600 ${path}`);
  }
}

export function removeFile(path: string): "removed" | "absent" | InputError {
  try {
    unlinkSync(path);
    return "removed";
  } catch (error) {
    const code = codeOf(error);
    return code === "ENOENT" || code === "ENOTDIR" ? "absent" : inputError(`${path} cannot be removed (${code})`);
  }
}

/** The new name is on the disk too; some file systems cannot say so of a folder. */
function syncFolder(folder: string): void {
  try {
    const file = openSync(folder, constants.O_RDONLY);
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch {}
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {}
}

/** Writes a file that is no secret where it does not stand already. */
export function putFile(path: string, text: string, uid: number): "written" | "same" | InputError {
  const place = placeFor(path, uid, 0o755);
  if (isInputError(place)) return place;
  if (place.mode !== undefined && readIfThere(place.realPath) === text) return "same";
  return replaceFile(place, text, 0o644) ?? "written";
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
