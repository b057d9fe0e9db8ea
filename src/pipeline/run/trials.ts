import type { Clock } from "../../core/clock.ts";
import type { OpenResponse } from "../../core/exchange.ts";
import type { FailureClass } from "../../core/failure.ts";
import type { Observed, Tried } from "../../core/gateway.ts";
import { withHeader } from "../../core/headers.ts";
import type { ProviderName } from "../../core/provider.ts";
import type { RouteTarget } from "../../core/route.ts";
import type { Attempted } from "../attempt.ts";
import { attemptsText } from "../helpers/attempts-text.ts";
import { discard } from "../helpers/bodies.ts";
import { dated } from "../helpers/dated.ts";
import { noTarget, type Waiting } from "../helpers/no-target.ts";

type Answered = Exclude<Attempted, string>;

/** How often a target was asked, and since when. */
export type Times = { readonly attempts: number; readonly startedMs: number };

/** What became of the targets of a route so far, for the client, the events and the ledger. */
export class Trials {
  readonly #clock: Clock;
  readonly #tried: Tried[] = [];
  readonly #waiting: Waiting[] = [];
  #hasAnswer = false;
  #startedMs = 0;
  /** Of the first target that failed, or of the one whose answer is the request's own failure. */
  #error: Answered | undefined;

  constructor(clock: Clock, observed: Observed) {
    this.#clock = clock;
    observed.tried = this.#tried;
  }

  get count(): number {
    return this.#tried.length;
  }

  /** The target that was asked last. */
  get last(): Tried | undefined {
    return this.#tried.findLast(({ attempts }) => attempts > 0);
  }

  passedOver({ name }: RouteTarget, reason: string, waiting?: Waiting): void {
    if (waiting !== undefined) this.#waiting.push(waiting);
    this.#tried.push({ target: name, attempts: 0, status: undefined, failure: undefined, reason, durationMs: 0 });
  }

  answered(target: RouteTarget, times: Times, status: number): void {
    this.#add(target, times, status, undefined, undefined);
    this.#hasAnswer = true;
    this.#dropError();
  }

  /** `isAnswer`: it is what the client gets, whoever failed before. */
  failed(target: RouteTarget, times: Times, answer: Answered, failure: FailureClass, isAnswer: boolean): void {
    const status = answer.error === undefined ? answer.response.status : undefined;
    this.#add(target, times, status, failure, answer.error);
    // Behind an answer nobody is told of an error.
    if (!this.#hasAnswer && (this.#error === undefined || isAnswer)) {
      this.#dropError();
      this.#error = answer;
    } else discard(answer.response);
  }

  /** The target whose answer is being delivered has failed in its middle. */
  brokeOff(failure: FailureClass, reason: string): void {
    const last = this.#tried.pop();
    if (last !== undefined) this.#tried.push({ ...last, failure, reason, durationMs: this.#sinceMs(this.#startedMs) });
  }

  /** What the client gets where no target has answered. */
  error(provider: ProviderName, isOutOfTime: boolean): Answered {
    if (this.#error !== undefined) return { ...this.#error, response: this.told(this.#error.response) };
    const { response, error } = noTarget({ provider, tried: this.#tried, waiting: this.#waiting, isOutOfTime });
    return { response: this.told(dated(response, this.#clock.wallMs())), error };
  }

  told(response: OpenResponse): OpenResponse {
    return { ...response, headers: withHeader(response.headers, "x-faultproxy-attempts", attemptsText(this.#tried)) };
  }

  #add(
    { name }: RouteTarget,
    { attempts, startedMs }: Times,
    status: number | undefined,
    failure: Tried["failure"],
    reason: Tried["reason"],
  ): void {
    this.#startedMs = startedMs;
    this.#tried.push({ target: name, attempts, status, failure, reason, durationMs: this.#sinceMs(startedMs) });
  }

  #sinceMs(startedMs: number): number {
    return Math.round(this.#clock.monotonicMs() - startedMs);
  }

  #dropError(): void {
    if (this.#error !== undefined) discard(this.#error.response);
    this.#error = undefined;
  }
}
