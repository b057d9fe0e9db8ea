/** Writes what the packages are built from into dist/source: the sources at HEAD, and the npm packages that a build without a network needs. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import packageFile from "../package.json" with { type: "json" };

const ROOT = join(import.meta.dir, "..");
const FOLDER = join(ROOT, "dist/source");
const NAME = `faultproxy-${packageFile.version}`;

/** Of the runtime's package the program alone: the rest installs it, or is a second name for it. */
const VENDORED = ["bun/package.json", "bun/bin/bun.exe", ...Object.keys(packageFile.dependencies)];

function run(command: readonly string[]): Uint8Array {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd: ROOT });
  if (exitCode !== 0) throw new Error(`${command.slice(0, 2).join(" ")} … ended with ${exitCode}\n${stderr}`);
  return stdout;
}

/** The same bytes for the same content, on every machine. */
function writeArchive(name: string, tar: Uint8Array<ArrayBuffer>): void {
  writeFileSync(join(FOLDER, name), Bun.gzipSync(tar, { level: 6 }));
  process.stdout.write(`dist/source/${name}\n`);
}

try {
  for (const file of VENDORED) {
    if (!existsSync(join(ROOT, "node_modules", file))) throw new Error(`node_modules/${file} is missing: run make first`);
  }
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const time = new TextDecoder().decode(run(["git", "log", "-1", "--format=%ct"])).trim();
  writeArchive(`${NAME}.tar.gz`, run(["git", "archive", "--format=tar", `--prefix=${NAME}/`, "HEAD"]) as Uint8Array<ArrayBuffer>);
  const sameEverywhere = [
    "--sort=name",
    `--mtime=@${time}`,
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    "--mode=u=rwX,go=rX",
    "--hard-dereference",
  ];
  const vendored = VENDORED.map((file) => `node_modules/${file}`);
  writeArchive(
    `${NAME}-vendor.tar.gz`,
    run(["tar", "--format=gnu", ...sameEverywhere, "-cf", "-", ...vendored]) as Uint8Array<ArrayBuffer>,
  );
} catch (error) {
  process.stderr.write(`source: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
