import type { RouteMatchSetting } from "../config/route-settings.ts";
import type { RouteStatus, RouteTargetStatus } from "../shell/route-status.ts";
import { columns } from "./columns.ts";
import { visible } from "./print.ts";
import { untilText } from "./until-text.ts";

/** Routes with their targets, as `ctl status` shows them. */
export function routesText(routes: readonly RouteStatus[], nowMs: number): string {
  if (routes.length === 0) return "";
  const each = routes.map(({ match, targets }) => {
    const rows = targets.map((target) => [visible(target.name), stateText(target, nowMs), credentialText(target, nowMs)]);
    const hints = new Set(targets.flatMap(({ credential }) => credential?.detail ?? []));
    return `  ${visible(matchText(match))}\n${indented(columns(rows))}${[...hints].map((hint) => `    ${visible(hint)}\n`).join("")}`;
  });
  return `Routes:\n${each.join("")}`;
}

/** A route in the banner of `serve`. */
export function routeLine({ match, targets }: RouteStatus): string {
  return visible(`Route: ${matchText(match)}: ${targets.map(({ name }) => name).join(" → ")}`);
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, "    ");
}

function matchText(match: RouteMatchSetting): string {
  const parts = Object.entries(match).map(([key, glob]) => `${key} ${glob}`);
  return parts.length === 0 ? "every request" : parts.join(", ");
}

/** What keeps requests from it comes first. */
function stateText({ circuit, cooldown, passedOver }: RouteTargetStatus, nowMs: number): string {
  const until = (moment: string | null) => (moment === null ? "" : ` until ${untilText(moment, nowMs)}`);
  const texts = [
    ...(cooldown === null ? [] : [`left alone${until(cooldown.until)} (${cooldown.reason.replaceAll("_", " ")})`]),
    ...(circuit === null || circuit.state === "closed"
      ? []
      : [`circuit ${circuit.state.replace("_", " ")}${until(circuit.cooldownUntil)}`]),
    ...(circuit?.state === "closed" && circuit.failures > 0
      ? [`${circuit.failures} ${circuit.failures === 1 ? "failure" : "failures"}`]
      : []),
    ...(passedOver === "no_upstream" ? ["no host is set"] : []),
  ];
  return texts.length > 0 ? texts.join(", ") : passedOver === null ? "ready" : "not asked";
}

function credentialText({ credential }: RouteTargetStatus, nowMs: number): string {
  if (credential === null) return "";
  const { source, state, expires } = credential;
  const when = expires === null ? "" : ` ${state === "expired" ? "since" : "until"} ${untilText(expires, nowMs)}`;
  return visible(`${source}: ${state}${when}`);
}
