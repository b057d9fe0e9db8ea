/** Every exit code of the program. `run` gives its child's code besides. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  noDaemon: 3,
  /** A mistake in the program itself (EX_SOFTWARE of sysexits.h). */
  bug: 70,
  /** As shells tell it of a command that they could not start. */
  notExecutable: 126,
  notFound: 127,
} as const;
