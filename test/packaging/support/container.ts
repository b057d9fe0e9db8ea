import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { BINARY } from "../../e2e/support/daemon.ts";
import { PACKAGING, type Ran, run } from "./run.ts";

/** A machine that has this one's /usr and nothing else, with the units installed. */
export type Container = {
  /** A path inside as a path outside. */
  readonly path: (inside: string) => string;
  /** The units and the preset of the packages, with the built binary as their program. */
  readonly installUnits: () => void;
  /**
   * Boots it, runs a shell script as root, and powers it off: what the script wrote, both streams joined. Where it may write to /usr, what it
   * wrote there is gone afterwards.
   */
  readonly boot: (script: string, mayWriteToUsr?: boolean) => string;
};

const PROBE = `[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/bash -c "/bin/bash /probe > /probe.out 2>&1"
ExecStopPost=/bin/systemctl --force --force poweroff
`;

/** Needs root's rights and a kernel that lets a second systemd run. */
export function canBoot(folder: string): boolean {
  if (process.getuid?.() !== 0 || Bun.which("systemd-nspawn") === null) return false;
  return createContainer(folder).boot("echo booted").includes("booted");
}

export function createContainer(root: string): Container {
  const path = (inside: string) => join(root, inside);
  const write = (inside: string, text: string, mode = 0o644) => {
    mkdirSync(dirname(path(inside)), { recursive: true });
    writeFileSync(path(inside), text, { mode });
  };
  for (const name of ["usr", "var", "run", "proc", "sys", "dev", "tmp", "root", "home", "opt", "etc"])
    mkdirSync(path(name), { recursive: true });
  for (const name of ["bin", "sbin", "lib", "lib64"]) if (!existsSync(path(name))) symlinkSync(`usr/${name}`, path(name));
  for (const name of ["/etc/os-release", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf"])
    cpSync(name, path(name), { dereference: true });
  write("/etc/hosts", "127.0.0.1 localhost\n");
  // Without one, the first boot asks its user for a keyboard.
  write("/etc/machine-id", `${"0123456789abcdef".repeat(2)}\n`);
  write("/etc/systemd/system/probe.service", PROBE);
  copyFileSync(BINARY, path("/opt/faultproxy"));
  chmodSync(path("/opt/faultproxy"), 0o755);
  if (!existsSync(path("/opt/faultctl"))) symlinkSync("faultproxy", path("/opt/faultctl"));
  return {
    path,
    installUnits() {
      for (const unit of ["faultproxy.service", "faultproxy.socket"])
        write(`/etc/systemd/system/${unit}`, readFileSync(join(PACKAGING, "systemd", unit), "utf8").replaceAll("/usr/bin/", "/opt/"));
      write("/etc/systemd/system-preset/80-faultproxy.preset", readFileSync(join(PACKAGING, "systemd/80-faultproxy.preset"), "utf8"));
      write("/etc/systemd/system-preset/99-default-disable.preset", "disable *\n");
      mkdirSync(path("/etc/xdg/faultproxy"), { recursive: true, mode: 0o700 });
      write("/etc/xdg/faultproxy/config.toml", "simulate = true\n", 0o600);
    },
    boot(script, mayWriteToUsr = false) {
      write("/probe", script);
      write("/probe.out", "");
      const ran = nspawn(root, mayWriteToUsr);
      const written = readFileSync(path("/probe.out"), "utf8");
      if (ran.code !== 0 && written === "") process.stderr.write(`no container: ${ran.err}${ran.out}\n`);
      return written;
    },
  };
}

/** With no network but its own loopback, and no trace in the machine's service manager. */
function nspawn(root: string, mayWriteToUsr: boolean): Ran {
  return run(
    [
      "systemd-nspawn",
      "--quiet",
      "--register=no",
      "--keep-unit",
      "--private-network",
      mayWriteToUsr ? "--overlay=/usr::/usr" : "--bind-ro=/usr",
      "--console=read-only",
      `--directory=${root}`,
      "--boot",
      "--",
      "--unit=probe.service",
      "--log-target=journal",
    ],
    { environment: { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1" }, timeoutMs: 60_000 },
  );
}
