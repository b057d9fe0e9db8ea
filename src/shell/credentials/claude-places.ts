import { createHash } from "node:crypto";
import { isAbsolute, join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where Claude Code keeps what is its own. */
export function claudeFolder(environment: Environment, home: string): string {
  const { CLAUDE_CONFIG_DIR = "" } = environment;
  return CLAUDE_CONFIG_DIR === "" ? join(home, ".claude") : absolute(CLAUDE_CONFIG_DIR, home);
}

/** The file of Claude Code's own, and the one that `credentials sync` writes. */
export const OWN_FILE = ".credentials.json";
export const SYNCED_FILE = "claude-credentials.json";

/** Both files that can hold the login. */
export function claudeFiles(environment: Environment, home: string): readonly string[] {
  const folder = claudeFolder(environment, home);
  return [join(folder, OWN_FILE), join(folder, SYNCED_FILE)];
}

/** The name of the login's item in the Keychain. Claude Code gives each folder that was named to it an item of its own. */
export function claudeService(environment: Environment): string {
  const { CLAUDE_CONFIG_DIR = "" } = environment;
  if (CLAUDE_CONFIG_DIR === "") return "Claude Code-credentials";
  return `Claude Code-credentials-${createHash("sha256").update(CLAUDE_CONFIG_DIR.normalize("NFC")).digest("hex").slice(0, 8)}`;
}

/** A path as people write it: from their home folder where it says so. */
export function absolute(path: string, home: string): string {
  if (path === "~") return home;
  if (path.startsWith("~/")) return join(home, path.slice(2));
  return isAbsolute(path) ? path : join(process.cwd(), path);
}
