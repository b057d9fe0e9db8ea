import { beforeAll, expect, test } from "bun:test";
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import packageFile from "../../package.json";
import { canBoot, createContainer } from "./support/container.ts";
import { LICENCES, PACKED_PAGES } from "./support/contents.ts";
import { answersRequests } from "./support/program.ts";
import { BUILD_MS_MAX, describeWith, output, ROOT, sha256, temporaryFolder } from "./support/run.ts";

const folder = temporaryFolder("deb");
const architecture = process.arch === "arm64" ? "arm64" : "amd64";
const DEB = join(ROOT, `dist/deb/faultproxy_${packageFile.version}-1_${architecture}.deb`);

describeWith(["dpkg-deb", "lintian"], "the Debian package", () => {
  beforeAll(() => {
    output(["make", "deb"]);
  }, BUILD_MS_MAX);

  test("holds what it should, as whom and how", () => {
    const lines = output(["dpkg-deb", "--contents", DEB]).split("\n");
    const files = lines.flatMap((line) => /^(\S+) (\S+) .*? \.(\/\S*?)(?: -> .*)?$/.exec(line)?.slice(1).join(" ") ?? []);
    expect(files).toEqual(
      expect.arrayContaining([
        "drwx------ root/root /etc/xdg/faultproxy/",
        "-rw------- root/root /etc/xdg/faultproxy/config.toml",
        "-rwxr-xr-x root/root /usr/bin/faultproxy",
        "lrwxrwxrwx root/root /usr/bin/faultctl",
        "-rw-r--r-- root/root /usr/lib/systemd/system/faultproxy.service",
        "-rw-r--r-- root/root /usr/lib/systemd/system/faultproxy.socket",
        "-rw-r--r-- root/root /usr/share/bash-completion/completions/faultproxy",
        "-rw-r--r-- root/root /usr/share/fish/vendor_completions.d/faultproxy.fish",
        "-rw-r--r-- root/root /usr/share/zsh/vendor-completions/_faultproxy",
        ...LICENCES.map((name) => `-rw-r--r-- root/root /usr/share/doc/faultproxy/${name}`),
      ]),
    );
    expect(files.flatMap((file) => /(?<=\/man\/)man\d\/.+/.exec(file)?.[0] ?? []).sort()).toEqual([...PACKED_PAGES]);
    expect(files.filter((file) => !/ root\/root /.test(file))).toEqual([]);
    expect(output(["dpkg-deb", "--info", DEB, "conffiles"])).toBe("/etc/xdg/faultproxy/config.toml\n");
  });

  test("holds the very program that was built, and it works", async () => {
    const root = join(folder, "root");
    output(["dpkg-deb", "--extract", DEB, root]);
    const program = join(root, "usr/bin/faultproxy");
    expect(sha256(readFileSync(program))).toBe(sha256(readFileSync(join(ROOT, "dist/deb/root/usr/bin/faultproxy"))));
    await answersRequests(program);
  });

  test("holds every page that its documents lead to", () => {
    const root = join(folder, "documents");
    output(["dpkg-deb", "--extract", DEB, root]);
    const documents = join(root, "usr/share/doc/faultproxy");
    const pages = readdirSync(documents, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md"));
    expect(pages).toEqual(expect.arrayContaining(["README.md", "docs/backends.md"]));
    for (const page of pages) {
      const links = readFileSync(join(documents, page), "utf8").matchAll(/\]\((?!https?:)([^)#]+)/g);
      const dead = [...links].map(([, target = ""]) => target).filter((target) => !existsSync(join(documents, page, "..", target)));
      expect(`${page}: ${dead}`).toBe(`${page}: `);
    }
  });

  test("gives lintian nothing to say that is not explained", () => {
    expect(output(["lintian", "--allow-root", "--fail-on", "error,warning", DEB])).toBe("");
  }, 60_000);

  test.skipIf(!canBoot(join(folder, "trial")))(
    "is installed, upgraded, removed and purged",
    () => {
      const container = createContainer(join(folder, "machine"));
      mkdirSync(container.path("/var/lib"), { recursive: true });
      cpSync("/var/lib/dpkg", container.path("/var/lib/dpkg"), { recursive: true });
      mkdirSync(container.path("/var/log"), { recursive: true });
      copyFileSync(DEB, container.path("/faultproxy.deb"));
      const show = (when: string) =>
        `echo "${when}: $(systemctl is-enabled faultproxy.socket 2> /dev/null) $(systemctl is-active faultproxy.socket) $(systemctl is-active faultproxy.service)"`;
      const pid = "systemctl show -p MainPID faultproxy.service";
      const dpkg = (words: string) => `dpkg --force-depends ${words} > /dev/null`;
      const said = container.boot(
        [
          // A machine that builds images starts nothing.
          ...["rm -f /usr/sbin/policy-rc.d", dpkg("--install /faultproxy.deb"), show("installed")],
          ...[
            "curl -s http://127.0.0.1:8888/v1/models > /dev/null",
            show("asked"),
            "systemctl reload faultproxy && echo 'reloaded: yes'",
            pid,
          ],
          ...["faultctl --socket /run/faultproxy/control.sock status | grep ^Socket", 'echo "state: $(ls -d /var/lib/faultproxy)"'],
          ...["systemctl disable faultproxy.socket 2> /dev/null", dpkg("--install /faultproxy.deb"), show("upgraded"), pid],
          ...[dpkg("--remove faultproxy"), show("removed"), 'echo "config: $(ls /etc/xdg/faultproxy)"'],
          ...[
            dpkg("--purge faultproxy"),
            show("purged"),
            "echo \"left: $(find / -xdev -name '*faultproxy*' ! -path '/proc/*' ! -path /faultproxy.deb ! -path '/opt/*')\"",
          ],
        ].join("\n"),
        true,
      );
      expect(said.match(/^\w+: .*$/gm)).toEqual([
        "installed: enabled active inactive",
        "asked: enabled active active",
        "reloaded: yes",
        "state: /var/lib/faultproxy",
        "upgraded: disabled active active",
        "removed: masked inactive inactive",
        "config: config.toml",
        "purged:  inactive inactive",
        "left: ",
      ]);
      expect(said).toContain("Socket    /run/faultproxy/control.sock\n");
      expect(new Set(said.match(/^MainPID=[1-9]\d*$/gm)).size).toBe(2);
    },
    60_000,
  );
});
