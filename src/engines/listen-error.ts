import { type InputError, inputError } from "../core/errors.ts";
import type { ListenOptions } from "./engine.ts";

/** Why an address cannot be listened on, and what to change. */
export function listenError(error: unknown, { address, setting }: Pick<ListenOptions, "address" | "setting">): InputError {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  const why = code || (error instanceof Error ? error.message : "unknown error");
  if (address.kind === "fd") return inputError(`cannot listen on the socket handed over as descriptor ${address.fd} (${why})`);
  if (address.kind === "unix") {
    if (code === "EADDRINUSE") return inputError(`${address.path} is there already; remove it, or choose another with ${setting}`);
    if (code === "EINVAL" || code === "ENAMETOOLONG")
      return inputError(`${address.path} is too long for a socket; choose a shorter one with ${setting}`);
    if (code === "ENOENT") return inputError(`the folder of ${address.path} does not exist; make it, or choose another with ${setting}`);
    return inputError(`cannot listen on ${address.path} (${why}); choose another with ${setting}`);
  }
  const { host, port } = address;
  if (code === "EADDRINUSE") return inputError(`port ${port} on ${host} is in use; choose another with ${setting}, or 0 for a free one`);
  if (code === "EACCES") return inputError(`port ${port} needs more rights than this user has; choose another with ${setting}, above 1023`);
  if (["EADDRNOTAVAIL", "ENOTFOUND", "EINVAL", ""].includes(code))
    return inputError(
      `${host} is not an address of this machine; choose one with ${setting === "--port" ? "--host" : setting}, such as 127.0.0.1`,
    );
  return inputError(`cannot listen on ${host}:${port} (${why})`);
}
