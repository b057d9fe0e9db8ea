import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { checkSocketFile, codeOf, defaultSockets, defaultSocketsOf, type Environment } from "./socket-path.ts";
import type { Status } from "./status.ts";

/** A daemon on this machine answers at once, or is stopped. */
const ANSWER_MS_MAX = 3_000;

export type ControlAnswer = { readonly status: number; readonly body: unknown };
export type Unreachable = { readonly kind: "unreachable"; readonly code: string };

export function isUnreachable(value: unknown): value is Unreachable {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "unreachable";
}

/** One request to a daemon's control socket. */
export async function askDaemon(socket: string, method: string, path: string, body?: unknown): Promise<ControlAnswer | Unreachable> {
  const response = await openAnswer(socket, path, {
    method,
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  if (isUnreachable(response)) return response;
  try {
    return { status: response.status, body: await response.json() };
  } catch (error) {
    return { kind: "unreachable", code: error instanceof SyntaxError ? "no JSON in the answer" : codeOf(error) };
  }
}

/** An answer whose body is read by the caller. */
export async function openAnswer(socket: string, path: string, options: RequestInit): Promise<Response | Unreachable> {
  try {
    return await fetch(`http://localhost${path}`, { ...options, unix: socket });
  } catch (error) {
    return { kind: "unreachable", code: error instanceof DOMException && error.name === "TimeoutError" ? "no answer" : codeOf(error) };
  }
}

/** Is somebody listening? `stale`: the file of a daemon that ended without removing it. */
export async function probe(socket: string): Promise<Status | "stale" | "foreign"> {
  const answer = await askDaemon(socket, "GET", "/v1/status");
  if (isUnreachable(answer)) return /^(ECONNREFUSED|ENOENT)$/.test(answer.code) ? "stale" : "foreign";
  return isStatus(answer.body) ? answer.body : "foreign";
}

function isStatus(body: unknown): body is Status {
  return typeof body === "object" && body !== null && "pid" in body && "port" in body && "modeTitle" in body;
}

export type Found =
  | { readonly kind: "one"; readonly socket: string; readonly status: Status }
  | { readonly kind: "none"; readonly where: string }
  | { readonly kind: "several"; readonly daemons: readonly Status[] };

export type Choice = { readonly socket: string | undefined; readonly port: number | undefined };

/** The daemon that a choice names, or the only one there is. */
export async function findDaemon(choice: Choice, environment: Environment): Promise<Found | InputError> {
  const named = choice.socket ?? (choice.port === undefined ? environment.FAULTPROXY_SOCKET || undefined : undefined);
  if (named !== undefined) {
    const status = await daemonAt(named);
    if (isInputError(status)) return status;
    return status === undefined ? { kind: "none", where: `at ${named}` } : { kind: "one", socket: named, status };
  }
  const paths = choice.port === undefined ? defaultSockets(environment) : defaultSocketsOf(choice.port, environment);
  const probed = await Promise.all(paths.map(async (socket) => ({ socket, status: await daemonAt(socket) })));
  const found = probed.flatMap(({ socket, status }) => (status === undefined || isInputError(status) ? [] : [{ socket, status }]));
  const [first, ...others] = found;
  if (first === undefined) {
    const refused = probed.map(({ status }) => status).find(isInputError);
    return refused ?? { kind: "none", where: choice.port === undefined ? "of this user" : `on port ${choice.port}` };
  }
  return others.length === 0 ? { kind: "one", ...first } : { kind: "several", daemons: found.map(({ status }) => status) };
}

async function daemonAt(socket: string): Promise<Status | undefined | InputError> {
  const file = checkSocketFile(socket);
  if (isInputError(file)) return file;
  if (file === "none") return undefined;
  const found = await probe(socket);
  if (found === "stale") return undefined;
  return found === "foreign" ? inputError(`what listens at ${socket} does not answer like a faultproxy daemon`) : found;
}
