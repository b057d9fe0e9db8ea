import type { Payload } from "../../core/dialect.ts";
import { isObject, type JsonObject, textOf } from "../../dialects/shared.ts";
import type { Chunks } from "../chat/chunks.ts";
import { inputInArguments } from "../custom-tools.ts";
import type { ErrorFacts } from "../errors.ts";
import type { AnswerContext } from "../translation.ts";
import { argumentsOf, callId } from "./answer.ts";
import { NAMELESS_CALL, serverError } from "./end.ts";
import { customToolsOf } from "./request-tools.ts";

/** A hundred times what any answer has. */
const CALLS_MAX = 10_000;

/** The input of custom tools, which must be whole before it can be read; no model writes this much. */
const HELD_CHARACTERS_MAX = 16 * 1024 * 1024;

/** A call on its way. Others may run beside it: its index tells them apart. */
type Call = {
  /** Among the client's calls. */
  readonly index: number;
  /** What its beginning says of the input; some backends send all of it there. */
  readonly input: unknown;
  readonly isCustom: boolean;
  hasArguments: boolean;
  /** Of a custom tool. */
  held: string;
};

/**
 * What events say of blocks, as chunks. Text and thinking go on as they come, and so do the arguments of functions. Blocks
 * of tools that the service runs itself, signatures and citations are passed over.
 */
export type BlockStream = {
  readonly begin: (event: JsonObject) => readonly Payload[] | ErrorFacts;
  readonly delta: (event: JsonObject) => readonly Payload[] | ErrorFacts;
  readonly end: (event: JsonObject) => readonly Payload[];
  /** The answer is over: what is left of calls that nobody ended. */
  readonly rest: () => readonly Payload[];
  readonly hasCalls: () => boolean;
};

export function createBlockStream(chunks: Chunks, context: AnswerContext): BlockStream {
  const custom = customToolsOf(context.request);
  /** Those that have not ended, by the index of their block. */
  const open = new Map<unknown, Call>();
  let callCount = 0;
  let heldCharacters = 0;

  const text = (said: unknown): readonly Payload[] => (typeof said === "string" && said !== "" ? [chunks.content(said, null)] : NOTHING);
  const thinking = (said: unknown): readonly Payload[] =>
    typeof said === "string" && said !== "" ? [chunks.delta({ reasoning_content: said })] : NOTHING;
  const piece = (index: number, kind: "function" | "custom", inner: JsonObject) => chunks.delta({ tool_calls: [{ index, [kind]: inner }] });

  const beginCall = (place: unknown, block: JsonObject): readonly Payload[] | ErrorFacts => {
    const name = textOf(block.name);
    if (name === undefined) return NAMELESS_CALL;
    if (callCount >= CALLS_MAX) return serverError("too_many_items", `The backend's answer has more than ${CALLS_MAX} tool calls.`);
    const before = open.get(place);
    const index = callCount++;
    const isCustom = custom.has(name);
    open.set(place, { index, input: block.input, isCustom, hasArguments: false, held: "" });
    const type = isCustom ? "custom" : "function";
    const inner = isCustom ? { name, input: "" } : { name, arguments: "" };
    const begun = chunks.delta({ tool_calls: [{ index, id: callId(block, index, context), type, [type]: inner }] });
    // A server that gives all its blocks one index has ended the one before.
    return [...(before === undefined ? NOTHING : endCall(before)), begun];
  };
  /** Arguments that nobody sent are no JSON, and clients read them as such. */
  const endCall = ({ index, input, isCustom, hasArguments, held }: Call): readonly Payload[] => {
    heldCharacters -= held.length;
    if (isCustom) return [piece(index, "custom", { input: inputInArguments(hasArguments ? held : argumentsOf(input)) })];
    return hasArguments ? NOTHING : [piece(index, "function", { arguments: argumentsOf(input) })];
  };
  const addArguments = (place: unknown, said: unknown): readonly Payload[] | ErrorFacts => {
    const call = open.get(place);
    if (call === undefined || typeof said !== "string" || said === "") return NOTHING;
    call.hasArguments = true;
    if (!call.isCustom) return [piece(call.index, "function", { arguments: said })];
    call.held += said;
    heldCharacters += said.length;
    return heldCharacters > HELD_CHARACTERS_MAX ? TOO_LONG : NOTHING;
  };

  return {
    begin({ index, content_block: block }) {
      if (!isObject(block)) return NOTHING;
      if (block.type === "tool_use") return beginCall(index, block);
      // Empty with the service itself.
      if (block.type === "text") return text(block.text);
      return block.type === "thinking" ? thinking(block.thinking) : NOTHING;
    },
    delta({ index, delta }) {
      if (!isObject(delta)) return NOTHING;
      if (delta.type === "text_delta") return text(delta.text);
      if (delta.type === "thinking_delta") return thinking(delta.thinking);
      return delta.type === "input_json_delta" ? addArguments(index, delta.partial_json) : NOTHING;
    },
    end({ index }) {
      const call = open.get(index);
      open.delete(index);
      return call === undefined ? NOTHING : endCall(call);
    },
    rest() {
      const payloads = [...open.values()].flatMap(endCall);
      open.clear();
      return payloads;
    },
    hasCalls: () => callCount > 0,
  };
}

const NOTHING: readonly Payload[] = [];
const TOO_LONG = serverError("too_long", "The backend sent more input for custom tools than can be held.");
