import { BUILD_INFO } from "../config/build-info.ts";
import type { CliCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { printOut } from "./print.ts";

export const VERSION: CliCommand = {
  name: "version",
  usage: ["[--json]"],
  about: ["Prints version, commit, build time, runtime and platform."],
  options: { json: { type: "boolean", description: "as a JSON object" } },
  wordsMax: 0,
  examples: [["faultproxy version --json", "for a program"]],
  exitCodes: [["0", "printed"]],
  async run({ options }) {
    const { version, commit, buildTime } = BUILD_INFO;
    const platform = `${process.platform}-${process.arch}`;
    if (options.json) printOut(`${JSON.stringify({ version, commit, buildTime, bun: Bun.version, platform })}\n`);
    else
      printOut(
        `faultproxy ${version}\ncommit ${commit ?? "unknown"}\nbuilt ${buildTime ?? "from source"}\nbun ${Bun.version}\n${platform}\n`,
      );
    return EXIT.ok;
  },
};
