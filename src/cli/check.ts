import { configCandidates } from "../config/locate.ts";
import { type Problem, readToml } from "../config/read-file.ts";
import { configFile, problemLines, readConfiguration } from "../config/read-settings.ts";
import { SETTINGS } from "../config/schema.ts";
import { isInputError } from "../core/errors.ts";
import { exposedAddress, exposureMistake } from "../shell/access.ts";
import { targetsOf } from "../shell/targets.ts";
import { serverCertificate } from "../shell/tls-identity.ts";
import { warningsOf } from "../shell/warnings.ts";
import type { Call, CliCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { message } from "./message.ts";
import { printOut, visible } from "./print.ts";
import { FILES, modeMistake } from "./settings-from.ts";

export const CHECK: CliCommand = {
  name: "check",
  usage: ["[FILE]"],
  about: [
    "Checks a configuration file, or the one that serve would find: every problem is printed with line and column, what was expected, and the nearest key where one was misspelt. What would only not work as it was meant is a warning, on standard error.",
  ],
  options: {},
  wordsMax: 1,
  examples: [["faultproxy check faultproxy.toml && systemctl reload faultproxy", "before it is used"]],
  exitCodes: [
    ["0", "no problem, or no file"],
    ["1", "problems were found"],
    ["2", "wrong usage, or a file that cannot be read"],
  ],
  run: check,
};

async function check({ words }: Call): Promise<number> {
  const environment = process.env;
  const [named] = words;
  const found = configFile({ options: named === undefined ? {} : { config: named }, environment, files: FILES });
  if (isInputError(found)) {
    message.error(found.message);
    return EXIT.usage;
  }
  if (found === undefined) {
    printOut(`no configuration file, so nothing to check (looked for ${configCandidates(environment).join(", ")})\n`);
    return EXIT.ok;
  }
  const ofFile = problemsOf(found.toml);
  const problems = ofFile.length > 0 ? ofFile : await exposureProblems(found, environment);
  if (problems.length > 0) {
    printOut(`${problemLines(found.path, { problems }).map(visible).join("\n")}\n`);
    return EXIT.failure;
  }
  // What the file alone comes to: variables and options are another matter.
  const configuration = readConfiguration({
    options: { config: found.path },
    environment: {},
    files: { ...FILES, read: () => found.toml },
  });
  if (!isInputError(configuration)) {
    const warn = (text: string) => message.warn(visible(text));
    const targets = targetsOf(configuration.settings, {}, warn);
    if (!isInputError(targets)) for (const text of warningsOf(configuration.settings, targets, environment)) warn(text);
  }
  printOut(`${visible(found.path)}: no problems\n`);
  return EXIT.ok;
}

/** What serve would not open. Keys are secrets, and may well come from the environment. */
async function exposureProblems(
  { path, toml }: { readonly path: string; readonly toml: string },
  environment: Readonly<Record<string, string | undefined>>,
): Promise<readonly Problem[]> {
  const variables = [...SETTINGS.apiKeys.variables, ...SETTINGS.open.variables].map((name) => [name, environment[name]]);
  const configuration = readConfiguration({
    options: { config: path },
    environment: Object.fromEntries(variables),
    files: { ...FILES, read: () => toml },
  });
  if (isInputError(configuration)) return [];
  const exposed = await exposedAddress(configuration.settings, []);
  const mistake = exposureMistake(exposed, configuration.settings);
  const { written } = readToml(toml);
  const at = written.get(exposed?.startsWith("--listen") ? "listen" : "host") ?? { line: 1, column: 1 };
  return mistake === undefined ? [] : [{ ...at, message: mistake.message }];
}

/** Of the file itself, and of what it names. */
function problemsOf(toml: string): readonly Problem[] {
  const { settings, written, problems } = readToml(toml);
  const at = (key: string) => written.get(key) ?? { line: 1, column: 1 };
  const mode = settings.mode === undefined ? undefined : modeMistake(settings.mode);
  const certificate = serverCertificate({ tlsCertFile: settings.tlsCertFile, tlsKeyFile: settings.tlsKeyFile });
  return [
    ...problems,
    ...(mode === undefined ? [] : [{ ...at("mode"), message: mode.message }]),
    ...(isInputError(certificate)
      ? [{ ...at(settings.tlsCertFile === undefined ? "tls_key" : "tls_cert"), message: certificate.message }]
      : []),
  ].sort((a, b) => a.line - b.line || a.column - b.column);
}
