import type { JsonObject } from "../dialects/shared.ts";
import { readError } from "./errors.ts";
import type { AnswerContext, RequestOptions, StreamTranslation, Translation } from "./translation.ts";

/** System messages must still be there for the second, which the settings speak of. */
const KEPT: RequestOptions = { systemMessages: "input" };

/** One translation behind another: from the client of the first to the target of the second, by the dialect between them. */
export function through(first: Translation, second: Translation): Translation {
  /** What the first made of requests whose answers are not there yet, so that it is not made again. */
  const made = new WeakMap<JsonObject, ReturnType<Translation["request"]>>();
  const firstRequest = (json: JsonObject) => {
    const request = made.get(json) ?? first.request(json, KEPT);
    made.set(json, request);
    return request;
  };
  const between = (json: JsonObject): JsonObject => {
    const request = firstRequest(json);
    return request.kind === "request" ? request.body : {};
  };
  const inner = (context: AnswerContext): AnswerContext => ({ ...context, request: between(context.request) });
  return {
    client: first.client,
    target: second.target,
    request(json, options) {
      const one = firstRequest(json);
      if (one.kind === "mistake") return one;
      const two = second.request(one.body, options);
      return two.kind === "mistake" ? two : { ...two, dropped: [...new Set([...one.dropped, ...two.dropped])] };
    },
    headers: (headers) => second.headers(first.headers(headers)),
    whole(answer, context) {
      const { status, body } = second.whole(answer, inner(context));
      return status === 200 ? first.whole(body, context) : { status, body: first.error(status, readError(status, JSON.stringify(body))) };
    },
    stream: (context) => streamThrough(first.stream(context), second.stream(inner(context))),
    error: first.error,
  };
}

function streamThrough(first: StreamTranslation, second: StreamTranslation): StreamTranslation {
  return {
    onPayload: (payload) => second.onPayload(payload).flatMap((between) => first.onPayload(between)),
    onEnd: () => [...second.onEnd().flatMap((between) => first.onPayload(between)), ...first.onEnd()],
    isOver: () => first.isOver(),
  };
}
