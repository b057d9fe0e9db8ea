import { createConsola } from "consola/basic";
import { printError, styleFor } from "./print.ts";

/** Warnings and errors of the command line itself, one line each, on standard error. */
export const message = createConsola({
  reporters: [
    {
      log({ type, args }) {
        const { bold, red, yellow } = styleFor(process.stderr);
        const label = type === "error" ? `${red("error")}: ` : type === "warn" ? `${yellow("warning")}: ` : "";
        printError(`${bold("faultproxy")}: ${label}${args.join(" ")}\n`);
      },
    },
  ],
  // Repeated lines are told as they are, not summed up.
  throttle: 0,
});
