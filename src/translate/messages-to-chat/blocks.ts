import type { Payload } from "../../core/dialect.ts";
import type { JsonObject } from "../../dialects/shared.ts";
import type { AnswerContext } from "../translation.ts";
import { type ArgumentsWatch, watchArguments } from "./arguments-watch.ts";
import { CALLS_MAX, createCallFinder } from "./call-finder.ts";
import type { Pieces } from "./pieces.ts";
import { madeId, thinkingBlock, toolUseBlock } from "./whole.ts";

/** More than twice what any model writes in one answer: 128,000 tokens are some half a million characters. */
const HELD_CHARACTERS_MAX = 1024 * 1024;

/** What a held block counts beside its text, so that many short ones do not fill the memory either. */
const BLOCK_CHARACTERS = 256;

/**
 * The blocks of a streamed message. They come strictly one after the other, while the calls of Chat Completions are
 * only numbered and may grow by turns. So the first block that is not over streams at once, and what belongs to a later
 * one is held. A text or thinking is over when something else comes. A call is over when its arguments are a whole
 * JSON object and something else comes; until then its next piece may still be on its way, so that everything else
 * waits, at the latest until the answer ends. Real backends finish one call before they begin the next, and then
 * nothing is ever held.
 */
export type Blocks = {
  /** Gives the events for what a chunk brings, or the reason why the stream cannot go on. */
  readonly push: (pieces: Pieces) => readonly Payload[] | string;
  /** The answer is over: every block that is left, whole, but no call without a name. */
  readonly end: () => readonly Payload[];
  readonly hasCalls: () => boolean;
  /** A call has begun whose name has not come. */
  readonly hasNameless: () => boolean;
};

type Block = {
  readonly kind: "thinking" | "text" | "call";
  /** For a call; the name comes with its first piece, or so it should. */
  readonly call: { id: string | undefined; name: string | undefined; readonly number: number; readonly watch: ArgumentsWatch } | undefined;
  isStarted: boolean;
  held: string;
};

export function createBlocks(context: AnswerContext): Blocks {
  const findCall = createCallFinder();
  /** In the order of the message; the first is the one that streams. */
  const waiting: Block[] = [];
  let index = 0;
  let heldCharacters = 0;
  let callCount = 0;
  let hasPinged = false;
  let events: Payload[] = [];

  const emit = (type: string, rest: JsonObject) => events.push({ event: type, data: JSON.stringify({ type, index, ...rest }) });
  const emitDelta = (delta: JsonObject) => emit("content_block_delta", { delta });
  const ping = () => {
    // The service sends one behind the start of the first block, written as here.
    if (!hasPinged) events.push({ event: "ping", data: '{"type": "ping"}' });
    hasPinged = true;
  };

  const start = (block: Block) => {
    block.isStarted = true;
    emit("content_block_start", { content_block: startOf(block, context) });
    ping();
    if (block.kind === "call") emitDelta(deltaOf("call", ""));
    if (block.held !== "") emitDelta(deltaOf(block.kind, block.held));
    heldCharacters -= block.held.length + BLOCK_CHARACTERS;
    block.held = "";
  };

  const close = (block: Block) => {
    if (block.kind === "thinking") emitDelta({ type: "signature_delta", signature: "" });
    emit("content_block_stop", {});
    index++;
  };

  const isOver = ({ kind, call }: Block) => kind !== "call" || call?.watch.isComplete() === true;

  /** Starts the first block as soon as it can be, and goes on to the next where it is over. */
  const advance = () => {
    for (let block = waiting[0]; block !== undefined; block = waiting[0]) {
      if (!block.isStarted) {
        if (isNameless(block)) return;
        start(block);
      }
      if (waiting.length === 1 || !isOver(block)) return;
      close(block);
      waiting.shift();
    }
  };

  const write = (block: Block, text: string) => {
    if (text === "") return;
    block.call?.watch.push(text);
    if (block.isStarted) emitDelta(deltaOf(block.kind, text));
    else {
      block.held += text;
      heldCharacters += text.length;
    }
  };

  const add = (block: Block) => {
    waiting.push(block);
    heldCharacters += BLOCK_CHARACTERS;
    return block;
  };

  const pushText = (kind: "thinking" | "text", text: string) => {
    if (text === "") return;
    const last = waiting.at(-1);
    const block = last?.kind === kind ? last : add({ kind, call: undefined, isStarted: false, held: "" });
    // What was before is closed first.
    advance();
    write(block, text);
  };

  const pushCall = ({ calls }: Pieces): string | undefined => {
    for (const piece of calls) {
      const number = findCall(piece);
      if (number >= CALLS_MAX) return `the backend's answer has more than ${CALLS_MAX} tool calls`;
      let block = waiting.find(({ call }) => call?.number === number);
      if (block === undefined && number < callCount) {
        if (piece.argumentsText.trim() === "") continue;
        return "the backend sent arguments for a tool call whose arguments were complete";
      }
      if (block === undefined) {
        const call = { id: piece.id, name: piece.name, number, watch: watchArguments() };
        block = add({ kind: "call", call, isStarted: false, held: "" });
        callCount++;
      } else if (block.call !== undefined) {
        block.call.id ??= piece.id;
        block.call.name ??= piece.name;
      }
      advance();
      write(block, piece.argumentsText);
    }
    return undefined;
  };

  const taken = (): readonly Payload[] => {
    const all = events;
    events = [];
    return all;
  };

  return {
    push(pieces) {
      pushText("thinking", pieces.thinking);
      pushText("text", pieces.text);
      const trouble = pushCall(pieces);
      advance();
      if (trouble !== undefined) return trouble;
      if (heldCharacters > HELD_CHARACTERS_MAX) return "the backend sent more than can be held back for several tool calls at once";
      return taken();
    },
    end() {
      for (const block of waiting) {
        if (isNameless(block)) continue;
        if (!block.isStarted) start(block);
        close(block);
      }
      waiting.length = 0;
      ping();
      return taken();
    },
    hasCalls: () => callCount > 0,
    hasNameless: () => waiting.some(isNameless),
  };
}

function isNameless({ call }: Block): boolean {
  return call !== undefined && call.name === undefined;
}

function startOf({ kind, call }: Block, context: AnswerContext): JsonObject {
  if (call !== undefined) return toolUseBlock(call.id ?? madeId(context, call.number), call.name, {});
  return kind === "thinking" ? thinkingBlock("") : { type: "text", text: "" };
}

function deltaOf(kind: Block["kind"], text: string): JsonObject {
  if (kind === "text") return { type: "text_delta", text };
  return kind === "thinking" ? { type: "thinking_delta", thinking: text } : { type: "input_json_delta", partial_json: text };
}
