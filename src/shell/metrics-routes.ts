import type { CooldownView } from "../core/cooldown.ts";
import type { FaultproxyEvent } from "../core/event.ts";
import { add, type Counter, counter, gauge, labelText } from "./metrics-text.ts";
import type { RouteState } from "./route-states.ts";

/** What metrics tell of routes. The names of targets come from the settings: they are few. */
export type RouteMetrics = {
  readonly note: (event: FaultproxyEvent) => void;
  /** None where there are no routes. */
  readonly lines: (routes: readonly RouteState[], cooldowns: readonly CooldownView[]) => readonly string[];
};

export function createRouteMetrics(): RouteMetrics {
  const failures: Counter = new Map();
  let failovers = 0;
  let rescues = 0;
  return {
    note(event) {
      if (event.type === "exchange") {
        if (event.gateway === undefined || event.gateway.tried.length === 0) return;
        for (const { target, failure } of event.gateway.tried)
          if (failure !== undefined) add(failures, labelText({ target, class: failure }));
      } else if (event.type === "failover") {
        failovers++;
        if (event.isRescue) rescues++;
      }
    },
    lines(routes, cooldowns) {
      if (routes.length === 0) return [];
      return [
        ...counter("faultproxy_target_failures_total", "Requests for which a target of a route failed, by class of failure.", failures),
        ...counter(
          "faultproxy_failovers_total",
          "Times that a request went on to another target of its route.",
          new Map([["", failovers]]),
        ),
        ...counter("faultproxy_rescues_total", "Failovers in the middle of a stream.", new Map([["", rescues]])),
        ...gauge(
          "faultproxy_target_available",
          "1: the target of a route can be asked; 0: its circuit, a cooldown or its credential keeps requests from it.",
          byTarget(routes, (states) => Number(states.every(({ passedOver }) => passedOver === undefined))),
        ),
        ...gauge(
          "faultproxy_cooldowns",
          "Credentials with which a target of a route is left alone for now.",
          byTarget(routes, ([{ name }]) => cooldowns.filter(({ key }) => key.target === name).length),
        ),
      ];
    },
  };
}

type States = readonly [RouteState["targets"][number], ...RouteState["targets"]];

/** A target may stand in several routes under one name. */
function byTarget(routes: readonly RouteState[], numberOf: (states: States) => number): readonly (readonly [string, number])[] {
  const states = new Map<string, States>();
  for (const target of routes.flatMap(({ targets }) => targets)) states.set(target.name, [target, ...(states.get(target.name) ?? [])]);
  return [...states].map(([target, each]) => [labelText({ target }), numberOf(each)]);
}
