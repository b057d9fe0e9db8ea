import { beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { COMMANDS } from "../../src/cli/commands.ts";
import { FAULTS } from "../../src/faults/index.ts";
import { describeWith, output, ROOT, run } from "./support/run.ts";

const FOLDER = join(ROOT, "dist/completions");
const SUPPORT = join(import.meta.dir, "support");

/** How each shell is asked what it offers at the end of lines: words, and an empty line behind those of each. */
const SHELLS = {
  bash: {
    file: "bash/faultproxy",
    ask: (lines: readonly string[]) => ["bash", "--norc", join(SUPPORT, "complete.bash"), join(FOLDER, "bash/faultproxy"), ...lines],
  },
  zsh: {
    file: "zsh/_faultproxy",
    ask: (lines: readonly string[]) => ["zsh", "-f", join(SUPPORT, "complete.zsh"), join(FOLDER, "zsh"), ...lines],
  },
  fish: {
    file: "fish/faultproxy.fish",
    ask: (lines: readonly string[]) => [
      ...["fish", "--no-config", "-c", "source $argv[1]; for line in $argv[2..]; complete -C $line; echo; end"],
      ...[join(FOLDER, "fish/faultproxy.fish"), ...lines],
    ],
  },
};

/** Without summaries, and without what stands on the line already: some shells repeat it. */
function offered(command: readonly string[]): readonly (readonly string[])[] {
  const blocks = output(command, { timeoutMs: 60_000 }).split(/^\n/m).slice(0, -1);
  return blocks.map((block) => {
    const words = block
      .split("\n")
      .map((line) => (line.split("\t")[0] ?? "").replace(/^.*(?:=|\/)(?=.)/, ""))
      .filter((word) => word !== "");
    return [...new Set(words)].sort();
  });
}

const CASES: readonly (readonly [line: string, offers: readonly string[]])[] = [
  ["faultproxy v", ["version"]],
  ["faultproxy help c", ["check", "config", "cost", "credentials", "ctl"]],
  ["faultproxy serve --log-l", ["--log-level"]],
  ["faultproxy serve --no-", ["--no-stdin"]],
  ["faultproxy serve --simulate --log-level ", ["debug", "error", "info", "silent", "warn"]],
  ["faultproxy serve --log-level=d", ["debug"]],
  ["faultproxy serve -m sl", ["slow", "slow_head", "slow_tokens"]],
  ["faultproxy serve --port ", []],
  ["faultproxy serve --upstream op", ["openai=", "openrouter="]],
  ["faultproxy serve --config /etc/hostn", ["hostname"]],
  ["faultproxy check /etc/hostn", ["hostname"]],
  ["faultproxy faults an", ["anthropic"]],
  ["faultproxy credentials un", ["uninstall"]],
  ["faultproxy credentials sync --to /etc/hostn", ["hostname"]],
  ["faultproxy cost --by ", ["day", "key", "model", "provider"]],
  ["faultproxy cost --ledger /etc/hostn", ["hostname"]],
  ["faultproxy estimate --provider op", ["openai", "openrouter"]],
  ["faultproxy estimate /etc/hostn", ["hostname"]],
  ["faultproxy ctl st", ["stall", "status"]],
  ["faultctl st", ["stall", "status"]],
  ["faultctl --port 3 --json st", ["stall", "status"]],
  ["faultctl --no", ["--no-follow"]],
  ["faultctl add st", ["stall"]],
  ["faultctl r 3 pro", ["provider="]],
  ["faultctl cut a", ["after=", "after_requests="]],
  ["faultctl c provider=open", ["openai", "openrouter"]],
  ["faultproxy ctl cut 30% by=", ["end", "fin", "reset"]],
  ["faultctl c side=", ["client", "upstream"]],
  ["faultctl status ", []],
];

beforeAll(() => {
  output(["make", "completions"]);
});

for (const [shell, { file, ask }] of Object.entries(SHELLS)) {
  describeWith([shell], `completion in ${shell}`, () => {
    test("is free of mistakes in grammar", () => {
      expect(run([shell, "-n", join(FOLDER, file)])).toEqual({ code: 0, out: "", err: "" });
    });

    test("offers what can stand there", () => {
      const found = offered(ask(CASES.map(([line]) => line)));
      expect(CASES.map(([line], index) => [line, found[index] ?? []])).toEqual(CASES.map(([line, words]) => [line, [...words]]));
    }, 60_000);

    test("knows every command, and every option of each", async () => {
      const commands = await Promise.all(COMMANDS.map(({ load }) => load()));
      const [names, ...options] = offered(ask(["faultproxy ", ...commands.map(({ name }) => `faultproxy ${name} --`)]));
      expect(names).toEqual(expect.arrayContaining(commands.map(({ name }) => name)));
      for (const [index, { options: own }] of commands.entries()) {
        const flags = Object.entries(own).map(([name, { type, default: preset }]) =>
          type === "boolean" && preset ? `--no-${name}` : `--${name}`,
        );
        expect(options[index]).toEqual(expect.arrayContaining([...flags, "--help"]));
      }
    }, 60_000);

    test("knows every fault by name and letter, with its keys", () => {
      const ways = FAULTS.flatMap((fault) => [fault.name, fault.letter ?? fault.name].map((way) => ({ way, fault })));
      const found = offered(ask(ways.map(({ way }) => `faultctl add ${way} `)));
      for (const [index, { fault }] of ways.entries()) {
        expect(found[index]).toEqual(
          expect.arrayContaining([...Object.keys(fault.parameters).map((key) => `${key}=`), "provider=", "30%"]),
        );
      }
    }, 60_000);

    test("leaves what follows run -- to the command that stands there", () => {
      const [commands = []] = offered(ask(["faultproxy run --port 0 -- ech"]));
      expect(commands).toContain("echo");
    }, 60_000);
  });
}
