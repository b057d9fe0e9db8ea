import type { CliCommand } from "./command.ts";

export const DEMO: CliCommand = {
  name: "demo",
  usage: [""],
  about: [],
  options: {},
  wordsMax: 1,
  takesRest: true,
  examples: [],
  exitCodes: [],
  run: async () => 1,
};
