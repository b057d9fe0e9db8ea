/**
 * Lays out the npm packages in dist/npm: `faultproxy`, and one with the binary for each platform, of which npm installs the one that fits.
 * For this machine alone from dist/faultproxy; with `--release` for all from dist/release.
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import packageFile from "../package.json" with { type: "json" };
import { extensionOf, fileOf, PLATFORMS, type Platform } from "./platforms.ts";

const ROOT = join(import.meta.dir, "..");
const DIST = join(ROOT, "dist");
const NPM = join(DIST, "npm");
const { version, description, license } = packageFile;
const COMMON = { version, description, license };

function nameOf({ npm: { os, cpu, libc } }: Platform): string {
  return `@faultproxy/${os}-${cpu}${libc === "musl" ? "-musl" : ""}`;
}

function write(folder: string, manifest: object, files: Readonly<Record<string, string>>): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "bin"), { recursive: true });
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const [name, from] of Object.entries(files)) copyFileSync(join(ROOT, from), join(folder, name));
  process.stdout.write(`${folder.slice(ROOT.length + 1)}\n`);
}

function writeProgram(): void {
  const folder = join(NPM, "faultproxy");
  const manifest = {
    name: "faultproxy",
    ...COMMON,
    bin: { faultproxy: "bin/faultproxy.js", faultctl: "bin/faultctl.js" },
    engines: { node: ">=18" },
    optionalDependencies: Object.fromEntries(PLATFORMS.map((platform) => [nameOf(platform), version])),
  };
  write(folder, manifest, { LICENSE: "LICENSE", "bin/run.js": "packaging/npm/run.js" });
  writeFileSync(join(folder, "README.md"), withoutRelativeLinks(readFileSync(join(ROOT, "README.md"), "utf8")));
  for (const name of ["faultproxy", "faultctl"]) {
    const file = join(folder, `bin/${name}.js`);
    writeFileSync(file, `#!/usr/bin/env node\nrequire("./run.js")("${name}");\n`);
    chmodSync(file, 0o755);
  }
}

/** The package does not have the other documents, and there is no address where they lie; their names stay. */
function withoutRelativeLinks(markdown: string): string {
  return markdown.replace(/\[([^\]]*)\]\((?!https?:|#)[^)]*\)/g, "$1");
}

function writePlatform(platform: Platform, binary: string): void {
  if (!existsSync(join(ROOT, binary))) throw new Error(`${binary} is missing; make dist builds it`);
  const { os, cpu, libc } = platform.npm;
  const name = nameOf(platform);
  const manifest = {
    name,
    ...COMMON,
    description: `The binary of faultproxy for ${platform.name}`,
    os: [os],
    cpu: [cpu],
    ...(libc === undefined ? {} : { libc: [libc] }),
    // Package managers that keep packages in archives cannot run a program there.
    preferUnplugged: true,
  };
  const file = `bin/faultproxy${extensionOf(platform.file)}`;
  // What is in the binary says that its licence goes with it.
  const licences = Object.keys(packageFile.dependencies).map((each) => [
    `LICENSE.${each.replace(/^.*\//, "")}`,
    `node_modules/${each}/LICENSE`,
  ]);
  const files = { LICENSE: "LICENSE", "THIRD-PARTY.md": "packaging/THIRD-PARTY.md", ...Object.fromEntries(licences), [file]: binary };
  write(join(NPM, name), manifest, files);
  chmodSync(join(NPM, name, file), 0o755);
}

/** A musl system has no loader of glibc. */
function isHere({ npm: { os, cpu, libc } }: Platform): boolean {
  const isMusl = process.platform === "linux" && !existsSync("/lib64/ld-linux-x86-64.so.2") && !existsSync("/lib/ld-linux-aarch64.so.1");
  return os === process.platform && cpu === process.arch && (libc === "musl") === isMusl;
}

try {
  const all = process.argv.includes("--release");
  rmSync(NPM, { recursive: true, force: true });
  writeProgram();
  for (const platform of PLATFORMS) {
    if (all) writePlatform(platform, `dist/release/${fileOf(platform, version)}`);
    else if (isHere(platform)) writePlatform(platform, `dist/faultproxy${extensionOf(platform.file)}`);
  }
} catch (error) {
  process.stderr.write(`npm: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
