import { beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import packageFile from "../../package.json";
import type { Status } from "../../src/shell/status.ts";
import { CLEAN_ENVIRONMENT } from "../e2e/support/daemon.ts";
import { LICENCES } from "./support/contents.ts";
import { answersRequests } from "./support/program.ts";
import { BUILD_MS_MAX, describeWith, output, ROOT, run, sha256, temporaryFolder } from "./support/run.ts";

const folder = temporaryFolder("npm");
const elsewhere = temporaryFolder("npm-alone");
const PACKAGES = join(ROOT, "dist/npm");
/** Neither the registry nor the user's own settings. */
const environment = {
  npm_config_cache: join(folder, ".cache"),
  npm_config_userconfig: join(folder, ".npmrc"),
  XDG_RUNTIME_DIR: folder,
  TMPDIR: folder,
};
const npx = (...words: readonly string[]) => run(["npx", "--offline", ...words], { directory: folder, environment });
const PROGRAM = join(folder, "node_modules/.bin/faultproxy");

describeWith(["npm", "npx", "node"], "the npm packages", () => {
  beforeAll(() => {
    output(["make", "npm"]);
    const [own = ""] = readdirSync(join(PACKAGES, "@faultproxy"));
    const archives = [join(PACKAGES, "faultproxy"), join(PACKAGES, "@faultproxy", own)].map(
      (path) => `./${output(["npm", "pack", "--silent", "--pack-destination", folder, path], { environment }).trim()}`,
    );
    writeFileSync(join(folder, "package.json"), "{}");
    output(["npm", "install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", ...archives], { directory: folder, environment });
  }, BUILD_MS_MAX);

  test("run the program, by both its names", () => {
    expect(npx("faultproxy", "version")).toMatchObject({ code: 0, out: expect.stringContaining(`faultproxy ${packageFile.version}\n`) });
    expect(npx("faultctl", "--help")).toMatchObject({ code: 0, out: expect.stringContaining("Usage: faultproxy ctl ") });
  }, 30_000);

  test("have a README that leads nowhere the package does not", () => {
    const readme = readFileSync(join(folder, "node_modules/faultproxy/README.md"), "utf8");
    expect(readme).toContain("docs/backends.md");
    expect([...readme.matchAll(/\]\((?!https?:|#)[^)]*\)/g)].map(([link]) => link)).toEqual([]);
  });

  test("hold the licences of what is in the binary", () => {
    const [own = ""] = readdirSync(join(folder, "node_modules/@faultproxy"));
    const files = readdirSync(join(folder, "node_modules/@faultproxy", own)).sort();
    expect(files).toEqual(["LICENSE", ...LICENCES, "THIRD-PARTY.md", "bin", "package.json"]);
  });

  test("hold the very binary that was built", async () => {
    const [own = ""] = readdirSync(join(folder, "node_modules/@faultproxy"));
    const [there, built] = [join(folder, "node_modules"), PACKAGES].map((base) =>
      readFileSync(join(base, "@faultproxy", own, "bin/faultproxy")),
    );
    expect(sha256(there ?? new Uint8Array())).toBe(sha256(built ?? new Uint8Array()));
    await answersRequests(PROGRAM);
  });

  test.each([
    [["nonsense"], 2],
    [["ctl", "status"], 3],
    [["run", "--", "sh", "-c", "exit 42"], 42],
  ])("%j ends with the program's own code", (words, code) => {
    expect(run([PROGRAM, ...words], { environment }).code).toBe(code);
  });

  test("give the program the streams that they were given", () => {
    const piped = Bun.spawnSync([PROGRAM, "run", "--", "cat"], {
      env: { ...CLEAN_ENVIRONMENT, ...environment },
      stdin: Buffer.from("in and out"),
    });
    expect(piped.stdout.toString()).toBe("in and out");
  });

  const start = async () => {
    const child = Bun.spawn([PROGRAM, "serve", "--simulate", "--port", "0", "--no-stdin", "--log-format", "json"], {
      env: { ...CLEAN_ENVIRONMENT, ...environment },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    const { value } = await child.stdout.getReader().read();
    return { child, status: JSON.parse(new TextDecoder().decode(value)) as Status };
  };

  test("pass a signal on, and wait for the program to end by it", async () => {
    const { child, status } = await start();
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    expect(() => process.kill(status.pid, 0)).toThrow("ESRCH");
  });

  test("end by the signal that the program ended by", async () => {
    const { child, status } = await start();
    process.kill(status.pid, "SIGKILL");
    await child.exited;
    expect(child.signalCode).toBe("SIGKILL");
  });

  test("say what is missing where npm left the binary out", () => {
    const alone = join(elsewhere, "alone");
    output(["cp", "-r", join(PACKAGES, "faultproxy"), alone]);
    const { code, err } = run(["node", join(alone, "bin/faultproxy.js"), "version"]);
    expect([code, err]).toEqual([1, expect.stringMatching(/^faultproxy: error: the package @faultproxy\/\S+ is not there\. /)]);
  });
});
