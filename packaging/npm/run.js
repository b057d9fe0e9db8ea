// Runs the program that the package of this machine holds: the same arguments, streams and signals, and its exit code.
const { spawn } = require("node:child_process");
const { readFileSync } = require("node:fs");
const { constants } = require("node:os");

/** Of this machine, as npm names what it installs for it. */
function packageName() {
  const libc = process.platform === "linux" && isMusl() ? "-musl" : "";
  return `@faultproxy/${process.platform}-${process.arch}${libc}`;
}

function isMusl() {
  process.report.excludeNetwork = true;
  return process.report.getReport().header.glibcVersionRuntime === undefined;
}

function programPath() {
  const name = packageName();
  try {
    return require.resolve(`${name}/bin/faultproxy${process.platform === "win32" ? ".exe" : ""}`);
  } catch {
    process.stderr.write(
      `faultproxy: error: the package ${name} is not there. npm leaves it out where it is told to omit optional packages, and where there is none for this system; then build faultproxy from source\n`,
    );
    process.exit(1);
  }
}

/** A terminal sends Ctrl-C and Ctrl-\ to its whole foreground group, the program included: passed on, they would come twice. */
function comesFromTerminal(signal) {
  return (signal === "SIGINT" || signal === "SIGQUIT") && isForeground();
}

/** proc_pid_stat(5): the name in parentheses may hold anything; pgrp and tpgid are the 5th and 8th field. */
function isForeground() {
  try {
    const stat = readFileSync("/proc/self/stat", "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[2] === fields[5];
  } catch {
    return [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
  }
}

/** `name`: what the program is to think it was called by. */
module.exports = function run(name) {
  const child = spawn(programPath(), process.argv.slice(2), { argv0: name, stdio: "inherit" });
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"].filter((signal) => signal in constants.signals);
  const pass = (signal) => {
    if (!comesFromTerminal(signal)) child.kill(signal);
  };
  for (const signal of signals) process.on(signal, pass);
  child.on("error", (error) => {
    process.stderr.write(`faultproxy: error: cannot start ${child.spawnfile} (${error.code})\n`);
    process.exit(126);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    for (const each of signals) process.off(each, pass);
    process.kill(process.pid, signal);
  });
};
