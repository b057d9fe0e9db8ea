import type { Dialect } from "../../core/dialect.ts";
import type { Identified } from "../../core/exchange.ts";
import { BROKEN, type Failure } from "../../core/failure.ts";
import type { Frame } from "../../core/frame.ts";
import type { HeaderList } from "../../core/headers.ts";
import type { Ports } from "../../core/ports.ts";
import { ERROR_MEMBER } from "../../dialects/index.ts";
import { parseObject } from "../../dialects/shared.ts";
import { answeredModel, mayHoldUsage } from "../../dialects/usage.ts";
import { failureInAnswer } from "../../policy/classify.ts";
import { outcomeOf, type Told } from "./governed.ts";
import type { StreamWatch } from "./watched-stream.ts";

/** What has been seen of a stream. */
export type AnswerWatch = StreamWatch & {
  /** It has failed in a way that its frames do not tell; told to the circuit, once. */
  readonly fail: (failure: Failure) => void;
  readonly failure: () => Failure | undefined;
  readonly hasContent: () => boolean;
};

/** Notes what a stream brings, and tells the circuit how it does. */
export function watchOf(
  headers: HeaderList,
  dialect: Dialect,
  exchange: Identified,
  addedUsage: boolean,
  governed: Told,
  ports: Ports,
): AnswerWatch {
  const { observed } = governed;
  const withoutUsage = addedUsage ? dialect.withoutUsage() : undefined;
  let hasContent = false;
  let isComplete = false;
  let failure: Failure | undefined;

  const fail = (found: Failure) => {
    if (failure !== undefined) return;
    failure = found;
    observed.failure = found.class;
    governed.settle(outcomeOf(found.class));
  };
  const readJson = (data: string) => {
    const json = parseObject(data);
    if (json === undefined) return;
    observed.usage = dialect.usage(json, observed.usage);
    observed.answeredModel ??= answeredModel(json);
  };
  const onFrame = (frame: Frame): string | undefined => {
    const { data = "" } = frame;
    if (!hasContent && dialect.isContent(frame)) {
      hasContent = true;
      observed.firstTokenMs = ports.clock.monotonicMs() - exchange.receivedMonotonicMs;
      if (observed.answeredModel === undefined) readJson(data);
      governed.settle("success");
    }
    if (mayHoldUsage(data)) readJson(data);
    // A finish is a complete answer, also where the terminator never comes.
    isComplete ||= dialect.isTerminal(frame) || FINISHED.test(data);
    if (data.includes(ERROR_MEMBER)) {
      const found = failureInAnswer(exchange.provider, headers, data, ports.clock.wallMs());
      if (found !== undefined) fail(found);
    }
    return withoutUsage === undefined ? data : withoutUsage(data);
  };
  const onEnd = (how: "ended" | "cut" | "left") => {
    if (how === "left") return;
    if (!isComplete) fail(BROKEN);
    else if (!hasContent) governed.settle("success");
  };
  return { onFrame, onEnd, fail, failure: () => failure, hasContent: () => hasContent };
}

/** An empty reason is none (SGLang, Ollama). */
const FINISHED = /"finish_reason"\s*:\s*"[^"]/;
