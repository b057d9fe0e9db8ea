import type { RouteTargetSetting } from "../../../src/config/route-settings.ts";
import type { ExchangeEvent } from "../../../src/core/event.ts";
import { headerValue } from "../../../src/core/headers.ts";
import { DIALECTS } from "../../../src/dialects/index.ts";
import { plain, type Seen, seenInStream, seenWhole } from "./soak-seen.ts";
import type { Story } from "./soak-story.ts";
import type { Life, World } from "./soak-world.ts";

/** A translated stream's target may end in its own time (its connection can be kept then), and an error goes ahead of the cut. */
const AFTERWARDS_MS_MAX = 1_000;

/** Faults that make another answer of a whole one. */
export const ALTERING: ReadonlySet<string> = new Set([
  "bad_json",
  "duplicate_frame",
  "finish_length",
  // Its keepalives have numbers of their own.
  "keepalive_flood",
  "refusal",
  "empty",
  "bad_tool_json",
  "unknown_tool",
  "content_filter",
]);

/** What went wrong with it, for people; nothing where all is well. */
export function mistakesOf(life: Life, world: World): readonly string[] {
  return found(life, world).map((mistake) => `exchange ${life.story.id}: ${mistake}`);
}

function found(life: Life, world: World): readonly string[] {
  const { got, events, thrown, mistakes } = life;
  if (thrown !== undefined) return [`it threw ${thrown instanceof Error ? thrown.stack : String(thrown)}`];
  if (got === undefined) return ["it never ended"];
  const [event] = events;
  if (event === undefined || events.length > 1) return [`it ended ${events.length} times`];
  const { gateway } = event;
  if (gateway === undefined || gateway === null || life.rows !== 1) return [`it has ${life.rows} rows`];
  return [
    ...(isAltered(event) ? [] : mistakes),
    ...deliveryMistakes(life, event),
    ...attemptMistakes(life, event, world),
    ...leftovers(life),
    ...limitMistakes(life, event),
    ...timeMistakes(life, event, world),
    ...(got.how === "complete" && got.status === 200 ? answerMistakes(life, event) : []),
    ...(got.how === "cut" ? cutMistakes(life, event) : []),
  ];
}

function isAltered({ faults }: ExchangeEvent): boolean {
  return faults.some((fault) => ALTERING.has(fault));
}

const WORDS = { complete: "delivered", cut: "cut", left: "client_gone", reset: "reset", close: "close" } as const;

function deliveryMistakes({ got, leftMs, lateOutcomes }: Life, { done, status }: ExchangeEvent): readonly string[] {
  const { how = "left", status: seen } = got ?? {};
  const isBlamed = lateOutcomes.some((outcome) => outcome === "failure" || outcome === "global_rate_limit");
  return [
    ...(done === WORDS[how] ? [] : [`it ended with ${done}, and the client saw ${how}`]),
    ...(how === "left" || status === seen ? [] : [`its status is ${status}, and the client saw ${seen}`]),
    ...((how === "left") === (leftMs !== undefined) || how === "complete" || how === "cut" ? [] : [`${how}, without leaving`]),
    ...(how === "reset" || how === "close" ? [`nobody asked for a ${how}`] : []),
    ...(isBlamed ? [`its target's circuit heard ${lateOutcomes.join(", ")} when the client had left`] : []),
  ];
}

function attemptMistakes({ route, asks, got }: Life, { gateway, faults }: ExchangeEvent, { settings }: World): readonly string[] {
  const { attempts = 0, tried = [], answeredBy = null } = gateway ?? {};
  const { maxTransientRetries, maxRateLimitRetries } = settings;
  const most = ({ retries }: RouteTargetSetting) => 1 + (retries === undefined ? maxTransientRetries + maxRateLimitRetries : 2 * retries);
  const mosts = new Map(route.targets.map((target) => [nameOf(target), most(target)]));
  // One that was passed over may be asked when nobody else can be.
  const asked = tried.filter((one) => one.attempts > 0);
  const sum = asked.reduce((all, one) => all + one.attempts, 0);
  const isLeft = got?.how === "left";
  const isAnswered = got?.status === 200 && got.how === "complete";
  const last = tried.at(-1);
  return [
    ...(new Set(asked.map(({ target }) => target)).size === asked.length
      ? []
      : [`it asked ${asked.map(({ target }) => target).join(", ")}`]),
    ...asked.flatMap((one) => (one.attempts <= (mosts.get(one.target) ?? 0) ? [] : [`${one.target} was asked ${one.attempts} times`])),
    ...(sum === attempts || isLeft ? [] : [`${attempts} attempts, and ${sum} of its targets`]),
    // A fault may act in the place of a target.
    ...(asks.length === attempts || (asks.length < attempts && (isLeft || faults.length > 0))
      ? []
      : [`${attempts} attempts, and ${asks.length} askings`]),
    ...(isAnswered && (last === undefined || last.failure !== undefined || answeredBy === null) ? ["answered, and by nobody"] : []),
  ];
}

function nameOf({ provider, model, url }: RouteTargetSetting): string {
  return `${provider}${model === undefined ? "" : `/${model}`}${url === undefined ? "" : `@${new URL(url).host}`}`;
}

/** What it has not given back. */
function leftovers({ bodies, gone, endedMs = 0, sleptMs, asks, events }: Life): readonly string[] {
  const listeners = [...gone.listeners.values()];
  // One for each asking tells the engine; it goes with the connection.
  const ofAskings = listeners.filter((file) => file.endsWith("/deadline.ts")).length;
  const others = listeners.filter((file) => file !== "test" && !file.endsWith("/deadline.ts") && !file.endsWith("/reread.ts"));
  return [
    ...bodies.flatMap(({ closed, closedMs = 0, mistakes }, index) => [
      ...mistakes.map((mistake) => `body ${index}: ${mistake}`),
      ...(closed === undefined ? [`body ${index} is open still`] : []),
      ...(closedMs > endedMs + AFTERWARDS_MS_MAX ? [`body ${index} was open for ${closedMs - endedMs} ms behind the end`] : []),
    ]),
    // A fault's own delay ends in its time.
    ...(events[0]?.faults.length === 0 && sleptMs > endedMs + AFTERWARDS_MS_MAX
      ? [`it slept for ${sleptMs - endedMs} ms behind its end`]
      : []),
    ...(ofAskings > asks.length ? [`${ofAskings} deadlines listen in ${asks.length} askings`] : []),
    ...(others.length > 0 ? [`${others.join(", ")} still listen`] : []),
  ];
}

function limitMistakes({ reservations }: Life, { gateway, status }: ExchangeEvent): readonly string[] {
  const { usage = null, attempts = 0, limit = null } = gateway ?? {};
  if (reservations.length > 1 || (limit !== null && reservations.length > 0)) return [`${reservations.length} reservations`];
  const isSettled = usage !== null || attempts === 0 || (status !== null && status >= 500);
  return reservations.flatMap(({ settled }) => (settled === Number(isSettled) ? [] : [`its reservation was settled ${settled} times`]));
}

/** More than any fault takes of itself. */
const FAULT_MS_MAX = 60_000;
const SLOW_MS_OF_BYTE = 1;
/** Usage and terminator behind a finish, and the error ahead of a cut. */
const END_MS_MAX = 3_000;

function timeMistakes(
  { route, asks, got, beganMs, endedMs = 0 }: Life,
  { gateway, faults }: ExchangeEvent,
  { settings }: World,
): readonly string[] {
  const attempts = gateway?.attempts ?? 0;
  const most = (of: (target: RouteTargetSetting) => number | undefined) => Math.max(...route.targets.map((target) => of(target) ?? 0));
  const silenceMs = most((one) => one.timeoutMs) + most((one) => one.firstTokenTimeoutMs) + 2 * most((one) => one.idleTimeoutMs);
  const naturalMs = asks.reduce((sum, { script }) => {
    if (script.kind !== "response") return sum + (script.kind === "silence" ? 0 : script.afterMs);
    const { pieces } = script.body;
    const slowMs = faults.includes("slow") ? pieces.reduce((all, { bytes }) => all + bytes.length * SLOW_MS_OF_BYTE, 0) : 0;
    return sum + script.afterMs + pieces.reduce((all, { afterMs }) => all + afterMs, 0) + slowMs;
  }, 0);
  const waitMs = Math.max(settings.retryAfterMaxMs, 20_000);
  const mostMs = naturalMs + (attempts + 1) * (silenceMs + waitMs + FAULT_MS_MAX + END_MS_MAX) + (got?.pausedMs ?? 0);
  return endedMs - beganMs <= mostMs ? [] : [`it took ${endedMs - beganMs} ms, where ${mostMs} are enough`];
}

// ---- what the client has ----

/** What passes for an answer is all of one. */
function answerMistakes({ story, got, asks }: Life, event: ExchangeEvent): readonly string[] {
  if (got === undefined) return [];
  const type = headerValue(got.headers, "content-type") ?? "";
  const [wanted = ""] = story.isStream ? framingOf(story).contentType.split(";") : ["application/json"];
  const seen = seenOf(story, got.bytes);
  const isLoose = asks.some((ask) => ask.isLoose);
  return [
    ...(type.startsWith(wanted) ? [] : [`its type is ${type}`]),
    ...((isEnded(story, seen) && !seen.hasError) || event.faults.includes("content_filter")
      ? []
      : [`an answer that has not ended: ${shown(seen)}`]),
    ...(isAltered(event) ? [] : [...seen.mistakes, ...textMistakes(seen, story, isLoose)]),
  ];
}

export function seenOf({ dialect, target, isStream }: Story, bytes: Uint8Array): Seen {
  const [path = "", query = ""] = target.split("?");
  return isStream ? seenInStream(dialect, path, query, bytes) : seenWhole(dialect, bytes);
}

/** Does it look whole to its client? */
export function isEnded({ isStream }: Story, { hasFinish, hasTerminator }: Seen): boolean {
  return hasFinish && (!isStream || hasTerminator);
}

/** In what it is not the answer of the story. `isLoose`: but for white space. */
export function textMistakes(seen: Seen, { text, call }: Story, isLoose: boolean): readonly string[] {
  const comparable = isLoose ? plain : String;
  const isSameCall = call === undefined ? seen.calls === "" : JSON.stringify(parsed(seen.calls)) === call.argumentsText;
  return [
    ...(comparable(seen.text) === comparable(text) ? [] : [`its text is ${JSON.stringify(seen.text)}, not ${JSON.stringify(text)}`]),
    ...(isSameCall ? [] : [`its call is ${seen.calls}`]),
  ];
}

const ERROR_BYTES_KEPT = 1024 * 1024;

/** What is broken off says so, and its text is the beginning of the answer. */
function cutMistakes({ story, got, asks }: Life, event: ExchangeEvent): readonly string[] {
  // An error page that is too large to be kept goes on as it comes.
  if (got === undefined || (got.status !== 200 && got.bytes.length >= ERROR_BYTES_KEPT)) return [];
  const seen = seenOf(story, got.bytes);
  const isLoose = asks.some((ask) => ask.isLoose);
  const comparable = isLoose ? plain : String;
  return [
    ...(story.isStream && got.status === 200 ? [] : [`a whole answer of ${got.status} was cut`]),
    ...(seen.hasError ? [] : [`cut without a word: ${shown(seen)}`]),
    ...(isAltered(event) || comparable(story.text).startsWith(comparable(seen.text))
      ? []
      : [`the beginning of its text is ${JSON.stringify(seen.text)}`]),
  ];
}

function framingOf({ dialect, target }: Story) {
  const [path = "", query = ""] = target.split("?");
  return DIALECTS[dialect].framing(path, query);
}

function shown(seen: Seen): string {
  return JSON.stringify({ ...seen, text: `${seen.text.slice(0, 20)}…` });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Behind all exchanges: no circuit waits for a probe that nobody will settle. */
export async function worldMistakes({ gateway, clock, circuits, settings }: World): Promise<readonly string[]> {
  await clock.run(clock.monotonicMs() + settings.cooldownMs + 1);
  const verdicts = await Promise.all(circuits.map(async (key) => ({ key, verdict: await gateway.store.admit(key) })));
  return verdicts.flatMap(({ key, verdict }) => (verdict.kind === "pass" ? [] : [`the circuit ${JSON.stringify(key)} stays open`]));
}
