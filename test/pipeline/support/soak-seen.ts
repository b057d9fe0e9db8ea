import type { DialectName } from "../../../src/core/dialect.ts";
import { DIALECTS } from "../../../src/dialects/index.ts";

/** What a client makes of an answer. */
export type Seen = {
  readonly text: string;
  /** Arguments of calls, as text. */
  readonly calls: string;
  readonly hasFinish: boolean;
  readonly hasTerminator: boolean;
  readonly hasError: boolean;
  /** What no client could make sense of. */
  readonly mistakes: readonly string[];
};

/** Without white space, of which a model that goes on may have its own, and without halves of characters. */
export function plain(text: string): string {
  return text.toWellFormed().replaceAll(/[\s\ufffd]/g, "");
}

type Json = Readonly<Record<string, unknown>>;
type Told = { text?: unknown; call?: unknown; finish?: boolean; end?: boolean; error?: boolean; mistake?: string };
type Reader = (json: Json, event: string | undefined) => Told;

/** A stream's bytes as they came, to their end. */
export function seenInStream(dialect: DialectName, path: string, query: string, bytes: Uint8Array): Seen {
  const framing = DIALECTS[dialect].framing(path, query);
  const splitter = framing.splitter();
  const read = READERS[dialect]();
  const told: Told[] = [];
  for (const { data, event } of [...splitter.push(bytes), ...splitter.end()]) {
    if (data === undefined) continue;
    if (data.trim() === "[DONE]") told.push({ end: true });
    else told.push(...parsed(data).map((json) => read(json, event)));
  }
  const seen = sumOf(told);
  if (framing.name !== "json-array") return seen;
  // Whoever parses it whole must be able to.
  const isArray = parsed(`{"all":${new TextDecoder().decode(bytes)}}`).every(({ all }) => Array.isArray(all));
  return { ...seen, hasTerminator: seen.hasTerminator && isArray };
}

export function seenWhole(dialect: DialectName, bytes: Uint8Array): Seen {
  return sumOf(parsed(new TextDecoder().decode(bytes)).map((json) => WHOLE[dialect](json)));
}

function sumOf(told: readonly Told[]): Seen {
  const joined = (parts: readonly unknown[]) => parts.map((part) => (typeof part === "string" ? part : "")).join("");
  return {
    text: joined(told.map(({ text }) => text)),
    calls: joined(told.map(({ call }) => call)),
    hasFinish: told.some(({ finish }) => finish),
    hasTerminator: told.some(({ end }) => end),
    hasError: told.some(({ error }) => error),
    mistakes: told.flatMap(({ mistake }) => mistake ?? []),
  };
}

function parsed(data: string): readonly Json[] {
  try {
    return [JSON.parse(data)];
  } catch {
    return [{ error: "no JSON", mistake: data }];
  }
}

/** What stands at this path of a value. */
function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined), value);
}

function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

const isThere = (value: unknown) => value !== undefined && value !== null;

const READERS: Readonly<Record<DialectName, () => Reader>> = {
  chat() {
    let id: unknown;
    return (json) => {
      const mistake =
        id !== undefined && isThere(json.id) && json.id !== id ? { mistake: `id ${String(json.id)} behind ${String(id)}` } : {};
      id ??= json.id;
      return {
        text: at(json, "choices", 0, "delta", "content"),
        call: at(json, "choices", 0, "delta", "tool_calls", 0, "function", "arguments"),
        finish: isThere(at(json, "choices", 0, "finish_reason")),
        error: isThere(json.error) || json.object === "error",
        ...mistake,
      };
    };
  },
  messages() {
    let begun = 0;
    let open: unknown;
    return (json) => {
      const mistakes: string[] = [];
      if (json.type === "message_start" && begun++ > 0) mistakes.push("message_start twice");
      if (json.type !== "message_start" && json.type !== "ping" && json.type !== "error" && begun === 0) mistakes.push("no message_start");
      if (json.type === "content_block_start" && isThere(open)) mistakes.push(`block ${json.index} in ${open}`);
      if (json.type === "content_block_start") open = json.index;
      if (json.type === "content_block_delta" && json.index !== open) mistakes.push(`delta of ${json.index} in ${open}`);
      if (json.type === "content_block_stop") open = undefined;
      if (json.type === "message_stop" && isThere(open)) mistakes.push(`block ${open} is open at the end`);
      return {
        text: at(json, "delta", "text"),
        call: at(json, "delta", "partial_json"),
        finish: isThere(at(json, "delta", "stop_reason")),
        end: json.type === "message_stop",
        error: json.type === "error",
        ...(mistakes[0] === undefined ? {} : { mistake: mistakes[0] }),
      };
    };
  },
  responses() {
    let last: number | undefined;
    let text = "";
    return (json) => {
      const number = json.sequence_number;
      const type = String(json.type);
      if (type === "keepalive") return {};
      const isNext = typeof number !== "number" || last === undefined || number > last;
      const mistake = isNext ? {} : { mistake: `sequence number ${number} behind ${last}` };
      if (typeof number === "number") last = number;
      const isEnd = type === "response.completed" || type === "response.incomplete";
      if (type === "response.output_text.delta" && typeof json.delta === "string") text += json.delta;
      const whole = isEnd ? WHOLE.responses(at(json, "response") as Json) : undefined;
      return {
        text: type === "response.output_text.delta" ? json.delta : "",
        call: type === "response.function_call_arguments.delta" ? json.delta : "",
        finish: isEnd,
        end: isEnd,
        error: type === "error" || type === "response.failed",
        ...mistake,
        ...(whole !== undefined && whole.text !== text ? { mistake: `its end says ${JSON.stringify(whole.text)}` } : {}),
      };
    };
  },
  gemini: () => (json) => WHOLE.gemini(json),
};

const WHOLE: Readonly<Record<DialectName, (json: Json) => Told>> = {
  chat: (json) => ({
    text: at(json, "choices", 0, "message", "content"),
    call: at(json, "choices", 0, "message", "tool_calls", 0, "function", "arguments"),
    finish: isThere(at(json, "choices", 0, "finish_reason")),
    error: isThere(json.error),
  }),
  messages(json) {
    const input = listAt(json, "content").map((block) => at(block, "input"));
    return {
      text: listAt(json, "content")
        .map((block) => at(block, "text"))
        .join(""),
      call: input.map((one) => (isThere(one) ? JSON.stringify(one) : "")).join(""),
      finish: isThere(json.stop_reason),
      error: isThere(json.error),
    };
  },
  responses(json) {
    const parts = listAt(json, "output").flatMap((item) => listAt(item, "content"));
    return {
      text: parts.map((part) => at(part, "text")).join(""),
      call: listAt(json, "output")
        .map((item) => at(item, "arguments"))
        .join(""),
      finish: json.status === "completed" || json.status === "incomplete",
      error: isThere(json.error),
    };
  },
  gemini(json) {
    const parts = listAt(json, "candidates", 0, "content", "parts");
    const args = parts.map((part) => at(part, "functionCall", "args"));
    const finish = isThere(at(json, "candidates", 0, "finishReason"));
    return {
      text: parts.map((part) => at(part, "text")).join(""),
      call: args.map((one) => (isThere(one) ? JSON.stringify(one) : "")).join(""),
      finish,
      end: finish,
      error: isThere(json.error),
    };
  },
};
