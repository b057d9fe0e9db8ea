import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isInputError } from "../../src/core/errors.ts";
import { checkSocketFile, defaultFolders, defaultSockets, socketPathFor } from "../../src/shell/socket-path.ts";
import { temporaryFolder } from "./support.ts";

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

function messageOf(result: unknown): string {
  return isInputError(result) ? result.message : `no mistake: ${String(result)}`;
}

describe("the default folder", () => {
  const environment = () => ({ XDG_RUNTIME_DIR: folder.path });
  const own = () => join(folder.path, "faultproxy");

  test("is made in the runtime folder, for this user only", () => {
    const old = process.umask(0o277);
    try {
      expect(socketPathFor(undefined, 8888, environment())).toBe(join(own(), "8888.sock"));
    } finally {
      process.umask(old);
    }
    expect(lstatSync(own()).mode & 0o777).toBe(0o700);
    expect(socketPathFor(undefined, 8889, environment())).toBe(join(own(), "8889.sock"));
  });

  test.each([
    ["not set", {}],
    ["relative", { XDG_RUNTIME_DIR: "run" }],
    ["missing", { XDG_RUNTIME_DIR: "/nonexistent/run" }],
  ])("is the user's own under the temporary folder where XDG_RUNTIME_DIR is %s", (_, without) => {
    expect(defaultFolders(without)).toEqual([expect.stringMatching(new RegExp(`/faultproxy-${process.getuid?.()}$`))]);
  });

  test.each(["0750", "0701", "0777"])("is refused with mode %s", (mode) => {
    mkdirSync(own());
    chmodSync(own(), Number.parseInt(mode, 8));
    expect(messageOf(socketPathFor(undefined, 1, environment()))).toContain(`is open to others (mode ${mode}); chmod 700 it`);
    expect(defaultSockets(environment()).filter((path) => path.startsWith(folder.path))).toEqual([]);
  });

  test("is refused where it is a symbolic link", () => {
    mkdirSync(join(folder.path, "real"), { mode: 0o700 });
    symlinkSync(join(folder.path, "real"), own());
    expect(messageOf(socketPathFor(undefined, 1, environment()))).toContain("is a symbolic link");
  });

  test("is refused where it is a file", () => {
    writeFileSync(own(), "");
    expect(messageOf(socketPathFor(undefined, 1, environment()))).toContain("is not a folder");
  });

  test.skipIf(!isRoot)("is refused where it belongs to another user, also by root", () => {
    mkdirSync(own(), { mode: 0o700 });
    chownSync(own(), NOBODY, NOBODY);
    expect(messageOf(socketPathFor(undefined, 1, environment()))).toContain(`belongs to another user (uid ${NOBODY})`);
  });
});

test.skipIf(!isRoot)("a runtime folder of another user's is refused, and not written to", () => {
  chownSync(folder.path, NOBODY, NOBODY);
  expect(messageOf(socketPathFor(undefined, 1, { XDG_RUNTIME_DIR: folder.path }))).toContain(`belongs to another user (uid ${NOBODY})`);
  expect(readdirSync(folder.path)).toEqual([]);
});

describe("an explicit path", () => {
  test("stands in any folder of the user", () => {
    const path = join(folder.path, "x.sock");
    expect(socketPathFor(path, 1, {})).toBe(path);
  });

  test("may stand in a sticky folder that all can write to, and in none that is not sticky", () => {
    chmodSync(folder.path, 0o1777);
    expect(socketPathFor(join(folder.path, "x.sock"), 1, {})).toBe(join(folder.path, "x.sock"));
    chmodSync(folder.path, 0o777);
    expect(messageOf(socketPathFor(join(folder.path, "x.sock"), 1, {}))).toContain("anyone can replace files");
  });

  test("needs its folder to be there", () => {
    expect(messageOf(socketPathFor(join(folder.path, "none/x.sock"), 1, {}))).toContain("does not exist; make it");
  });

  test.skipIf(!isRoot)("is refused in another user's folder", () => {
    chownSync(folder.path, NOBODY, NOBODY);
    expect(messageOf(socketPathFor(join(folder.path, "x.sock"), 1, {}))).toContain(`belongs to another user (uid ${NOBODY})`);
  });

  test.skipIf(process.platform !== "linux")("has at most 107 bytes, counted as bytes", () => {
    const room = 107 - Buffer.byteLength(folder.path) - 1;
    expect(messageOf(socketPathFor(join(folder.path, "x".repeat(room)), 1, {}))).toStartWith("no mistake");
    expect(messageOf(socketPathFor(join(folder.path, "x".repeat(room + 1)), 1, {}))).toContain("has at most 107 bytes");
    expect(messageOf(socketPathFor(join(folder.path, "é".repeat(room / 2 + 1)), 1, {}))).toContain("has at most 107 bytes");
  });
});

describe("what stands at the path", () => {
  test("nothing", () => {
    expect(checkSocketFile(join(folder.path, "none"))).toBe("none");
  });

  test.each<[string, (path: string) => void]>([
    ["a file", (path) => writeFileSync(path, "precious")],
    ["a folder", (path) => mkdirSync(path)],
    ["a symbolic link", (path) => symlinkSync("/nonexistent", path)],
  ])("%s is refused and left alone", (_, make) => {
    const path = join(folder.path, "x.sock");
    make(path);
    expect(messageOf(checkSocketFile(path))).toContain("is not a socket, and is left as it is");
    expect(lstatSync(path)).toBeDefined();
  });

  test.skipIf(!isRoot)("another user's socket is refused", () => {
    const path = join(folder.path, "x.sock");
    const listener = Bun.listen({ unix: path, socket: { data() {} } });
    chownSync(path, NOBODY, NOBODY);
    expect(messageOf(checkSocketFile(path))).toContain(`belongs to another user (uid ${NOBODY})`);
    listener.stop(true);
  });
});
