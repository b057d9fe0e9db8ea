import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** Where the ledger is that was not told a path: the service's state folder, else the user's. */
export function defaultLedgerPath(environment: Readonly<Record<string, string | undefined>>): string {
  const { STATE_DIRECTORY, XDG_STATE_HOME, HOME } = environment;
  // systemd gives several folders with colons between.
  const [service = ""] = (STATE_DIRECTORY ?? "").split(":");
  if (isAbsolute(service)) return join(service, "ledger.sqlite");
  const home = HOME !== undefined && isAbsolute(HOME) ? HOME : homedir();
  const state = XDG_STATE_HOME !== undefined && isAbsolute(XDG_STATE_HOME) ? XDG_STATE_HOME : join(home, ".local/state");
  return join(state, "faultproxy/ledger.sqlite");
}
