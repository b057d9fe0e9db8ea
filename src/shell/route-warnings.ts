import type { Settings } from "../config/settings.ts";
import type { RouteState } from "./route-states.ts";
import type { Targets } from "./targets.ts";

/** What keeps requests from targets of routes for longer than a while: one sentence each, without credentials. */
export function routeWarnings(
  settings: Pick<Settings, "routes" | "apiKeys" | "open">,
  targets: Targets,
  states: readonly RouteState[],
): readonly string[] {
  return [...placeless(settings, targets), ...unusableCredentials(states), ...notLent(settings)];
}

function placeless({ routes }: Pick<Settings, "routes">, targets: Targets): readonly string[] {
  const found = routes.flatMap((route, index) =>
    route.targets.flatMap(({ provider, url }) => {
      const usual = targets[provider];
      if (url !== undefined || usual.kind !== "missing") return [];
      return [
        `[[route]] number ${index + 1}: its target at ${provider} is never asked, for its host is not known; set ${usual.variable}, or its url`,
      ];
    }),
  );
  return [...new Set(found)];
}

/** A credential may come later, or be renewed: its targets are passed over until it does. */
function unusableCredentials(states: readonly RouteState[]): readonly string[] {
  const names = new Map<string, Set<string>>();
  for (const { name, credential } of states.flatMap((route) => route.targets)) {
    if (credential === undefined || credential.state === "ready") continue;
    const detail = credential.detail ?? `the credential ${credential.source} is ${credential.state}`;
    names.set(detail, (names.get(detail) ?? new Set()).add(name));
  }
  return [...names].map(([detail, targets]) => {
    const all = [...targets].join(", ");
    return `${detail}; until then ${targets.size === 1 ? `the target ${all} of a route is` : `the targets ${all} of routes are`} passed over`;
  });
}

function notLent({ routes, apiKeys, open }: Pick<Settings, "routes" | "apiKeys" | "open">): readonly string[] {
  const lends = routes.some((route) => route.targets.some(({ credential }) => credential !== undefined));
  if (!open || apiKeys.length > 0 || !lends) return [];
  return [
    "the credentials of [[route]] are lent to requests from this machine alone, for there are no [server] api_keys that others could show",
  ];
}
