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
const BLOCKS_MAX = 10_000;

/** Input of custom tools, which must be whole before it can be read, and what comes with a call's beginning; no model writes this much. */
const HELD_CHARACTERS_MAX = 16 * 1024 * 1024;

/** A call on its way. Others may run beside it: its index tells them apart. */
type Call = {
  /** Among the client's calls. */
  readonly index: number;
  /** What its beginning says of the input; some backends send all of it there. */
  readonly given: string;
  readonly isCustom: boolean;
  hasArguments: boolean;
  /** Of a custom tool. */
  held: string;
};

/** A tool that the service runs itself, whose input the client does not get. */
const PASSED_OVER = "passed over";

/**
 * What events say of blocks, as chunks. Text and thinking go on as they come, and so do the arguments of functions. Blocks
 * of tools that the service runs itself, signatures and citations are passed over.
 */
export type BlockStream = {
  readonly begin: (event: JsonObject) => readonly Payload[] | ErrorFacts;
  /** Input of a call that is not on its way is lost, and an error. */
  readonly delta: (event: JsonObject) => readonly Payload[] | ErrorFacts;
  readonly end: (event: JsonObject) => readonly Payload[];
  /** The answer is over: what is left of calls that nobody ended. */
  readonly rest: () => readonly Payload[];
  readonly hasCalls: () => boolean;
};

export function createBlockStream(chunks: Chunks, context: AnswerContext): BlockStream {
  const custom = customToolsOf(context.request);
  /** Those that have not ended, by the index of their block. */
  const open = new Map<unknown, Call | typeof PASSED_OVER>();
  let blockCount = 0;
  let callCount = 0;
  let heldCharacters = 0;

  const text = (said: unknown): readonly Payload[] => (typeof said === "string" && said !== "" ? [chunks.content(said, null)] : NOTHING);
  const thinking = (said: unknown): readonly Payload[] =>
    typeof said === "string" && said !== "" ? [chunks.delta({ reasoning_content: said })] : NOTHING;
  const piece = (index: number, kind: "function" | "custom", inner: JsonObject) => chunks.delta({ tool_calls: [{ index, [kind]: inner }] });

  const beginCall = (place: unknown, block: JsonObject): readonly Payload[] | ErrorFacts => {
    const name = textOf(block.name);
    if (name === undefined) return NAMELESS_CALL;
    // A server that gives all its blocks one index has ended the one before.
    const rest = endBlock(place);
    const index = callCount++;
    const isCustom = custom.has(name);
    const given = argumentsOf(block.input);
    open.set(place, { index, given, isCustom, hasArguments: false, held: "" });
    heldCharacters += given.length;
    const type = isCustom ? "custom" : "function";
    const inner = isCustom ? { name, input: "" } : { name, arguments: "" };
    return unlessTooMuch([...rest, chunks.delta({ tool_calls: [{ index, id: callId(block, index, context), type, [type]: inner }] })]);
  };
  /** Arguments that nobody sent are no JSON, and clients read them as such. */
  const endCall = ({ index, given, isCustom, hasArguments, held: text }: Call): readonly Payload[] => {
    heldCharacters -= given.length + text.length;
    if (isCustom) return [piece(index, "custom", { input: inputInArguments(hasArguments ? text : given) })];
    return hasArguments ? NOTHING : [piece(index, "function", { arguments: given })];
  };
  const endBlock = (place: unknown): readonly Payload[] => {
    const block = open.get(place);
    open.delete(place);
    return block === undefined || block === PASSED_OVER ? NOTHING : endCall(block);
  };
  const addArguments = (place: unknown, said: unknown): readonly Payload[] | ErrorFacts => {
    const call = open.get(place);
    if (call === PASSED_OVER || typeof said !== "string" || said === "") return NOTHING;
    if (call === undefined) return LOST_INPUT;
    call.hasArguments = true;
    if (!call.isCustom) return [piece(call.index, "function", { arguments: said })];
    call.held += said;
    heldCharacters += said.length;
    return unlessTooMuch(NOTHING);
  };
  const unlessTooMuch = (payloads: readonly Payload[]) => (heldCharacters > HELD_CHARACTERS_MAX ? TOO_LONG : payloads);
  const passOver = (place: unknown): readonly Payload[] => {
    const rest = endBlock(place);
    open.set(place, PASSED_OVER);
    return rest;
  };

  return {
    begin({ index, content_block: block }) {
      if (!isObject(block)) return NOTHING;
      if (++blockCount > BLOCKS_MAX) return TOO_MANY;
      const place = placeOf(index);
      switch (block.type) {
        case "tool_use":
          return beginCall(place, block);
        // Both are empty with the service itself.
        case "text":
          return text(block.text);
        case "thinking":
          return thinking(block.thinking);
        default:
          return passOver(place);
      }
    },
    delta({ index, delta }) {
      if (!isObject(delta)) return NOTHING;
      if (delta.type === "text_delta") return text(delta.text);
      if (delta.type === "thinking_delta") return thinking(delta.thinking);
      return delta.type === "input_json_delta" ? addArguments(placeOf(index), delta.partial_json) : NOTHING;
    },
    end: ({ index }) => endBlock(placeOf(index)),
    rest: () => [...open.keys()].flatMap(endBlock),
    hasCalls: () => callCount > 0,
  };
}

const NOTHING: readonly Payload[] = [];
const TOO_LONG = serverError("too_long", "The backend sent more input for tools than can be held.");
const TOO_MANY = serverError("too_many_items", `The backend's answer has more than ${BLOCKS_MAX} blocks.`);
const LOST_INPUT = serverError("lost_tool_input", "The backend sent input for a tool call that is not on its way.");

/** An index, as a number or what looks like one; anything else is one place, and not kept. */
function placeOf(index: unknown): string | undefined {
  const text = typeof index === "number" || typeof index === "string" ? String(index) : "";
  return /^\d{1,9}$/.test(text) ? text : undefined;
}
