import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../shell/support.ts";
import { faultproxy } from "./support.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => folder.remove());

function file(name: string, text: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
}

describe("check", () => {
  test("prints every problem with its place, and exits 1", async () => {
    const path = file("bad.toml", 'prot = 1\nport = "x"\nmode = "zz"\n');
    const { code, out, err } = await faultproxy(["check", path]);
    expect(code).toBe(1);
    expect(err).toBe("");
    expect(out.trimEnd().split("\n")).toEqual([
      expect.stringContaining(`${path}:1:1: unknown key "prot"; did you mean port?`),
      `${path}:2:1: port = "x": expected a number`,
      expect.stringContaining(`${path}:3:1: mode "zz": unknown fault "zz"`),
    ]);
  });

  test("prints the mistakes of routes at their keys, and no secret", async () => {
    const path = file("route.toml", '[[route]]\ntargets = [\n  { provider = "opnai", credential = { env = "sk-my-own-secret" } },\n]\n');
    const { code, out, err } = await faultproxy(["check", path]);
    expect([code, err]).toEqual([1, ""]);
    expect(out.trimEnd().split("\n")).toEqual([
      expect.stringContaining(`${path}:3:5: [[route]] number 1, targets number 1, provider: expected one of openai,`),
      expect.stringContaining(
        `${path}:3:40: [[route]] number 1, targets number 1, credential.env: expected the name of an environment variable`,
      ),
    ]);
    expect(out).not.toContain("secret");
  });

  test("finds certificates that cannot be used for listening", async () => {
    const path = file("tls.toml", 'tls_cert = "/nowhere.crt"\ntls_key = "/nowhere.key"\n');
    expect(await faultproxy(["check", path])).toMatchObject({
      code: 1,
      out: `${path}:1:1: tls_cert (--tls-cert): cannot read /nowhere.crt (ENOENT)\n`,
    });
  });

  test("says so where there is none, and warns of what will not work", async () => {
    const path = file(
      "good.toml",
      '[backend]\nendpoint = "https://b.example"\n[backend.auth]\ncert_file = "/nowhere/cert.pem"\nkey_file = "/nowhere/key.pem"\n',
    );
    const { code, out, err } = await faultproxy(["check", path]);
    expect([code, out]).toEqual([0, `${path}: no problems\n`]);
    expect(err).toContain("backend.auth.cert_file: cannot read /nowhere/cert.pem (ENOENT)");
  });

  test("checks the file that serve would find", async () => {
    mkdirSync(join(folder.path, "faultproxy"), { recursive: true });
    const path = file("faultproxy/config.toml", "port = 99999\n");
    const environment = { XDG_CONFIG_HOME: folder.path };
    expect(await faultproxy(["check"], { environment })).toMatchObject({
      code: 1,
      out: `${path}:1:1: port = 99999: expected a whole number from 0 to 65535\n`,
    });
    expect(await faultproxy(["serve"], { environment })).toMatchObject({ code: 2, out: "" });
  });

  test("tells where it looked when there is none", async () => {
    const { code, out } = await faultproxy(["check"], { environment: { XDG_CONFIG_DIRS: "/nowhere" } });
    expect([code, out]).toEqual([
      0,
      "no configuration file, so nothing to check (looked for /nonexistent/faultproxy/config.toml, /nowhere/faultproxy/config.toml, /etc/xdg/faultproxy/config.toml)\n",
    ]);
  });

  test("a file that is not there is no file", async () => {
    expect(await faultproxy(["check", "/nowhere.toml"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("cannot read the configuration file /nowhere.toml (ENOENT)"),
    });
  });
});

describe("config", () => {
  test("prints what is in force as a file that says the same", async () => {
    const route = '[[route]]\n[[route.targets]]\nprovider = "openai"\ncredential.env = "KEY"\n[[route.targets]]\nprovider = "google"\n';
    const path = file(
      "some.toml",
      `log_level = "warn"\n[backend]\nendpoint = "http://b/v1"\npreset = "lightspeed"\n[[limits.override]]\nkey = "*"\nrequests_per_minute = 3\n${route}`,
    );
    const first = await faultproxy(["config", "--config", path, "--port", "1234"]);
    expect(first.code).toBe(0);
    expect(first.out).toContain('log_level = "warn"');
    expect(first.out).toMatch(/^port = 1234 +# --port$/m);
    expect(first.out).toMatch(new RegExp(`^endpoint = "http://b/v1" +# ${path}:3$`, "m"));
    expect(first.out).toContain(
      `\n[[route]]  # ${path}:8\n\n[[route.targets]]\nprovider = "openai"\ncredential = { env = "KEY" }\n\n[[route.targets]]\nprovider = "google"\n`,
    );
    expect(first.out).toContain(`\n[[limits.override]]  # ${path}:5\nkey = "*"\nrequests_per_minute = 3\n`);
    const again = file("again.toml", first.out);
    const second = await faultproxy(["config", "--config", again]);
    const withoutOrigins = (text: string) => text.replace(/ +#.*$/gm, "").replace(/^#.*\n/gm, "");
    expect(withoutOrigins(second.out)).toBe(withoutOrigins(first.out));
  });

  test("a file that cannot be used is told as serve would tell it", async () => {
    const path = file("worse.toml", "a = 1\nb = 2\n");
    const { code, out, err } = await faultproxy(["config", "--config", path]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(`${path}:1:1: unknown key "a"`);
    expect(err).toContain(`${path}:2:1: unknown key "b"`);
  });

  test('--config "" asks for no file', async () => {
    const environment = { XDG_CONFIG_HOME: folder.path };
    file("faultproxy/config.toml", "port = 1234\n");
    expect((await faultproxy(["config"], { environment })).out).toContain("port = 1234");
    for (const words of [["--config", ""], ["--config="]]) {
      expect((await faultproxy(["config", ...words], { environment })).out).toContain("port = 8888");
    }
    file("faultproxy/config.toml", "");
  });

  test("--example prints a file that check takes", async () => {
    const { code, out } = await faultproxy(["config", "--example"]);
    expect(code).toBe(0);
    expect(await faultproxy(["check", file("example.toml", out)])).toMatchObject({ code: 0, err: "" });
  });
});
