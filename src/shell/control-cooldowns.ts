import type { CooldownReason, Cooldowns, CooldownView } from "../core/cooldown.ts";
import { type InputError, inputError, isInputError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest.ts";
import { type ControlRoutes, failure } from "./control-routes.ts";
import type { Daemon } from "./daemon.ts";

/** A target that is left alone, as the control socket tells it. */
export type CooldownStatus = {
  readonly target: string;
  readonly reason: CooldownReason;
  /** RFC 3339; of several credentials the last. */
  readonly until: string;
  /** With how many credentials it is left alone. */
  readonly credentials: number;
};

/** Targets of routes that are left alone, and an end to that. */
export function cooldownRoutes(daemon: Pick<Daemon, "cooldowns" | "routes">): ControlRoutes {
  const withCooldowns = (then: (cooldowns: Cooldowns) => Response | Promise<Response>): Response | Promise<Response> => {
    const cooldowns = daemon.cooldowns();
    return cooldowns === undefined ? failure(409, "there are no routes: a [[route]] in the configuration file makes one") : then(cooldowns);
  };
  return [
    { path: /^\/v1\/cooldowns$/, methods: { GET: () => withCooldowns(list) } },
    {
      path: /^\/v1\/cooldowns\/reset$/,
      methods: {
        POST: (request) =>
          withCooldowns(async (cooldowns) => {
            const target = await targetOf(request, () => namesOf(daemon, cooldowns));
            return isInputError(target) ? failure(400, target.message) : reset(cooldowns, target);
          }),
      },
    },
  ];
}

function list(cooldowns: Cooldowns): Response {
  return Response.json({ cooldowns: cooldownStatuses(cooldowns.all()) });
}

/** Counts targets: how many clients have met one says nothing. */
function reset(cooldowns: Cooldowns, target: string | undefined): Response {
  const ended = cooldownStatuses(cooldowns.all()).filter((each) => target === undefined || each.target === target);
  cooldowns.reset(target);
  return Response.json({ reset: new Set(ended.map((each) => each.target)).size });
}

/** Clients show keys of their own, each with a cooldown of its own: they are told as one. */
function cooldownStatuses(views: readonly CooldownView[]): readonly CooldownStatus[] {
  const groups = new Map<string, { readonly first: CooldownView; untilMs: number; credentials: number }>();
  for (const view of views) {
    const name = `${view.reason} ${view.key.target}`;
    const group = groups.get(name) ?? { first: view, untilMs: 0, credentials: 0 };
    group.untilMs = Math.max(group.untilMs, view.untilWallMs);
    group.credentials++;
    groups.set(name, group);
  }
  return [...groups.values()].map(({ first, untilMs, credentials }) => ({
    target: first.key.target,
    reason: first.reason,
    until: new Date(untilMs).toISOString(),
    credentials,
  }));
}

/** Also of targets that a reload has taken away. */
function namesOf(daemon: Pick<Daemon, "routes">, cooldowns: Cooldowns): ReadonlySet<string> {
  const ofRoutes = daemon.routes([]).flatMap(({ targets }) => targets.map(({ name }) => name));
  return new Set([...ofRoutes, ...cooldowns.all().map(({ key }) => key.target)]);
}

/** Undefined: none is named, which is all of them. */
async function targetOf(request: Request, names: () => ReadonlySet<string>): Promise<string | undefined | InputError> {
  const body = (await request.text()).trim();
  if (body === "") return undefined;
  try {
    const { target } = JSON.parse(body) as { target?: unknown };
    if (target === undefined || target === null) return undefined;
    if (typeof target === "string") return names().has(target) ? target : unknownTarget(target, names());
  } catch {
    // It is told below.
  }
  return inputError('expected JSON such as {"target": "openai/gpt-5"}');
}

function unknownTarget(typed: string, names: ReadonlySet<string>): InputError {
  const meant = didYouMean(typed, names) || " (ctl status lists them)";
  return inputError(`no route has a target "${typed}"${meant}`);
}
