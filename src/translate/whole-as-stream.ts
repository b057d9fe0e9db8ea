import type { Payload } from "../core/dialect.ts";
import { isObject, type JsonObject, objectsOf } from "../dialects/shared.ts";
import type { Translation } from "./translation.ts";

/** A whole answer as the shortest stream that says the same, for targets that answer whole where a stream was asked for. */
export function wholeAsStream(target: Translation["target"], answer: JsonObject): readonly Payload[] {
  const payload = (json: JsonObject, event?: string): Payload => ({ event, data: JSON.stringify(json) });
  if (target === "responses") {
    const type = answer.status === "incomplete" ? "response.incomplete" : "response.completed";
    return [payload({ type, response: answer }, type)];
  }
  if (target === "messages") return messageEvents(answer).map((event) => payload(event, event.type));
  const choices = objectsOf(answer.choices).map(({ message, ...choice }) => ({
    ...choice,
    delta: isObject(message) ? indexed(message) : {},
  }));
  return [payload({ ...answer, object: "chat.completion.chunk", choices }), { event: undefined, data: "[DONE]" }];
}

/** The calls of a whole message have no index of their own. */
function indexed(message: JsonObject): JsonObject {
  if (!Array.isArray(message.tool_calls)) return message;
  return { ...message, tool_calls: objectsOf(message.tool_calls).map((call, index) => ({ index, ...call })) };
}

type MessageEvent = JsonObject & { readonly type: string };

function messageEvents({ content, stop_reason, stop_sequence, stop_details, usage, ...message }: JsonObject): readonly MessageEvent[] {
  return [
    { type: "message_start", message: { ...message, content: [], usage } },
    ...objectsOf(content).flatMap((content_block, index) => [
      // All of a block stands in its beginning.
      { type: "content_block_start", index, content_block },
      { type: "content_block_stop", index },
    ]),
    { type: "message_delta", delta: { stop_reason: stop_reason ?? "end_turn", stop_sequence, stop_details }, usage },
    { type: "message_stop" },
  ];
}
