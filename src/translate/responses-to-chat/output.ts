import type { JsonObject } from "../../dialects/shared.ts";
import { createCalls } from "./calls.ts";
import { ANSWER_CHARACTERS_MAX, ITEM_CHARACTERS } from "./limits.ts";
import { type MessageItem, openMessage } from "./message-item.ts";
import type { Brought } from "./reading.ts";
import { openReasoning, type ReasoningItem } from "./reasoning-item.ts";
import type { OfferedTools } from "./tools.ts";

/** Sends an event of a streamed answer; of a whole one nobody listens. */
export type Emit = (type: string, fields: JsonObject) => void;

export type ItemStatus = "completed" | "incomplete";

/** Gives the next item of the output its place: `open` is called with its index. */
export type ShowItem = <Item extends OpenItem>(open: (outputIndex: number) => Item) => Item;

/** An item on its way. Closing it sends its last events and gives it whole. */
export type OpenItem = { readonly close: (status: ItemStatus) => JsonObject };

/** The output of an answer in the making, the same for a whole answer as for one in pieces. */
export type Output = {
  readonly add: (brought: Brought) => void;
  /** Closes what is open; the last item has the status of the answer. Calls without a name are no items. */
  readonly close: (status: ItemStatus) => readonly JsonObject[];
  /** A call has begun whose name has not come. */
  readonly hasNameless: () => boolean;
  /** More was brought than is held: the answer cannot be given. */
  readonly isTooLong: () => boolean;
};

/**
 * Text and reasoning are open one at a time, as the service has them and Codex expects: where one begins, the other is closed,
 * and text after a call is another message. Calls stay open until the end, since their pieces may come mixed.
 */
export function createOutput(baseId: string, offered: OfferedTools, emit: Emit): Output {
  /** Open, or closed and whole. */
  const items: { readonly close: (status: ItemStatus) => JsonObject }[] = [];
  let message: MessageItem | undefined;
  let reasoning: ReasoningItem | undefined;
  /** Where the one of the two stands that is open. */
  let sequentialIndex = 0;
  let characters = 0;

  const show: ShowItem = (open) => {
    const item = open(items.length);
    items.push(item);
    return item;
  };
  const closeSequential = () => {
    const closed = (message ?? reasoning)?.close("completed");
    if (closed !== undefined) items[sequentialIndex] = { close: () => closed };
    message = undefined;
    reasoning = undefined;
  };
  /** A call counts from its beginning, shown or not. */
  const onCall = () => {
    characters += ITEM_CHARACTERS;
    closeSequential();
  };
  /** A call whose name came late is shown behind a text that came meanwhile. */
  const showCall: ShowItem = (open) => {
    closeSequential();
    return show(open);
  };
  const calls = createCalls(baseId, offered, emit, onCall, showCall);
  const begin = () => {
    characters += ITEM_CHARACTERS;
    closeSequential();
    calls.showAll();
    sequentialIndex = items.length;
  };

  const theMessage = (): MessageItem => {
    if (message !== undefined) return message;
    begin();
    const onPart = () => {
      characters += ITEM_CHARACTERS;
    };
    message = show((index) => openMessage(`msg_${baseId}${index}`, index, emit, onPart));
    return message;
  };
  const theReasoning = (): ReasoningItem => {
    if (reasoning !== undefined) return reasoning;
    begin();
    reasoning = show((index) => openReasoning(`rs_${baseId}${index}`, index, emit));
    return reasoning;
  };
  return {
    add(brought) {
      characters += sizeOf(brought);
      if (characters > ANSWER_CHARACTERS_MAX) return;
      if (brought.reasoning !== "") theReasoning().add(brought.reasoning);
      if (brought.text !== "") theMessage().addText(brought.text, brought.logprobs);
      if (brought.refusal !== "") theMessage().addRefusal(brought.refusal);
      if (brought.annotations.length > 0) theMessage().addAnnotations(brought.annotations);
      for (const piece of brought.calls) if (characters <= ANSWER_CHARACTERS_MAX) calls.add(piece);
    },
    close(status) {
      calls.showAll();
      return items.map((item, index) => item.close(index === items.length - 1 ? status : "completed"));
    },
    hasNameless: calls.hasNameless,
    isTooLong: () => characters > ANSWER_CHARACTERS_MAX,
  };
}

function sizeOf({ reasoning, text, refusal, logprobs, annotations, calls }: Brought): number {
  const kept = [...logprobs, ...annotations];
  const written = kept.length === 0 ? 0 : JSON.stringify(kept).length;
  const called = calls.reduce((sum, { text, name, id }) => sum + text.length + (name?.length ?? 0) + (id?.length ?? 0), 0);
  return reasoning.length + text.length + refusal.length + written + called;
}
