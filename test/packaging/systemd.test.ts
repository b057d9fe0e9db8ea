import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BINARY } from "../e2e/support/daemon.ts";
import { describeWith, output, PACKAGING, run, temporaryFolder } from "./support/run.ts";

const read = (name: string) => readFileSync(join(PACKAGING, "systemd", name), "utf8");
const SERVICE = read("faultproxy.service");
const folder = temporaryFolder("systemd");

/** Every value of a directive, in order. */
function values(unit: string, directive: string): readonly string[] {
  return [...unit.matchAll(new RegExp(`^${directive}=(.*)$`, "gm"))].map(([, value]) => value ?? "");
}

describeWith(["systemd-analyze"], "the units", () => {
  /** As installed, but with the built binary in place of the installed one. */
  const installed = (name: string) => {
    const path = join(folder, name);
    writeFileSync(path, read(name).replaceAll("/usr/bin/faultproxy", BINARY));
    return path;
  };

  test("are understood by systemd without a warning", () => {
    const units = ["faultproxy.service", "faultproxy.socket"].map(installed);
    expect(run(["systemd-analyze", "verify", "--man=no", ...units])).toEqual({ code: 0, out: "", err: "" });
  });

  test("shut the service in: systemd's own score is below 2", () => {
    const path = installed("faultproxy.service");
    const report = run(["systemd-analyze", "security", "--offline=true", "--threshold=19", "--no-pager", path]);
    expect(report.out).toMatch(/Overall exposure level for faultproxy\.service: [01]\.\d OK/);
    expect(report.code).toBe(0);
  });
});

test("the service has a folder for its ledger, which nobody else can read, and sees no other beside it", () => {
  expect([values(SERVICE, "StateDirectory"), values(SERVICE, "StateDirectoryMode"), values(SERVICE, "UMask")]).toEqual([
    ["faultproxy"],
    ["0700"],
    ["0077"],
  ]);
  expect(values(SERVICE, "TemporaryFileSystem")).toEqual(["/var/lib:ro"]);
  // What lies below an inaccessible path cannot be mounted, whatever else is said of it.
  expect(values(SERVICE, "InaccessiblePaths").join(" ").split(" ")).not.toContain("-/var/lib");
});

test("the socket is this machine's alone", () => {
  expect(values(read("faultproxy.socket"), "ListenStream")).toEqual(["127.0.0.1:8888"]);
});

test("the service keeps what its runtime needs, and loses what would put other code into it", () => {
  expect(values(SERVICE, "MemoryDenyWriteExecute")).toEqual([]);
  expect(values(SERVICE, "CapabilityBoundingSet")).toEqual([""]);
  expect(values(SERVICE, "UnsetEnvironment").join(" ").split(" ")).toEqual(
    expect.arrayContaining(["BUN_OPTIONS", "BUN_BE_BUN", "BUN_INSPECT", "BUN_INSPECT_PRELOAD"]),
  );
});

test("the preset enables the socket, and nothing else", () => {
  expect(read("80-faultproxy.preset")).toBe("enable faultproxy.socket\n");
});

const LAUNCHD = join(PACKAGING, "launchd", "faultproxy.plist");

describeWith(["python3"], "the launch agent", () => {
  const agent = () =>
    JSON.parse(output(["python3", "-c", "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))", LAUNCHD]));

  test("is a property list that starts the proxy again only after a failure", () => {
    expect(agent()).toMatchObject({ Label: "faultproxy", RunAtLoad: true, KeepAlive: { SuccessfulExit: false } });
  });

  test("starts the installed program with its log in the user's folder, and none of the runtime's own variables", () => {
    mkdirSync(join(folder, "Library/Logs"), { recursive: true });
    const [shell, flag, script] = agent().ProgramArguments as string[];
    // The command line up to the program, then the program's version in place of the proxy.
    const text = (script ?? "").replace("/usr/local/bin/faultproxy serve --no-stdin", `${BINARY} version`);
    expect(text).not.toBe(script);
    const foreign = { BUN_BE_BUN: "1", BUN_OPTIONS: "--preload=/nowhere.js" };
    expect(run([shell ?? "", flag ?? "", text], { environment: { HOME: folder, ...foreign } })).toEqual({ code: 0, out: "", err: "" });
    expect(readFileSync(join(folder, "Library/Logs/faultproxy.log"), "utf8")).toStartWith("faultproxy ");
  });
});
