import type { CredentialSource } from "../core/credential.ts";
import { type Columns, innerTable, mapped } from "./table-list.ts";
import { inFile, isTable, type ValueKind } from "./value-kinds.ts";

const EXPECTED = 'where the key is, such as { env = "OPENAI_API_KEY" }, { file = "~/key" }, { claude = true } or { keychain = "NAME" }';
const NOT_HERE = "a key itself is put into a variable or a file of its own, and not here";

/** Letters, digits and _ are all that a variable's name has; a key of such looks like no name that anybody gives. */
const VARIABLE = /^[A-Za-z_]\w{0,127}$/;
const KEY_BEGINNING =
  /^(?:sk|pk|rk|gsk|xai|hf|ghp|github_pat|pplx|nvapi|r8|glpat|xox[a-z])[-_](?=.{12})(?=.*\d)|^(?:AIza|dapi|AKIA|eyJ)\w{12}/;
const KEY_TEXT = /^(?=.*\d)(?=.*[a-z])[A-Za-z\d]{20,}$/;

function isKey(text: string): boolean {
  return KEY_BEGINNING.test(text) || KEY_TEXT.test(text);
}

function textKind(hint: string, expected: string, isRight: (text: string) => boolean): ValueKind<string> {
  return inFile(hint, expected, (value) => (typeof value === "string" && isRight(value) && !isKey(value) ? value : undefined));
}

/** The four sources of a credential, of which each has one. */
export const CREDENTIAL_COLUMNS: Columns = {
  env: {
    name: "env",
    value: textKind("NAME", `the name of an environment variable, such as OPENAI_API_KEY; ${NOT_HERE}`, (value) => VARIABLE.test(value)),
    summary: "an environment variable of the proxy's that holds the key",
    example: '"OPENAI_API_KEY"',
  },
  file: {
    name: "file",
    value: textKind(
      "FILE",
      `the path of a file, such as ~/.config/openai.key; ${NOT_HERE}`,
      (value) => /\S/.test(value) && !/\p{Cc}/u.test(value) && !/^~(?!\/.)/.test(value),
    ),
    summary: "a file that holds nothing but the key, or a credential file of Claude Code's; ~/ is the home folder",
    example: '"~/.config/openai.key"',
  },
  claude: {
    name: "claude",
    value: inFile("true", "true, or another source in its place", (value) => (value === true ? value : undefined)),
    summary: "the login of Claude Code on this machine, below ~/.claude",
    example: "true",
  },
  keychain: {
    name: "keychain",
    value: textKind(
      "NAME",
      `the name of a service in the keychain; ${NOT_HERE}`,
      (value) => /^\S(?:.{0,254}\S)?$/.test(value) && !/\p{Cc}/u.test(value),
    ),
    summary: "a generic password of the macOS Keychain, or of the Secret Service on Linux, by the name of its service",
    example: '"openai"',
  },
};

type Written = { readonly env?: string; readonly file?: string; readonly claude?: true; readonly keychain?: string };

const SOURCE = mapped(
  innerTable<Written>(CREDENTIAL_COLUMNS, `${EXPECTED}; ${NOT_HERE}`, (source) =>
    Object.keys(source).length === 1 ? undefined : `exactly one of ${Object.keys(CREDENTIAL_COLUMNS).join(", ")}`,
  ),
  sourceOf,
  writtenOf,
);

/** Words under which people write the key itself. */
const KEY_WORD = /key|token|secret|passw|bearer|auth|value|credential/i;

export const CREDENTIAL: ValueKind<CredentialSource> = {
  ...SOURCE,
  fromToml(value) {
    const unknown = isTable(value) ? Object.keys(value).filter((key) => !Object.hasOwn(CREDENTIAL_COLUMNS, key)) : [];
    // Neither what was written nor its name: either may be the key.
    if (unknown.some((key) => KEY_WORD.test(key) || isKey(key))) return { ok: false, expected: `${EXPECTED}; ${NOT_HERE}` };
    return SOURCE.fromToml(value);
  },
};

function sourceOf({ env, file, claude, keychain = "" }: Written): CredentialSource {
  if (env !== undefined) return { kind: "env", name: env };
  if (file !== undefined) return { kind: "file", path: file };
  return claude === true ? { kind: "claude" } : { kind: "keychain", service: keychain };
}

function writtenOf(source: CredentialSource): Written {
  switch (source.kind) {
    case "env":
      return { env: source.name };
    case "file":
      return { file: source.path };
    case "claude":
      return { claude: true };
    case "keychain":
      return { keychain: source.service };
  }
}
