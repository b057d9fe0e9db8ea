import { readFileSync } from "node:fs";
import { type ConfigFiles, type Configuration, KNOWN_VARIABLES, readConfiguration, type SettingsSources } from "../config/read-settings.ts";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { parseCommand } from "../rules/language.ts";
import { codeOf } from "../shell/socket-path.ts";
import { targetsOf } from "../shell/targets.ts";
import { serverCertificate } from "../shell/tls-identity.ts";
import { SOCKET_OF_RUN } from "./child-environment.ts";
import type { Call } from "./command.ts";
import { message } from "./message.ts";
import { FETCH_LIMIT_MARK } from "./raise-fetch-limit.ts";

/** From one process of ours to another. */
const OWN_VARIABLES: readonly string[] = [SOCKET_OF_RUN, FETCH_LIMIT_MARK];

type Environment = SettingsSources["environment"];

/** The settings of a call, checked as far as they can be before anything is opened. */
export function configurationFrom(
  { options }: Pick<Call, "options">,
  environment: Environment,
  inPlace: Pick<SettingsSources, "defaults" | "onlyByOption"> = {},
): Configuration | InputError {
  const configuration = readConfiguration({ options, environment, files: FILES, ...inPlace });
  if (isInputError(configuration)) return configuration;
  const { settings } = configuration;
  const targets = targetsOf(settings, environment);
  if (isInputError(targets)) return targets;
  const certificate = serverCertificate(settings);
  if (isInputError(certificate)) return certificate;
  const mistake = settings.mode === undefined ? undefined : modeMistake(settings.mode);
  return mistake ?? configuration;
}

/** The real files. */
export const FILES: ConfigFiles = {
  read(path) {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      return inputError(`cannot read the configuration file ${path} (${codeOf(error)})`);
    }
  },
  readIfThere(path) {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      // The folder of a service's file is closed to others, who have settings of their own.
      if (!["ENOENT", "ENOTDIR", "EACCES"].includes(codeOf(error)))
        message.warn(`cannot read ${path} (${codeOf(error)}); going on without it`);
      return undefined;
    }
  },
};

export function modeMistake(mode: string): InputError | undefined {
  const command = parseCommand(mode);
  if (isInputError(command)) return inputError(`mode "${mode}": ${command.message}`);
  if (command.kind === "mode" || command.kind === "add" || command.kind === "none") return undefined;
  return inputError(`mode "${mode}": expected a command to start with, such as "c 3", "r 30%" or n`);
}

/** A misspelt variable is not refused: it may be meant for another version. */
export function warnOfUnknownVariables(environment: Environment): void {
  for (const variable of Object.keys(environment)) {
    if (!variable.startsWith("FAULTPROXY_") || KNOWN_VARIABLES.includes(variable) || OWN_VARIABLES.includes(variable)) continue;
    const meant = nearest(variable, KNOWN_VARIABLES);
    message.warn(`${variable} is not a setting${meant === undefined ? "" : `; did you mean ${meant}?`}`);
  }
}
