/** Builds dist/faultproxy for this machine; with `--all`, the release files for every platform into dist/release. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import packageFile from "../package.json" with { type: "json" };
import { extensionOf, fileOf, PLATFORMS, type Platform } from "./platforms.ts";

const ROOT = join(import.meta.dir, "..");
const DIST = join(ROOT, "dist");
const RELEASE = join(DIST, "release");
/** The program, and what it runs in threads of their own. */
const MODULES = ["src/main.ts", "src/shell/cost/records-worker.ts"];
/** Runtimes of other platforms, kept between builds. */
const RUNTIMES = join(ROOT, "node_modules", ".cache", "faultproxy-runtimes");

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function run(command: readonly string[], directory: string): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd: directory });
  if (exitCode === 0) return stdout.toString().trim();
  throw new Error(`${command.slice(0, 3).join(" ")} … ended with ${exitCode}\n${stderr}${stdout}`);
}

/** What the program knows about itself. SOURCE_DATE_EPOCH makes the build repeatable (https://reproducible-builds.org). */
function definitions(): readonly string[] {
  const epoch = process.env.SOURCE_DATE_EPOCH;
  const time = epoch === undefined || epoch === "" ? new Date() : new Date(Number(epoch) * 1_000);
  const values = {
    FAULTPROXY_VERSION: packageFile.version,
    FAULTPROXY_COMMIT: process.env.FAULTPROXY_COMMIT ?? commit(),
    FAULTPROXY_BUILD_TIME: time.toISOString().replace(/\.\d+Z$/, "Z"),
  };
  return Object.entries(values).flatMap(([name, value]) => ["--define", `${name}=${JSON.stringify(value)}`]);
}

/** A source archive says it itself: `git archive` writes it into a file. A repository around an unpacked one is another project's. */
function commit(): string {
  const archived = readFileSync(join(import.meta.dir, "commit"), "utf8").trim();
  if (/^[\da-f]{12,}$/.test(archived)) return archived.slice(0, 12);
  try {
    const dirty = run(["git", "status", "--porcelain", "--untracked-files=no"], ROOT) === "" ? "" : "-dirty";
    return run(["git", "rev-parse", "--short=12", "HEAD"], ROOT) + dirty;
  } catch {
    return "";
  }
}

function compile(output: string, more: readonly string[]): void {
  const flags = [
    "--compile",
    "--minify",
    // Names of functions in an unexpected error's message are worth more than their bytes.
    "--keep-names",
    "--bytecode",
    "--format=esm",
    "--sourcemap=none",
    // A .env or bunfig.toml in the directory where it is started belongs to another program.
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
  ];
  run([process.execPath, "build", ...flags, ...definitions(), ...more, ...MODULES, "--outfile", output], ROOT);
}

function buildHere(): void {
  mkdirSync(DIST, { recursive: true });
  const file = process.platform === "win32" ? "faultproxy.exe" : "faultproxy";
  // Into place in one step: a daemon may be running from the old file. The name goes into the program, so it is the last one already.
  const unfinished = join(DIST, `.unfinished-${process.pid}`);
  compile(join(unfinished, file), []);
  renameSync(join(unfinished, file), join(DIST, file));
  rmSync(unfinished, { recursive: true });
  if (process.platform !== "win32") {
    rmSync(join(DIST, "faultctl"), { force: true });
    symlinkSync(file, join(DIST, "faultctl"));
  }
  say(`dist/${file}`);
}

/** The runtime of a platform, from the npm registry, in the version that builds. */
function runtimeOf({ runtime, file, name }: Platform): string {
  const kept = join(RUNTIMES, `${name}-${Bun.version}${extensionOf(file)}`);
  if (existsSync(kept)) return kept;
  const folder = join(RUNTIMES, `unpack-${name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const archive =
    run(["npm", "pack", "--silent", "--pack-destination", folder, `${runtime}@${Bun.version}`], folder)
      .split("\n")
      .at(-1) ?? "";
  run(["tar", "-xzf", archive, "-C", folder], folder);
  copyFileSync(join(folder, "package", file), `${kept}.part`);
  chmodSync(`${kept}.part`, 0o755);
  renameSync(`${kept}.part`, kept);
  rmSync(folder, { recursive: true });
  return kept;
}

/** What belongs to the program beside itself, for packages that are made from the release's files: manual pages and completions. */
function packShare(): void {
  for (const script of ["man", "completions"]) run([process.execPath, `packaging/${script}.ts`], ROOT);
  const file = `faultproxy-${packageFile.version}-share.tar.gz`;
  const time = process.env.SOURCE_DATE_EPOCH || "0";
  const sameEverywhere = ["--sort=name", `--mtime=@${time}`, "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX"];
  run(["tar", "--format=gnu", ...sameEverywhere, "-I", "gzip -9n", "-cf", join(RELEASE, file), "man", "completions"], DIST);
  say(`dist/release/${file}`);
}

function buildAll(): void {
  rmSync(RELEASE, { recursive: true, force: true });
  mkdirSync(RELEASE, { recursive: true });
  for (const platform of PLATFORMS) {
    const file = fileOf(platform, packageFile.version);
    compile(join(RELEASE, file), [`--target=${platform.target}`, "--compile-executable-path", runtimeOf(platform)]);
    say(`dist/release/${file}`);
  }
  packShare();
  const sums = readdirSync(RELEASE)
    .sort()
    .map((file) => `${new Bun.CryptoHasher("sha256").update(readFileSync(join(RELEASE, file))).digest("hex")}  ${file}\n`);
  writeFileSync(join(RELEASE, "SHA256SUMS"), sums.join(""));
  say("dist/release/SHA256SUMS");
}

try {
  if (process.argv.includes("--all")) buildAll();
  else buildHere();
} catch (error) {
  process.stderr.write(`build: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
