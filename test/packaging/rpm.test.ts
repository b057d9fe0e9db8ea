import { beforeAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import packageFile from "../../package.json";
import { canBoot, createContainer } from "./support/container.ts";
import { LICENCES, PACKED_PAGES } from "./support/contents.ts";
import { answersRequests } from "./support/program.ts";
import { BUILD_MS_MAX, describeWith, output, PACKAGING, ROOT, run, sha256, temporaryFolder } from "./support/run.ts";

const VERSION = packageFile.version;
const SPEC = readFileSync(join(PACKAGING, "rpm/faultproxy.spec"), "utf8");
const RPMS = join(ROOT, "dist/rpm");
const MAIN = join(RPMS, `faultproxy-${VERSION}-1.${process.arch === "arm64" ? "aarch64" : "x86_64"}.rpm`);
const POLICY = join(RPMS, `faultproxy-selinux-${VERSION}-1.noarch.rpm`);
const folder = temporaryFolder("rpm");

/** The macros of one tag, such as a scriptlet. */
const tag = (name: string, file = MAIN) => output(["rpm", "-qp", "--qf", `%{${name}}`, file]);

/** Everything in a package, under a folder of its own. */
function unpacked(file: string, name: string): string {
  const into = join(folder, name);
  mkdirSync(into);
  output(["sh", "-c", 'rpm2cpio "$1" | cpio -idm --quiet', "sh", file], { directory: into });
  return into;
}

test("the spec speaks of this version, and of what it is built with", () => {
  expect(SPEC).toContain(`\nVersion:        ${VERSION}\n`);
  const bundled = [...SPEC.matchAll(/^Provides: +bundled\((?:npm\()?([\w@/-]+)\)+ = (.+)$/gm)].map(([, name, version]) => [name, version]);
  expect(bundled).toEqual([["bun", packageFile.devDependencies.bun], ...Object.entries(packageFile.dependencies)]);
});

describeWith(["rpmbuild", "rpmlint", "rpm2cpio", "cpio", "git", "checkmodule", "bzip2"], "the RPM packages", () => {
  let sources: readonly string[] = [];
  const sums = () => readdirSync(join(ROOT, "dist/source")).map((name) => sha256(readFileSync(join(ROOT, "dist/source", name))));

  beforeAll(() => {
    output(["make", "source"]);
    sources = sums();
    output(["make", "rpm", "RPM_FLAGS=--with selinux"]);
  }, BUILD_MS_MAX);

  test("are built from archives that come out the same every time", () => {
    expect(sources).toHaveLength(2);
    expect(sums()).toEqual([...sources]);
  });

  test("hold what they should, as whom and how", () => {
    const listed = output([
      "rpm",
      "-qp",
      "--qf",
      "[%{FILEMODES:perms} %{FILEFLAGS:fflags} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES}\n]",
      MAIN,
    ]);
    const files = listed.split("\n").filter((line) => line !== "" && !/\/usr\/share\/(doc|licenses|man)\//.test(line));
    expect(files.sort()).toEqual([
      "-rw------- cn root:root /etc/xdg/faultproxy/config.toml",
      "-rw-r--r--  root:root /usr/lib/systemd/system-preset/80-faultproxy.preset",
      "-rw-r--r--  root:root /usr/lib/systemd/system/faultproxy.service",
      "-rw-r--r--  root:root /usr/lib/systemd/system/faultproxy.socket",
      "-rw-r--r--  root:root /usr/share/bash-completion/completions/faultproxy",
      "-rw-r--r--  root:root /usr/share/fish/vendor_completions.d/faultproxy.fish",
      "-rw-r--r--  root:root /usr/share/zsh/site-functions/_faultproxy",
      "-rwxr-xr-x  root:root /usr/bin/faultproxy",
      "drwx------  root:root /etc/xdg/faultproxy",
      "lrwxrwxrwx  root:root /usr/bin/faultctl",
      "lrwxrwxrwx  root:root /usr/share/bash-completion/completions/faultctl",
      "lrwxrwxrwx  root:root /usr/share/fish/vendor_completions.d/faultctl.fish",
    ]);
    expect([...(listed.match(/(?<=\/man\/)man\d\/.*/g) ?? [])].sort()).toEqual([...PACKED_PAGES]);
    const licences = output(["rpm", "-qp", "--licensefiles", MAIN]).trim().split("\n");
    expect(licences.map((file) => basename(file)).sort()).toEqual(["LICENSE", ...LICENCES, "THIRD-PARTY.md"]);
  });

  test(
    "hold the very program that was built, and it works",
    async () => {
      const root = unpacked(MAIN, "main");
      const program = join(root, "usr/bin/faultproxy");
      expect(output([program, "version"])).toStartWith(`faultproxy ${VERSION}\n`);
      expect(output([join(root, "usr/bin/faultctl"), "--help"])).toContain("faultproxy ctl");
      await answersRequests(program);

      const again = join(folder, "again");
      mkdirSync(again);
      for (const [archive, into] of [
        ["", again],
        ["-vendor", join(again, `faultproxy-${VERSION}`)],
      ] as const)
        output(["tar", "-xzf", join(ROOT, `dist/source/faultproxy-${VERSION}${archive}.tar.gz`), "-C", into]);
      const tree = join(again, `faultproxy-${VERSION}`);
      const environment = { SOURCE_DATE_EPOCH: tag("BUILDTIME") };
      output(["node_modules/bun/bin/bun.exe", "packaging/build.ts"], { directory: tree, environment });
      expect(sha256(readFileSync(program))).toBe(sha256(readFileSync(join(tree, "dist/faultproxy"))));
    },
    BUILD_MS_MAX,
  );

  test("hold the example of a configuration, which is read without a problem", () => {
    const config = join(unpacked(MAIN, "config"), "etc/xdg/faultproxy/config.toml");
    expect(run([join(folder, "config/usr/bin/faultproxy"), "check", config])).toEqual({
      code: 0,
      out: `${config}: no problems\n`,
      err: "",
    });
  });

  test("give rpmlint nothing to say that is not explained", () => {
    const lint = ["rpmlint", "-c", join(PACKAGING, "rpm/rpmlint.toml"), "-r", join(PACKAGING, "rpm/faultproxy.rpmlintrc")];
    const said = output([...lint, MAIN, POLICY, join(RPMS, `faultproxy-${VERSION}-1.src.rpm`), join(PACKAGING, "rpm/faultproxy.spec")]);
    expect(said.match(/^faultproxy.*: [EW]: .*$/gm) ?? []).toEqual([]);
    expect(said).toContain("0 errors, 0 warnings");
  });

  test("hold a policy with a type for the port", () => {
    const root = unpacked(POLICY, "policy");
    const module = output(["bzip2", "-dc", join(root, "usr/share/selinux/packages/targeted/faultproxy.pp.bz2")]);
    for (const type of ["faultproxy_t", "faultproxy_exec_t", "faultproxy_port_t"]) expect(module).toContain(type);
    for (const scriptlet of ["POSTIN", "POSTUN"]) expect(tag(scriptlet, POLICY)).toContain("faultproxy_port_t");
  });

  test.skipIf(!canBoot(join(folder, "trial")))("start the socket when they are installed, and stop it when they are removed", () => {
    const container = createContainer(join(folder, "machine"));
    container.installUnits();
    const scriptlet = (name: string, count: number) => `/bin/sh -c '${tag(name).replaceAll("'", "'\\''")}' scriptlet ${count} 2> /dev/null`;
    const show = (when: string) =>
      `echo "${when}: $(systemctl is-enabled faultproxy.socket) $(systemctl is-active faultproxy.socket) $(systemctl is-enabled faultproxy.service) $(systemctl is-active faultproxy.service)"`;
    const said = container.boot(
      [
        ...[show("before"), scriptlet("POSTIN", 1), show("installed")],
        ...["systemctl start faultproxy.service", "systemctl show -p MainPID faultproxy.service", show("running")],
        ...[
          scriptlet("POSTIN", 2),
          scriptlet("PREUN", 1),
          scriptlet("POSTUN", 1),
          "systemctl show -p MainPID faultproxy.service",
          show("upgraded"),
        ],
        ...[scriptlet("PREUN", 0), scriptlet("POSTUN", 0), show("removed")],
      ].join("\n"),
    );
    expect(said.match(/^\w+: .*$/gm)).toEqual([
      "before: disabled inactive disabled inactive",
      "installed: enabled active disabled inactive",
      "running: enabled active disabled active",
      "upgraded: enabled active disabled active",
      "removed: disabled inactive disabled inactive",
    ]);
    expect(new Set(said.match(/^MainPID=[1-9]\d*$/gm)).size).toBe(2);
  });
});
