import { connect, type NetConnectOpts } from "node:net";

/** Undefined where the client takes it for none. */
function parse(url: string): URL | null {
  return /^(redis|valkey)s?:|^redis(\+tls)?(\+unix)?:/i.test(url) ? URL.parse(url) : null;
}

/** Where the server is, for people: without user and password. */
export function addressForPeople(url: string): string {
  const parsed = parse(url);
  return parsed === null ? "the store" : `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
}

/** Takes the user and the password of the URL out of a text. */
export function withoutSecrets(text: string, url: string): string {
  const parsed = parse(url);
  const secrets = parsed === null ? [url] : [parsed.password, parsed.username].flatMap((secret) => [secret, decoded(secret)]);
  return secrets.filter((secret) => secret !== "").reduce((rest, secret) => rest.replaceAll(secret, "…"), text);
}

/** The client says of any failed connection that it was closed; this says more. Never rejects. */
export async function whyNoConnection(url: string, msMax: number): Promise<string> {
  const target = targetOf(url);
  if (target === undefined) return "no URL of a Redis server";
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(target);
  const timer = setTimeout(() => resolve("no answer"), msMax);
  socket.on("connect", () => resolve("reached, but it does not take the connection: password, TLS or the number of the database"));
  socket.on("error", (error: NodeJS.ErrnoException) => resolve(WORDS[error.code ?? ""] ?? error.code ?? "not reached"));
  const why = await promise;
  clearTimeout(timer);
  socket.destroy();
  return why;
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the name of the host cannot be looked up",
  ENOENT: "no such socket",
  EACCES: "no permission for the socket",
  EHOSTUNREACH: "no way to the host",
  ENETUNREACH: "no way to the network",
};

const PORT = 6379;

function targetOf(url: string): NetConnectOpts | undefined {
  const parsed = parse(url);
  if (parsed === null) return undefined;
  if (parsed.protocol.endsWith("unix:")) return { path: decoded(parsed.pathname) };
  // IPv6 stands in brackets in a URL alone.
  return { host: parsed.hostname.replace(/^\[|\]$/g, ""), port: parsed.port === "" ? PORT : Number(parsed.port) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
