import type { Identified, OpenResponse } from "../../core/exchange.ts";
import { BROKEN, type Failure } from "../../core/failure.ts";
import type { RetryManner } from "../../core/gateway.ts";
import type { Ports } from "../../core/ports.ts";
import type { Route, RouteTarget } from "../../core/route.ts";
import { afterTarget, cooldownOf } from "../../policy/after-target.ts";
import type { Attempted } from "../attempt.ts";
import type { PlannedFault } from "../decide.ts";
import { contextTokensOf } from "../helpers/error-context.ts";
import { forget } from "../helpers/governed.ts";
import type { Waiting } from "../helpers/no-target.ts";
import { timestamp } from "../helpers/timestamp.ts";
import { withoutSecret } from "../helpers/without-secret.ts";
import { inspectRouted } from "../inspect-routed.ts";
import type { Notes } from "../record.ts";
import { type Leg, legOf } from "../route.ts";
import { type FactsOnDemand, type TargetSide, targetSide } from "../translate.ts";
import { askUntilAnswered, decideAgain, type GovernedWay } from "./ask.ts";
import { type Times, Trials } from "./trials.ts";

/** An answer, or the beginning of one, in the client's dialect. */
export type Found = { readonly kind: "found"; readonly response: OpenResponse; readonly leg: Leg; readonly isTranslated: boolean };

/** What a request for the route's targets is. */
export type Wanted = { readonly exchange: Identified; readonly facts: FactsOnDemand };

export type Searching = {
  readonly route: Route;
  readonly way: GovernedWay;
  /** The model that the client asks for. */
  readonly model: string | undefined;
  /** Undefined: the body is too large to be looked at. */
  readonly isStream: boolean | undefined;
  /** Faults that the request asks for by itself, for the first asking. */
  readonly upstream: readonly PlannedFault[];
  readonly met: string[];
};

type Outcome = Found | "client_gone" | "hang" | undefined;

/**
 * The targets of a route, one after the other, each asked as often as makes sense. None is asked again that has failed: what follows a failure,
 * also in the middle of a stream, goes on behind it.
 */
export class Search {
  readonly skipped: Notes["skipped"][] = [];
  readonly #doing: Searching;
  readonly #ports: Ports;
  readonly trials: Trials;
  #way: GovernedWay;
  #index = 0;
  #hasAsked = false;
  #lastResort: RouteTarget | undefined;
  /** The next target needs a larger context window. */
  #contextTokensMin = 0;

  constructor(doing: Searching, ports: Ports) {
    this.#doing = doing;
    this.#ports = ports;
    this.#way = doing.way;
    this.trials = new Trials(ports.clock, doing.way.governed.observed);
  }

  /** The next target that answers; undefined: there is none. `accepts`: which of them may be asked. */
  async next(wanted: Wanted, accepts: (target: RouteTarget) => boolean, isRescue: boolean): Promise<Outcome> {
    const { route } = this.#doing;
    this.#way = this.#wayFrom(isRescue ? this.#ports.clock.monotonicMs() : wanted.exchange.receivedMonotonicMs);
    while (this.#index < route.targets.length) {
      const target = route.targets[this.#index++];
      if (target === undefined || !accepts(target)) continue;
      // A body that is not kept has gone to the first one.
      if (this.#isOutOfTime() || (this.#hasAsked && !this.#doing.way.isRepeatable)) break;
      const leg = await this.#legTo(wanted, target);
      if (leg === undefined) continue;
      const outcome = await this.#ask(wanted, leg, isRescue);
      if (outcome !== "next") return outcome;
    }
    return this.#hasAsked || this.#lastResort === undefined ? undefined : this.#askLastResort(wanted, this.#lastResort);
  }

  /** Nobody else can be asked, and a client whose key was refused must hear it from who refused it. */
  async #askLastResort(wanted: Wanted, target: RouteTarget): Promise<Outcome> {
    const leg = await this.#legTo(wanted, target, true);
    const outcome = leg === undefined ? "next" : await this.#ask(wanted, leg, false);
    return outcome === "next" ? undefined : outcome;
  }

  /** What the client gets where no target answers: the first one's real error, with what was tried. */
  failure({ exchange }: Wanted): Exclude<Attempted, string> {
    forget(this.#doing.way.governed.observed);
    return this.trials.error(exchange.provider, this.#isOutOfTime());
  }

  /** The target whose answer is being delivered has failed in its middle. */
  brokeOff(failure: Failure, reason: string, { cooldown }: Leg): void {
    this.trials.brokeOff(failure.class, reason);
    this.#cool(failure, undefined, cooldown);
  }

  /** The route's time is that of one search; the client's is that of all. */
  #wayFrom(startMs: number): GovernedWay {
    const { way, route } = this.#doing;
    if (route.timeoutMs === 0) return way;
    return { ...way, untilMonotonicMs: Math.min(way.untilMonotonicMs ?? Number.POSITIVE_INFINITY, startMs + route.timeoutMs) };
  }

  #isOutOfTime(): boolean {
    const { untilMonotonicMs } = this.#way;
    return untilMonotonicMs !== undefined && untilMonotonicMs <= this.#ports.clock.monotonicMs();
  }

  /** The way to a target that may be asked by now. */
  async #legTo({ exchange }: Wanted, target: RouteTarget, isLastResort = false): Promise<Leg | undefined> {
    const { way, model, isStream } = this.#doing;
    const { gateway, observed } = way.governed;
    const isTooSmall = this.#contextTokensMin > 0 && (target.contextTokens ?? 0) <= this.#contextTokensMin;
    if (isTooSmall) return this.#passOver(target, "context_window");
    const leg = legOf({ exchange, model, isStream, clientKey: observed.caller.key }, target, gateway, this.#ports, isLastResort);
    if (leg.kind === "passed_over" && leg.isClientsOwnKey === true) this.#lastResort ??= target;
    if (leg.kind === "passed_over") return this.#passOver(target, leg.reason, leg.waiting);
    const circuit = gateway.breaker === undefined ? undefined : await gateway.store.admit(leg.circuit);
    if (circuit?.kind === "refused" && gateway.breaker?.mode === "enforce")
      return this.#passOver(target, "circuit_open", { leftMs: circuit.retryAfterMs, cooldown: undefined });
    way.governed.meet(circuit?.ticket);
    return leg;
  }

  #passOver(target: RouteTarget, reason: string, waiting?: Waiting): undefined {
    this.trials.passedOver(target, reason, waiting);
  }

  async #ask(wanted: Wanted, leg: Leg, isRescue: boolean): Promise<Outcome | "next"> {
    const { isStream, route, met } = this.#doing;
    const way = this.#way;
    const { observed } = way.governed;
    const { target, exchange, ports } = leg;
    const { clock } = ports;
    // While it is left alone, nobody says in its place that a request is wrong.
    const isFirst = target === route.targets[0];
    const hasFaultsOfItsOwn = !this.#hasAsked;
    this.#hasAsked = true;
    this.#tellFailover(exchange, target.name, isRescue);
    const side = await targetSide(exchange, leg.adaptation, wanted.facts, ports);
    if ("refusal" in side) {
      // What cannot be said to this target, another may understand; a request that is wrong in its own dialect is wrong everywhere.
      this.trials.failed(
        target,
        { attempts: 0, startedMs: clock.monotonicMs() },
        { response: side.refusal, error: side.error },
        "client",
        false,
      );
      return isFirst && side.refusal.status < 500 ? undefined : "next";
    }
    const isTranslated = side.exchange.dialect !== exchange.dialect;
    const startedMs = clock.monotonicMs();
    const attemptsBefore = observed.attempts;
    const asking = {
      exchange,
      side,
      facts: wanted.facts,
      upstream: [...(hasFaultsOfItsOwn ? this.#doing.upstream : []), ...(await this.#faultsOf(side))],
      plain: true,
      way,
      first: undefined,
      met,
      routed: {
        target: target.name,
        retry: retryOf(target, way.governed.gateway.retry),
        attemptsBefore,
        waitMsMax: this.#hasMore() ? route.waitMsMax : Number.POSITIVE_INFINITY,
        inspect: (response: OpenResponse, as: Identified, addedUsage: boolean, askedMs: number) =>
          inspectRouted(
            response,
            {
              exchange: as,
              addedUsage,
              governed: way.governed,
              route,
              target,
              isStream,
              isTranslated,
              askedMs,
              searchDueMs: way.untilMonotonicMs ?? Number.POSITIVE_INFINITY,
            },
            ports,
          ),
      },
    };
    const asked = await askUntilAnswered(asking, way, ports);
    if (typeof asked === "string") return asked;
    if (asked.skipped !== undefined) this.skipped.push(asked.skipped);
    const times = { attempts: observed.attempts - attemptsBefore, startedMs };
    const shown = asked.failure === undefined ? asked.response : withoutSecret(asked.response, leg.secret);
    const answer = asked.error === undefined ? await side.toClient(shown) : asked;
    if (asked.failure === undefined && answer.error === undefined) {
      way.governed.gateway.cooldowns.succeeded(leg.cooldown, startedMs);
      // What has no dialect is asked for its own model.
      const model = (exchange.dialect === undefined ? undefined : target.model) ?? this.#doing.model;
      observed.answeredBy = { provider: target.provider, model };
      this.trials.answered(target, times, answer.response.status);
      return { kind: "found", response: answer.response, leg, isTranslated };
    }
    return this.#afterFailure(leg, times, asked, answer, isFirst);
  }

  /** Those that the target meets when it is asked for the first time. */
  async #faultsOf({ exchange, facts }: TargetSide): Promise<readonly PlannedFault[]> {
    const { mode, added } = this.#ports.rules.get();
    if (mode === undefined && added.length === 0) return NO_FAULTS;
    return decideAgain({ exchange, facts, met: this.#doing.met }, this.#ports);
  }

  #afterFailure(
    leg: Leg,
    times: Times,
    asked: { readonly response: OpenResponse; readonly error: string | undefined; readonly failure?: Failure | undefined },
    answer: Exclude<Attempted, string>,
    isFirst: boolean,
  ): undefined | "next" {
    // Without a class it is our own doing: settings that cannot work, an answer that cannot be translated, or the time that is over.
    const failure = asked.failure ?? BROKEN;
    const status = asked.error === undefined ? asked.response.status : undefined;
    const step = asked.error === "time_budget" ? "stop" : afterTarget({ failure, status, isFirst }, this.#doing.route);
    if (step === "larger")
      this.#contextTokensMin = Math.max(this.#contextTokensMin, leg.target.contextTokens ?? contextTokensOf(leg.circuit.model ?? ""));
    // A refusal that is not carried on is the answer, whoever failed before.
    this.trials.failed(leg.target, times, answer, failure.class, step === "stop" && failure.class === "content_filter");
    this.#cool(failure, status, leg.cooldown);
    return step === "stop" ? undefined : "next";
  }

  #cool(failure: Failure, status: number | undefined, key: Leg["cooldown"]): void {
    const cooling = cooldownOf(failure, status, this.#doing.route);
    if (cooling !== undefined) this.#doing.way.governed.gateway.cooldowns.enter(key, cooling.reason, cooling.ms);
  }

  /** Is there a target behind this one that could be asked? */
  #hasMore(): boolean {
    return this.#index < this.#doing.route.targets.length;
  }

  #tellFailover({ id }: Identified, to: string, isRescue: boolean): void {
    const { last } = this.trials;
    if (last === undefined) return;
    this.#ports.record({
      type: "failover",
      time: timestamp(this.#ports.clock.wallMs()),
      exchange: id,
      from: last.target,
      to,
      class: last.failure ?? null,
      status: last.status ?? null,
      isRescue,
    });
  }
}

const NO_FAULTS: readonly PlannedFault[] = [];

function retryOf({ retries }: RouteTarget, retry: RetryManner): RetryManner {
  return retries === undefined ? retry : { ...retry, maxTransientRetries: retries, maxRateLimitRetries: retries };
}
