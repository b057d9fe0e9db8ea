import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, linkSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TargetSetting } from "../../src/config/settings.ts";
import type { Clock } from "../../src/core/clock.ts";
import { type ClientIdentity, clientIdentity } from "../../src/shell/client-identity.ts";
import { type CertificateName, type Certificates, makeCertificates } from "../e2e/support/certificates.ts";
import { temporaryFolder } from "./support.ts";

describe.skipIf(Bun.which("openssl") === null)("an identity", () => {
  let made: Certificates;
  let folder: ReturnType<typeof temporaryFolder>;
  let files: { readonly certFile: string; readonly keyFile: string };
  let warnings: string[];
  let nowMs: number;
  const clock: Clock = { monotonicMs: () => 0, wallMs: () => nowMs, sleep: () => Promise.resolve() };

  beforeAll(() => {
    made = makeCertificates();
  });
  afterAll(() => made.remove());
  beforeEach(() => {
    folder = temporaryFolder();
    files = { certFile: join(folder.path, "cert.pem"), keyFile: join(folder.path, "key.pem") };
    warnings = [];
    nowMs = Date.now();
  });
  afterEach(() => folder.remove());

  const put = (name: CertificateName) => {
    copyFileSync(made.certFile(name), files.certFile);
    copyFileSync(made.keyFile(name), files.keyFile);
    chmodSync(files.keyFile, 0o600);
  };
  const identityOf = (setting: TargetSetting) => clientIdentity("backend", setting, clock, (text) => warnings.push(text));
  const detailOf = (identity: ClientIdentity) => {
    const now = identity();
    return "kind" in now ? now.detail : undefined;
  };

  test("is read once, and is the same object until a file is another", () => {
    put("alice");
    const identity = identityOf(files);
    const first = identity();
    expect(first).toMatchObject({ ...made.pair("alice"), certFile: files.certFile });
    expect(identity()).toBe(first);
    put("bob");
    const second = identity();
    expect(second).toMatchObject(made.pair("bob"));
    expect(second).not.toBe(first);
    expect(identity()).toBe(second);
    expect(warnings).toEqual([]);
  });

  test.each<[string, () => void]>([
    ["written over", () => put("alice-renewed")],
    [
      "put in its place",
      () => {
        for (const [from, to] of [
          [made.certFile("alice-renewed"), files.certFile],
          [made.keyFile("alice-renewed"), files.keyFile],
        ] as const) {
          copyFileSync(from, `${to}.new`);
          renameSync(`${to}.new`, to);
        }
      },
    ],
    [
      "linked to another",
      () => {
        for (const [from, to] of [
          [made.certFile("alice-renewed"), files.certFile],
          [made.keyFile("alice-renewed"), files.keyFile],
        ] as const) {
          symlinkSync(from, `${to}.new`);
          renameSync(`${to}.new`, to);
        }
      },
    ],
    [
      "another with the times of the one before",
      () => {
        put("alice-renewed");
        for (const path of [files.certFile, files.keyFile]) utimesSync(path, 1_000, 1_000);
      },
    ],
    [
      "a hard link to another",
      () => {
        for (const [from, to] of [
          [made.certFile("alice-renewed"), files.certFile],
          [made.keyFile("alice-renewed"), files.keyFile],
        ] as const) {
          rmSync(to);
          linkSync(from, to);
        }
      },
    ],
  ])("is read again where its files are %s", (_, renew) => {
    put("alice");
    for (const path of [files.certFile, files.keyFile]) utimesSync(path, 1_000, 1_000);
    const identity = identityOf(files);
    expect(identity()).toMatchObject(made.pair("alice"));
    renew();
    expect(identity()).toMatchObject(made.pair("alice-renewed"));
  });

  test.skipIf(Bun.which("mkfifo") === null)("is whole where its files are changed while they are read", () => {
    put("alice");
    copyFileSync(made.certFile("alice-renewed"), join(folder.path, "new.pem"));
    rmSync(files.keyFile);
    expect(Bun.spawnSync(["mkfifo", "-m", "600", files.keyFile]).exitCode).toBe(0);
    // Whoever reads the key waits until the certificate that was read before it has been replaced.
    const script = 'while :; do { [ ! -e new.pem ] || mv new.pem cert.pem; cat "$0"; } > key.pem; done';
    const renewal = Bun.spawn(["sh", "-c", script, made.keyFile("alice-renewed")], { cwd: folder.path, stderr: "ignore" });
    const identity = identityOf(files)();
    renewal.kill();
    expect(identity).toMatchObject({ cert: made.pair("alice-renewed").cert });
  });

  test("follows the clock: not before its certificate is valid, and not after", () => {
    put("later");
    const identity = identityOf(files);
    const day = 86_400_000;
    expect(detailOf(identity)).toMatch(/ is valid from \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ only; is the clock of this machine right\?$/);
    nowMs += 11 * day;
    expect(detailOf(identity)).toBeUndefined();
    nowMs += 30 * day;
    expect(detailOf(identity)).toMatch(/ expired at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ; renew it, and it is used without a restart$/);
    // The first is for who has made it to tell.
    expect(warnings).toEqual([expect.stringContaining("expired at")]);
  });

  test("tells each mistake once, while it lasts, but for the first look", () => {
    const identity = identityOf(files);
    expect([detailOf(identity), detailOf(identity)].every((detail) => detail?.includes("cert.pem (ENOENT)"))).toBe(true);
    expect(warnings).toEqual([]);
    put("alice");
    expect(detailOf(identity)).toBeUndefined();
    for (let turn = 0; turn < 2; turn++) {
      rmSync(files.keyFile);
      for (let ask = 0; ask < 3; ask++) expect(detailOf(identity)).toContain("key.pem (ENOENT)");
      put("alice");
      expect(detailOf(identity)).toBeUndefined();
    }
    const sentence = `backend.auth.key_file: cannot read ${files.keyFile} (ENOENT); put it there (a machine that gets it by registration must be registered first), or name another file. Until that is mended, requests that need it get a 502`;
    expect(warnings).toEqual([sentence, sentence]);
  });

  test("tells of a key that others can read, each time it is read", () => {
    put("alice");
    chmodSync(files.keyFile, 0o604);
    const identity = identityOf(files);
    for (let ask = 0; ask < 3; ask++) identity();
    const sentence = `backend: other users can read the private key ${files.keyFile}; take that away with: chmod 600 ${files.keyFile}`;
    expect(warnings).toEqual([sentence]);
    chmodSync(files.keyFile, 0o644);
    for (let ask = 0; ask < 3; ask++) identity();
    expect(warnings).toEqual([sentence, sentence]);
    chmodSync(files.keyFile, 0o640);
    for (let ask = 0; ask < 3; ask++) identity();
    expect(warnings).toEqual([sentence, sentence]);
  });

  test.each<[string, () => TargetSetting, object]>([
    ["authorities alone", () => ({ caFile: made.certFile("ca") }), {}],
    ["a name alone", () => ({ serverName: "inner.example" }), { serverName: "inner.example" }],
  ])("may be %s", (_, setting, expected) => {
    const given = setting();
    const ca = given.caFile === undefined ? {} : { ca: made.ca };
    expect(identityOf(given)()).toEqual({ ...expected, ...ca });
  });

  test("takes a chain behind the certificate, and a key of any kind in PEM form", () => {
    put("alice");
    writeFileSync(files.certFile, `${made.pair("alice").cert}${made.ca}`);
    expect(detailOf(identityOf(files))).toBeUndefined();
    const converted = Bun.spawnSync(["openssl", "ec", "-in", made.keyFile("alice"), "-out", files.keyFile]);
    expect(converted.exitCode).toBe(0);
    expect(detailOf(identityOf(files))).toBeUndefined();
    // The authority's first would be another's key.
    writeFileSync(files.certFile, `${made.ca}${made.pair("alice").cert}`);
    expect(detailOf(identityOf(files))).toContain("is not the key of the first certificate in");
  });

  test.each([
    ["/etc/pki/consumer/missing.pem", "; register this system (subscription-manager register), or name another file"],
    ["/nowhere/ca.pem", "; put it there, or name another file"],
  ])("says what to do about %s, which is missing", (caFile, advice) => {
    expect(detailOf(identityOf({ caFile }))).toBe(`backend.auth.ca_file: cannot read ${caFile} (ENOENT)${advice}`);
  });
});
