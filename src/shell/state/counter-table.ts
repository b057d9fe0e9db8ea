import type { Limit, LimitMetric, LimitScope, LimitWindow } from "../../core/state-store.ts";
import { emptyCounter, GRAINS, type Held } from "../../policy/limiter.ts";
import { shortMember, withShortMember } from "./counter-name.ts";

/**
 * A counter, and its neighbours in the order in which something was last taken from those of the same window, as of the last time that it
 * took its place among them: to do that each time would fetch both neighbours into the processor's cache.
 */
export type Member = Held & {
  /** As it was last asked for: a reload can change the number. */
  limit: Limit;
  older: Member | undefined;
  newer: Member | undefined;
  placedMs: number;
};

export function isInTable({ placedMs }: Member): boolean {
  return placedMs !== Number.NEGATIVE_INFINITY;
}

export type CounterTable = {
  /** Undefined where nothing counts. */
  readonly find: (limit: Limit) => Member | undefined;
  /** One that is in the table only when it is used: a refused request leaves nothing behind. */
  readonly findOrMake: (limit: Limit) => Member;
  /** Something has just been taken from it. */
  readonly use: (member: Member, nowMs: number) => void;
  /** The oldest of each window first. */
  readonly members: () => Iterable<Member>;
  readonly remove: (member: Member) => void;
  readonly size: () => number;
};

/** Maps of their own by member, so that no name need be put together to find one. */
type ByKind<Value> = Readonly<Record<LimitScope, Readonly<Record<LimitMetric, Readonly<Record<LimitWindow, Value>>>>>>;

type Ends = { oldest: Member | undefined; newest: Member | undefined };

/** A new member makes so many expired ones of each window go, so that the table shrinks after a rush. */
const EXPIRED_PER_NEW_MEMBER = 2;

/**
 * Counters up to `membersMax`: a new one takes the place of one that has expired, else of the one that was not used for longest.
 * A list a window: its oldest member is the first of it to expire. Every step takes the same time whatever the size. The links
 * are in the members, which are in the processor's cache by then: places of their own would make each step half as slow again.
 */
export function createCounterTable(membersMax: number): CounterTable {
  const maps = byKind(() => new Map<string, Member>());
  const ends: Readonly<Record<LimitWindow, Ends>> = {
    minute: { oldest: undefined, newest: undefined },
    day: { oldest: undefined, newest: undefined },
  };
  let size = 0;

  const mapOf = ({ scope, metric, window }: Limit) => maps[scope][metric][window];
  const find = (limit: Limit) => {
    const member = mapOf(limit).get(shortMember(limit));
    // Only where it differs: a write to an old object costs more than the comparison.
    if (member !== undefined && member.limit.limit !== limit.limit) member.limit = withShortMember(limit);
    return member;
  };
  const unlink = (member: Member) => {
    const list = ends[member.limit.window];
    if (member.older === undefined) list.oldest = member.newer;
    else member.older.newer = member.newer;
    if (member.newer === undefined) list.newest = member.older;
    else member.newer.older = member.older;
    member.older = undefined;
    member.newer = undefined;
    member.placedMs = Number.NEGATIVE_INFINITY;
  };
  const append = (member: Member) => {
    const list = ends[member.limit.window];
    member.older = list.newest;
    if (list.newest === undefined) list.oldest = member;
    else list.newest.newer = member;
    list.newest = member;
  };
  const drop = (member: Member) => {
    unlink(member);
    mapOf(member.limit).delete(shortMember(member.limit));
    size--;
  };
  const makeRoom = (nowMs: number) => {
    for (const list of [ends.minute, ends.day])
      for (let round = 0; round < EXPIRED_PER_NEW_MEMBER; round++)
        if (list.oldest !== undefined && isExpired(list.oldest, nowMs)) drop(list.oldest);
    const longestUnused = size < membersMax ? undefined : olderOf(ends.minute.oldest, ends.day.oldest);
    if (longestUnused !== undefined) drop(longestUnused);
  };

  return {
    find,
    findOrMake: (limit) =>
      find(limit) ?? {
        ...emptyCounter(limit.window),
        limit: withShortMember(limit),
        older: undefined,
        newer: undefined,
        placedMs: Number.NEGATIVE_INFINITY,
      },
    use(member, nowMs) {
      if (nowMs - member.placedMs < member.windowMs / GRAINS && nowMs >= member.placedMs) return;
      if (find(member.limit) === member) {
        if (member.newer === undefined) {
          member.placedMs = nowMs;
          return;
        }
        unlink(member);
      } else {
        makeRoom(nowMs);
        mapOf(member.limit).set(shortMember(member.limit), member);
        size++;
      }
      append(member);
      member.placedMs = nowMs;
    },
    *members() {
      for (const { oldest } of [ends.minute, ends.day]) for (let member = oldest; member !== undefined; member = member.newer) yield member;
    },
    remove: drop,
    size: () => size,
  };
}

function byKind<Value>(make: () => Value): ByKind<Value> {
  const windows = () => ({ minute: make(), day: make() });
  const metrics = () => ({ requests: windows(), tokens: windows() });
  return { global: metrics(), provider: metrics(), model: metrics(), key: metrics(), user: metrics() };
}

function olderOf(one: Member | undefined, other: Member | undefined): Member | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return lastMs(one) <= lastMs(other) ? one : other;
}

function lastMs({ entries }: Member): number {
  return entries.at(-1)?.lastMs ?? Number.NEGATIVE_INFINITY;
}

function isExpired(member: Member, nowMs: number): boolean {
  return nowMs - lastMs(member) >= member.windowMs;
}
