/** Where the credential of a route's target comes from. */
export type CredentialSource =
  /** An environment variable of the daemon's. */
  | { readonly kind: "env"; readonly name: string }
  /** A file that holds nothing but the key, or one in a form of Claude Code's. */
  | { readonly kind: "file"; readonly path: string }
  /** The login of Claude Code on this machine: the credential files below `~/.claude`. */
  | { readonly kind: "claude" }
  /** A generic password of the macOS Keychain, or of the Secret Service on Linux, by the name of its service. */
  | { readonly kind: "keychain"; readonly service: string };

export type Credential = {
  /** `oauth`: a token of a login, such as a Claude subscription's. */
  readonly kind: "api_key" | "oauth";
  readonly secret: string;
  /** A short hash that tells one secret from another; never the secret. */
  readonly fingerprint: string;
  /** Unix time in ms; undefined: it does not say. */
  readonly expiresWallMs: number | undefined;
};

/** What a source gives by now. */
export type CredentialReading =
  | { readonly kind: "ready"; readonly credential: Credential }
  | {
      readonly kind: "unusable";
      readonly reason: "missing" | "unreadable" | "expired";
      /** One sentence for people: what, where, and what to do; never a secret. */
      readonly detail: string;
      /** Of what is there, where it is expired. */
      readonly fingerprint?: string;
      readonly expiresWallMs?: number;
    };

/** Reads sources. Answers at once from what it has seen last; files are looked at again when they have changed. */
export type Credentials = { readonly read: (source: CredentialSource) => CredentialReading };

/** As it is named to people: `env OPENAI_API_KEY`, `file ~/key`, `claude`, `keychain NAME`. */
export function sourceName(source: CredentialSource): string {
  switch (source.kind) {
    case "env":
      return `env ${source.name}`;
    case "file":
      return `file ${source.path}`;
    case "claude":
      return "claude";
    case "keychain":
      return `keychain ${source.service}`;
  }
}
