import type { CliCommand } from "./command.ts";

/** The commands by name. Each is loaded when it is asked for, so that `version` need not load a proxy. */
export const COMMANDS: readonly { readonly name: string; readonly summary: string; readonly load: () => Promise<CliCommand> }[] = [
  { name: "serve", summary: "start the proxy in the foreground", load: async () => (await import("./serve.ts")).SERVE },
  { name: "ctl", summary: "command a running proxy (also as faultctl)", load: async () => (await import("./ctl.ts")).CTL },
  { name: "run", summary: "run a program with a proxy of its own", load: async () => (await import("./run.ts")).RUN },
  { name: "check", summary: "check a configuration file", load: async () => (await import("./check.ts")).CHECK },
  {
    name: "config",
    summary: "print the configuration in force, or an example",
    load: async () => (await import("./config.ts")).CONFIG,
  },
  {
    name: "faults",
    summary: "list all faults, or one provider's error forms",
    load: async () => (await import("./faults.ts")).FAULTS_COMMAND,
  },
  {
    name: "cost",
    summary: "what requests took and cost, by model, provider, key or day",
    load: async () => (await import("./cost.ts")).COST,
  },
  {
    name: "estimate",
    summary: "how many tokens limits take a text for, and how many it has",
    load: async () => (await import("./estimate.ts")).ESTIMATE,
  },
  {
    name: "credentials",
    summary: "copy the login of Claude Code from the keychain for proxies that cannot ask it",
    load: async () => (await import("./credentials.ts")).CREDENTIALS,
  },
  {
    name: "demo",
    summary: "show the faults at work, without a key and without a network",
    load: async () => (await import("./demo.ts")).DEMO,
  },
  { name: "version", summary: "print version and build", load: async () => (await import("./version.ts")).VERSION },
  { name: "help", summary: "print this, or the help of a command", load: async () => (await import("./help-command.ts")).HELP },
];
