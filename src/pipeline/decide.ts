import type { DialectName } from "../core/dialect.ts";
import type { Identified, RequestFacts } from "../core/exchange.ts";
import type { Fault } from "../core/fault.ts";
import { headerValue } from "../core/headers.ts";
import { type Random, randomStream } from "../core/random.ts";
import type { Amount, Rule, Rules } from "../core/rule.ts";
import { faultByName } from "../faults/index.ts";
import { globMatches } from "../rules/glob.ts";

/** A fault that this exchange meets, with the draws that belong to it. */
export type PlannedFault = { readonly rule: Rule; readonly fault: Fault; readonly random: Random };

/** One rule's decision, for the event log. */
export type Decision = { readonly rule: Rule; readonly drawn: number | undefined; readonly injected: boolean };

export type Decided = {
  /** In rule order: any number that delay or pace, at most one that is terminal. */
  readonly planned: readonly PlannedFault[];
  readonly decisions: readonly Decision[];
  /** The rules after this exchange: counted, used up ones gone. */
  readonly rules: Rules;
};

/** Could any rule match? Then the body is read, for the rule's aim and for the log of its decision. */
export function needsFacts(exchange: Identified, rules: Rules, nowMonotonicMs: number): boolean {
  return inOrder(rules).some((rule) => matchesHead(rule, exchange, nowMonotonicMs));
}

/**
 * Which rules fire. The mode is asked first, then the added rules in order; the first terminal fault wins and later
 * terminal rules are neither asked nor counted. A draw depends on the seed, the rule and the number of requests that
 * the rule has matched, and on nothing else, so unrelated traffic does not change it. With `side` only its rules are asked: a target that
 * is asked again may meet its faults again.
 */
export function decide(
  exchange: Identified,
  facts: RequestFacts,
  rules: Rules,
  seed: number,
  nowMonotonicMs: number,
  side?: Rule["side"],
): Decided {
  const planned: PlannedFault[] = [];
  const decisions: Decision[] = [];
  const counted = new Map<Rule, Rule | undefined>();
  let terminal = false;
  for (const rule of inOrder(rules)) {
    const fault = faultByName(rule.fault);
    if (fault === undefined || (terminal && fault.terminal) || (side !== undefined && rule.side !== side)) continue;
    if (!matchesHead(rule, exchange, nowMonotonicMs) || !matchesFacts(rule, fault, exchange, facts)) continue;
    const matched = rule.matched + 1;
    const random = randomStream(seed, `${rule.id}/${rule.generation}/${matched}`);
    const due = (rule.aim.nth ?? matched) === matched && matched > (rule.aim.afterRequests ?? 0);
    const drawn = due && rule.amount.kind === "share" ? random.next() : undefined;
    const injected = due && (rule.amount.kind !== "share" || (drawn ?? 1) < rule.amount.share);
    const next = count(rule, matched, injected);
    counted.set(rule, next);
    decisions.push({ rule: next ?? rule, drawn, injected });
    if (injected) {
      planned.push({ rule, fault, random });
      terminal ||= fault.terminal;
    }
  }
  return { planned, decisions, rules: counted.size === 0 ? rules : withCounts(rules, counted) };
}

function inOrder(rules: Rules): readonly Rule[] {
  return rules.mode === undefined ? rules.added : [rules.mode, ...rules.added];
}

/** The rule after a match; undefined once it can never fire again. */
function count(rule: Rule, matched: number, injected: boolean): Rule | undefined {
  const amount: Amount = injected && rule.amount.kind === "count" ? { kind: "count", remaining: rule.amount.remaining - 1 } : rule.amount;
  const spent = (amount.kind === "count" && amount.remaining === 0) || (rule.aim.nth !== undefined && matched >= rule.aim.nth);
  return spent ? undefined : { ...rule, amount, matched, fired: rule.fired + (injected ? 1 : 0) };
}

function withCounts(rules: Rules, counted: ReadonlyMap<Rule, Rule | undefined>): Rules {
  const now = (rule: Rule) => (counted.has(rule) ? counted.get(rule) : rule);
  return {
    ...rules,
    mode: rules.mode && now(rules.mode),
    added: rules.added.map(now).filter((rule) => rule !== undefined),
  };
}

function matchesHead(rule: Rule, exchange: Identified, nowMonotonicMs: number): boolean {
  const { aim } = rule;
  if (exchange.kind !== "inference" && aim.path === undefined) return false;
  if (aim.path !== undefined && !globMatches(aim.path, exchange.path)) return false;
  if (aim.provider !== undefined && !globMatches(aim.provider, exchange.provider)) return false;
  if (aim.window !== undefined) {
    const age = nowMonotonicMs - rule.setMonotonicMs;
    return age >= aim.window.fromMs && age < aim.window.untilMs;
  }
  return true;
}

function matchesFacts(rule: Rule, fault: Fault, exchange: Identified, facts: RequestFacts): boolean {
  const { aim } = rule;
  if (aim.model !== undefined && !globMatches(aim.model, facts.model ?? "")) return false;
  if (aim.stream !== undefined && aim.stream !== facts.stream) return false;
  if (aim.session !== undefined && !globMatches(aim.session, sessionOf(exchange, facts))) return false;
  return faultApplies(fault, { dialect: exchange.dialect, stream: facts.stream });
}

/** Could the fault show itself in the answer to such a request? One that could not must not be counted against it. */
function faultApplies(fault: Fault, request: { readonly dialect: DialectName | undefined; readonly stream: boolean }): boolean {
  if (fault.level === "answer") return request.dialect !== undefined;
  return fault.level !== "stream" || (request.dialect !== undefined && request.stream);
}

/** Headers by which agents name the conversation: Goose, Claude Code, Codex, and what others took over from them. */
const SESSION_HEADERS = [
  "agent-session-id",
  "goose-session-id",
  "x-claude-code-session-id",
  "x-session-id",
  "session-id",
  "session_id",
  "thread-id",
] as const;

function sessionOf(exchange: Identified, facts: RequestFacts): string {
  for (const name of SESSION_HEADERS) {
    const value = headerValue(exchange.headers, name);
    if (value !== undefined) return value;
  }
  return facts.session ?? "";
}
