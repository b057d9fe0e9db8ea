import { readFileSync } from "node:fs";

/** Signals by which a program is told something; stopping and going on is between the terminal and the group. */
const PASSED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;

/**
 * Passes signals on to the child so that it gets each exactly once. A terminal sends its signals (Ctrl-C, Ctrl-\,
 * its own end) to the whole foreground group, the child included; those are not sent again. Gives the
 * function that ends it.
 */
export function passSignals(kill: (signal: NodeJS.Signals) => void): () => void {
  const hadTerminal = terminalState() !== "none";
  const listeners = PASSED.filter(isKnownHere).map((signal) => {
    const listener = () => {
      if (!comesFromTerminal(signal, hadTerminal)) kill(signal);
    };
    process.on(signal, listener);
    return [signal, listener] as const;
  });
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}

function isKnownHere(signal: (typeof PASSED)[number]): boolean {
  return process.platform !== "win32" || ["SIGINT", "SIGHUP"].includes(signal);
}

function comesFromTerminal(signal: NodeJS.Signals, hadTerminal: boolean): boolean {
  switch (signal) {
    case "SIGINT":
    case "SIGQUIT":
      return terminalState() === "foreground";
    case "SIGHUP":
      // A terminal that hangs up is gone when its signal comes.
      return hadTerminal && terminalState() === "none";
    default:
      return false;
  }
}

/** Whether this process has a controlling terminal, and is in its foreground group. */
function terminalState(): "none" | "foreground" | "background" {
  const ids = process.platform === "linux" ? idsOfProc() : idsOfPs();
  if (ids === undefined || ids.foreground <= 0) return "none";
  return ids.group === ids.foreground ? "foreground" : "background";
}

type Ids = { readonly group: number; readonly foreground: number };

/** proc_pid_stat(5): the name in parentheses may hold anything; pgrp and tpgid are the 5th and 8th field. */
function idsOfProc(): Ids | undefined {
  try {
    const stat = readFileSync("/proc/self/stat", "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { group: Number(fields[2]), foreground: Number(fields[5]) };
  } catch {
    return undefined;
  }
}

function idsOfPs(): Ids | undefined {
  if (process.platform === "win32") return process.stdin.isTTY ? { group: 1, foreground: 1 } : undefined;
  const { stdout } = Bun.spawnSync(["ps", "-o", "pgid=,tpgid=", "-p", String(process.pid)]);
  const [group, foreground] = stdout.toString().trim().split(/\s+/).map(Number);
  return group === undefined || foreground === undefined ? undefined : { group, foreground };
}
