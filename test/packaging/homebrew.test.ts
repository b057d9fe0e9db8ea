import { beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import packageFile from "../../package.json";
import { describeWith, output, PACKAGING, run, sha256, temporaryFolder } from "./support/run.ts";

const folder = temporaryFolder("homebrew");
const BASE = "https://example.org/faultproxy/releases/download/v1";
const FORMULA = join(folder, "faultproxy.rb");
const NAMES = ["macos-arm64", "macos-x64", "linux-arm64", "linux-x64", "linux-x64-musl", "share.tar.gz"];
const sumOf = (name: string) => sha256(new TextEncoder().encode(name));

function checksums(names: readonly string[]): string {
  const file = join(folder, `SHA256SUMS-${names.length}`);
  writeFileSync(file, names.map((name) => `${sumOf(name)}  faultproxy-${packageFile.version}-${name}\n`).join(""));
  return file;
}

const write = (sums: string, base = BASE) => run([process.execPath, join(PACKAGING, "homebrew/formula.ts"), base, sums, folder]);

/** As much of Homebrew as the formula uses, for one machine: what it would fetch, install and run. */
const HOMEBREW = `
require "json"
require "pathname"
$system, $processor = ARGV[1..]
$seen = {}
class Path
  def initialize(path) = @path = path
  def /(other) = Path.new("#{@path}/#{other}")
  def to_s = @path
  def install(what) = ($seen["#{@path} from"] = what)
  def install_symlink(link) = $seen["#{@path} link"] = link
end
class Formula
  %w[bin man1 man5 man7 bash_completion zsh_completion fish_completion opt_bin var testpath].each { |name| define_method(name) { Path.new(name) } }
  %w[opt_bin var].each { |name| define_singleton_method(name) { Path.new(name) } }
  %w[desc homepage version license url sha256 run keep_alive process_type environment_variables log_path error_log_path].each do |name|
    define_singleton_method(name) { |*values, **options| $seen[[$inside, name].compact.join(" ")] = [*values, *options.values].flatten.map(&:to_s) }
  end
  def self.on_macos = (yield if $system == "macos")
  def self.on_linux = (yield if $system == "linux")
  def self.on_arm = (yield if $processor == "arm")
  def self.on_intel = (yield if $processor == "intel")
  def self.resource(name) = inside(name) { yield }
  def self.service = inside("service") { yield }
  def self.test = nil
  def self.inside(name)
    $inside = name
    yield
    $inside = nil
  end
  def resource(_) = self
  def stage = yield
end
load ARGV[0]
Faultproxy.new.install
puts $seen.to_json
`;

describeWith(["ruby", "rubocop"], "the Homebrew formula", () => {
  beforeAll(() => {
    expect(write(checksums(NAMES))).toEqual({ code: 0, out: `${FORMULA}\n`, err: "" });
  });

  test("is Ruby in good style", () => {
    expect(output(["ruby", "-c", FORMULA])).toBe("Syntax OK\n");
    const config = join(PACKAGING, "homebrew/rubocop.yml");
    expect(output(["rubocop", "--config", config, "--cache", "false", FORMULA])).toContain("no offenses detected");
  }, 30_000);

  test.each([
    ["macos", "arm", "macos-arm64"],
    ["macos", "intel", "macos-x64"],
    ["linux", "arm", "linux-arm64"],
    ["linux", "intel", "linux-x64"],
  ])("takes on %s and %s the file %s, with its checksum", (system, processor, name) => {
    const fetched = join(folder, name);
    mkdirSync(fetched);
    writeFileSync(join(fetched, `faultproxy-${packageFile.version}-${name}`), "");
    const seen = JSON.parse(output(["ruby", "-e", HOMEBREW, FORMULA, system, processor], { directory: fetched }));
    const file = (which: string) => `${BASE}/faultproxy-${packageFile.version}-${which}`;
    expect(seen).toMatchObject({
      url: [file(name)],
      sha256: [sumOf(name)],
      version: [packageFile.version],
      homepage: ["https://example.org/faultproxy"],
      "share url": [file("share.tar.gz")],
      "share sha256": [sumOf("share.tar.gz")],
      "bin from": { [`faultproxy-${packageFile.version}-${name}`]: "faultproxy" },
      "bin link": { faultproxy: "faultctl" },
      "service run": ["opt_bin/faultproxy", "serve", "--no-stdin"],
    });
  });

  test("is not made where a checksum is missing, or the address is none", () => {
    expect(write(checksums(NAMES.slice(1)))).toMatchObject({
      code: 1,
      out: "",
      err: expect.stringContaining("no checksum of faultproxy-"),
    });
    expect(write(checksums(NAMES), "ftp://example.org")).toMatchObject({ code: 1, out: "" });
  });
});
