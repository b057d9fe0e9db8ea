import { unlinkSync } from "node:fs";
import type { Settings } from "../config/settings.ts";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { COMMAND_CHARACTERS_MAX } from "../core/limits.ts";
import { percentDecoded } from "../core/percent-decoded.ts";
import type { BreakerKey, StateStore } from "../core/state-store.ts";
import { joinWords } from "../rules/words.ts";
import { circuitKey, circuitStatus } from "./circuits.ts";
import { probe } from "./control-client.ts";
import { cooldownRoutes } from "./control-cooldowns.ts";
import { answer, type ControlRoutes, failure } from "./control-routes.ts";
import type { Daemon } from "./daemon.ts";
import { eventStream } from "./event-stream.ts";
import { routeStatuses } from "./route-status.ts";
import { checkSocketFile, codeOf, type Environment, socketName, socketPathFor } from "./socket-path.ts";
import { rulesStatus, type Status } from "./status.ts";

export type ControlServer = {
  readonly path: string;
  /** Breaks off all readers and removes the socket. */
  readonly stop: () => Promise<void>;
};

/** Bytes of a request to the socket: a command in JSON, every character of it escaped. */
const BODY_BYTES_MAX = 6 * COMMAND_CHARACTERS_MAX + 1_024;

/** Running answers get this long when the socket is closed. */
const LAST_ANSWERS_MS_MAX = 200;

/** What commands ask of whoever holds the daemon. */
export type ControlActions = {
  readonly quit: () => void;
  /** What it came to, as JSON. */
  readonly reload: () => object | InputError;
  readonly status: (socket: string) => Status;
};

/** A reader of events may wait long for the next one. Bun takes it for Unix sockets too; its types know it with a port alone. */
const NEVER_IDLE: object = { idleTimeout: 0 };

/** Opens the control socket of a daemon whose port is open. */
export async function openControlServer(
  daemon: Daemon,
  settings: Settings,
  environment: Environment,
  actions: ControlActions,
): Promise<ControlServer | InputError> {
  const path = socketPathFor(settings.socket, socketName(daemon.port, settings.reusePort, process.pid), environment);
  if (isInputError(path)) return path;
  const mistake = await makeRoom(path);
  if (mistake !== undefined) return mistake;
  const over = new AbortController();
  const routes = controlRoutes(daemon, path, actions, over.signal);
  // The file is made by listening, and must never be open to others, not for a moment.
  const umask = process.umask(0o177);
  try {
    const server = Bun.serve({
      unix: path,
      development: false,
      maxRequestBodySize: BODY_BYTES_MAX,
      ...NEVER_IDLE,
      fetch: (request) => answer(request, routes),
      error: () => failure(500, "something unexpected went wrong"),
    });
    return {
      path,
      async stop() {
        over.abort();
        // The answer to the command that brought the end is still on its way.
        await Promise.race([server.stop(false), Bun.sleep(LAST_ANSWERS_MS_MAX)]);
        await server.stop(true);
      },
    };
  } catch (error) {
    return inputError(`cannot open the control socket ${path} (${codeOf(error)}); choose another path with --socket`);
  } finally {
    process.umask(umask);
  }
}

/** A stale socket is removed, a live one never. */
async function makeRoom(path: string): Promise<InputError | undefined> {
  const file = checkSocketFile(path);
  if (file === "none") return undefined;
  if (isInputError(file)) return file;
  const found = await probe(path);
  if (found === "stale") {
    unlinkSync(path);
    return undefined;
  }
  const who = found === "foreign" ? "another program listens" : `a daemon (pid ${found.pid}, port ${found.port}) listens`;
  const stopIt = found === "foreign" ? "" : `stop it with ${joinWords(["faultproxy", "ctl", "quit", "--socket", path])}, or `;
  return inputError(`${who} on the control socket ${path} already; ${stopIt}choose another path with --socket`);
}

function controlRoutes(daemon: Daemon, path: string, { quit, ...actions }: ControlActions, over: AbortSignal): ControlRoutes {
  const status = async () => {
    const circuits = (await daemon.circuits()?.breakers()) ?? [];
    return Response.json({ ...actions.status(path), routes: routeStatuses(daemon.routes(circuits)) } satisfies Status);
  };
  const reload = (done: (reloaded: object) => Response | Promise<Response>): Response | Promise<Response> => {
    const reloaded = actions.reload();
    return isInputError(reloaded) ? failure(400, reloaded.message) : done(reloaded);
  };
  const rules = () => Response.json({ rules: rulesStatus(daemon.rules()) });
  const perform = (text: string, done: () => Response | Promise<Response>): Response | Promise<Response> => {
    const result = daemon.command(text);
    if (isInputError(result)) return failure(400, result.message);
    if (result.command.kind === "reload") return reload(done);
    const response = done();
    if (result.command.kind === "quit") quit();
    return response;
  };
  return [
    { path: /^\/v1\/status$/, methods: { GET: status } },
    {
      path: /^\/v1\/command$/,
      methods: {
        async POST(request) {
          const text = await textOf(request, "command");
          return isInputError(text) ? failure(400, text.message) : perform(text, status);
        },
      },
    },
    {
      path: /^\/v1\/rules$/,
      methods: {
        GET: rules,
        async POST(request) {
          const text = await textOf(request, "rule");
          return isInputError(text) ? failure(400, text.message) : perform(`add ${text}`, rules);
        },
        DELETE: () => perform("clear", rules),
      },
    },
    {
      path: /^\/v1\/rules\/[^/]+$/,
      methods: {
        DELETE(_, url) {
          const id = percentDecoded(url.pathname.slice("/v1/rules/".length));
          const known = rulesStatus(daemon.rules()).some((rule) => rule.id === id);
          return known ? perform(joinWords(["rm", id]), rules) : failure(404, `there is no rule ${id}`);
        },
      },
    },
    {
      path: /^\/v1\/events$/,
      methods: {
        GET(_, url) {
          const follow = url.searchParams.get("follow") ?? "true";
          if (follow !== "true" && follow !== "false") return failure(400, "follow is true or false");
          return new Response(eventStream(daemon.events, follow === "true", over), { headers: { "content-type": "application/x-ndjson" } });
        },
      },
    },
    { path: /^\/v1\/breakers$/, methods: { GET: () => withCircuits(daemon, list) } },
    {
      path: /^\/v1\/breakers\/reset$/,
      methods: {
        POST: (request) =>
          withCircuits(daemon, async (store) => {
            const key = await circuitOf(request, true);
            return isInputError(key) ? failure(400, key.message) : Response.json({ reset: await store.resetBreaker(key) });
          }),
      },
    },
    {
      path: /^\/v1\/breakers\/open$/,
      methods: {
        POST: (request) =>
          withCircuits(daemon, async (store) => {
            const key = await circuitOf(request, false);
            if (key === undefined || isInputError(key)) return failure(400, key?.message ?? CIRCUIT_EXPECTED);
            await store.openBreaker(key);
            return list(store);
          }),
      },
    },
    ...cooldownRoutes(daemon),
    { path: /^\/v1\/reload$/, methods: { POST: () => reload((reloaded) => Response.json(reloaded)) } },
    {
      path: /^\/v1\/shutdown$/,
      methods: {
        POST() {
          quit();
          return Response.json({ stopping: true }, { status: 202 });
        },
      },
    },
  ];
}

async function list(store: StateStore): Promise<Response> {
  return Response.json({ circuits: (await store.breakers()).map(circuitStatus) });
}

function withCircuits(daemon: Daemon, answerWith: (store: StateStore) => Promise<Response>): Response | Promise<Response> {
  const store = daemon.circuits();
  const how = "there are no circuits: start with --gateway, or set mode in [breaker] of the configuration file";
  return store === undefined ? failure(409, how) : answerWith(store);
}

const CIRCUIT_EXPECTED = 'expected JSON such as {"circuit": "openai/gpt-5"}';

/** Undefined: none is named, which is all of them. */
async function circuitOf(request: Request, mayBeAll: boolean): Promise<BreakerKey | undefined | InputError> {
  const body = (await request.text()).trim();
  if (body === "" && mayBeAll) return undefined;
  try {
    const { circuit } = JSON.parse(body) as { circuit?: unknown };
    if (typeof circuit === "string") return circuitKey(circuit);
    if (mayBeAll && (circuit === undefined || circuit === null)) return undefined;
  } catch {
    // It is told below.
  }
  return inputError(CIRCUIT_EXPECTED);
}

/** A command as plain text, or as JSON under the given key. */
async function textOf(request: Request, key: "command" | "rule"): Promise<string | InputError> {
  const body = (await request.text()).trim();
  if (!body.startsWith("{")) return body;
  const expected = inputError(`expected a text, or JSON such as {"${key}": "r 30%"}`);
  try {
    const value = (JSON.parse(body) as Record<string, unknown>)[key];
    return typeof value === "string" ? value : expected;
  } catch {
    return expected;
  }
}
