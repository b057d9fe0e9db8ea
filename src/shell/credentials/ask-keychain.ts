import { credentialOfText } from "./credential-text.ts";
import { type Environment, type ProgramEnd, runProgram } from "./run-program.ts";

/** What the store of secrets says. Details have nothing of an item in them. */
export type KeychainAnswer =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "missing"; readonly detail: string }
  /** It could not be asked, so that what was known before may still be so. */
  | { readonly kind: "failed"; readonly detail: string };

export type AskKeychain = (service: string, signal?: AbortSignal) => Promise<KeychainAnswer>;

export type KeychainMachine = {
  readonly platform: NodeJS.Platform;
  readonly environment: Environment;
  /** Of whoever it is. */
  readonly user: string;
  readonly timeoutMs?: number;
};

/** Somebody may have to type a password. */
const ASK_MS_MAX = 30_000;

/** As people know it on that platform; undefined where none is known. */
export function keychainTitle(platform: NodeJS.Platform): string | undefined {
  return platform === "darwin" ? "the Keychain" : platform === "linux" ? "the Secret Service" : undefined;
}

/** Begins a sentence, and has nothing that a terminal would act on. */
export function itemPlace(service: string, platform: NodeJS.Platform): string {
  const store = keychainTitle(platform) ?? "a keychain";
  return `the item ${JSON.stringify(service)} of ${store}`;
}

/** Asks the program of the platform for the item of a service. The secret comes on its standard output, and nowhere else. */
export function askKeychainOf({ platform, environment, user, timeoutMs = ASK_MS_MAX }: KeychainMachine): AskKeychain {
  const run = (name: string, words: readonly string[], signal: AbortSignal | undefined) =>
    runProgram(name, words, { environment, timeoutMs, ...(signal === undefined ? {} : { signal }) });
  const asMac = async (service: string, signal?: AbortSignal): Promise<KeychainAnswer> => {
    const ask = async (more: readonly string[]) =>
      answerOfMac(await run("security", ["find-generic-password", ...more, "-s", service, "-w"], signal), service);
    const answer = await ask([]);
    if (!isFormWithoutLogin(answer)) return answer;
    // Claude Code keeps logins to MCP servers under the same name, and without an account either item may be found first.
    const own = await ask(["-a", user]);
    return own.kind === "text" ? own : answer;
  };
  const asLinux = async (service: string, signal?: AbortSignal) =>
    answerOfLinux(await run("secret-tool", ["lookup", "service", service], signal), service);
  if (platform === "darwin") return asMac;
  if (platform === "linux") return asLinux;
  return async () => ({
    kind: "failed",
    detail: `no keychain is known on ${platform}; put the key into an environment variable or a file`,
  });
}

/** Exit codes of security are the last eight bits of the error (SecBase.h). */
const MAC_NOT_FOUND = 44;
const MAC_CODES: Readonly<Record<number, string>> = {
  36: "nobody can be asked for leave, as over ssh; unlock it with: security unlock-keychain",
  51: "it is locked; unlock it with: security unlock-keychain",
  128: "leave to read it was refused; allow it when macOS asks",
};

function answerOfMac(end: ProgramEnd, service: string): KeychainAnswer {
  const place = itemPlace(service, "darwin");
  if (end.kind === "absent") return { kind: "failed", detail: `${place} cannot be read: the program security is not on the PATH` };
  if (end.kind === "stopped")
    return { kind: "failed", detail: `${place} cannot be read: security did not answer; is the Keychain locked?` };
  if (end.code === MAC_NOT_FOUND) return { kind: "missing", detail: `${place} does not exist` };
  if (end.code !== 0) {
    const why = MAC_CODES[end.code] ?? `security ended with ${end.code}`;
    return { kind: "failed", detail: `${place} cannot be read: ${why}` };
  }
  return { kind: "text", text: withoutHex(end.out.trim()) };
}

function answerOfLinux(end: ProgramEnd, service: string): KeychainAnswer {
  const place = itemPlace(service, "linux");
  if (end.kind === "absent") {
    const advice = "install it (libsecret-tools, libsecret), or put the key into a file";
    return { kind: "failed", detail: `${place} cannot be read: the program secret-tool is not on the PATH; ${advice}` };
  }
  if (end.kind === "stopped") {
    return { kind: "failed", detail: `${place} cannot be read: secret-tool did not answer; is the keyring locked?` };
  }
  if (end.code === 0) return { kind: "text", text: end.out.trim() };
  // It has one code for all, and is silent where there is none.
  if (!end.hasComplained) return { kind: "missing", detail: `${place} does not exist` };
  return { kind: "failed", detail: `${place} cannot be read: secret-tool ended with ${end.code}; does a keyring run in this session?` };
}

/** Where an item has line breaks or other letters than those of ASCII, security prints it as digits. */
function withoutHex(text: string): string {
  if (text.length % 2 !== 0 || !/^(0x)?7b[\da-f]+$/i.test(text)) return text;
  const decoded = Buffer.from(text.replace(/^0x/i, ""), "hex").toString("utf8");
  // A key may be such digits too; a form would not come out of one.
  return credentialOfText(decoded, "").kind === "credential" ? decoded.trim() : text;
}

function isFormWithoutLogin(answer: KeychainAnswer): boolean {
  if (answer.kind !== "text" || !answer.text.startsWith("{")) return false;
  return credentialOfText(answer.text, "").kind === "unusable";
}
