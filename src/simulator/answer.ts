import type { Answer, ToolCall } from "../core/dialect.ts";
import type { RequestFacts } from "../core/exchange.ts";
import { randomStream } from "../core/random.ts";
import { exampleArguments } from "./example-arguments.ts";
import { structuredOutput } from "./structured-output.ts";

/** Every piece is about a token long and holds no line end, so that a stream of them is easy to read. */
const VOCABULARY = (
  "the a this one that which when where then here now still every some many small large new good plain simple clear proxy model request answer " +
  "stream token frame client server tool test word text line page case part side turn time place way end start comes goes stays waits gives takes " +
  "reads writes sends keeps finds shows holds makes runs stops and or but so with from over under after before between into out"
).split(" ");

const SENTENCE_WORDS = 11;
/** The end of a prompt is enough to tell requests apart, however long it is. */
const PROMPT_CHARACTERS = 4_000;
const CHARACTERS_PER_TOKEN = 4;
const TOKEN_SIZED = /.{1,4}/gsu;
/** What a call costs beside its arguments. */
const CALL_TOKENS = 12;

/** The answer to a request, from nothing but the request: a tool call where the prompt asks for one, JSON where that is wanted, else a text. */
export function answerTo(facts: RequestFacts, json: unknown, tokens: number, id: string): Answer {
  const name = askedTool(facts);
  if (name !== undefined) return callAnswer(facts, { id: `${id}0`, name, argumentsText: exampleArguments(json, name) });
  const structured = structuredOutput(json)?.match(TOKEN_SIZED);
  const wanted = structured?.length ?? tokens;
  const pieces = Math.min(wanted, facts.outputTokensMax ?? wanted);
  return {
    text: structured?.slice(0, pieces) ?? textOf(facts, pieces),
    refusal: undefined,
    toolCalls: [],
    finish: pieces < wanted ? "length" : "stop",
    inputTokens: facts.inputTokens,
    outputTokens: pieces,
  };
}

function callAnswer({ inputTokens }: RequestFacts, call: ToolCall): Answer {
  const outputTokens = CALL_TOKENS + Math.ceil(call.argumentsText.length / CHARACTERS_PER_TOKEN);
  return { text: [], refusal: undefined, toolCalls: [call], finish: "tool_calls", inputTokens, outputTokens };
}

function textOf({ model, prompt, afterToolResult }: RequestFacts, pieces: number): readonly string[] {
  const random = randomStream(0, `${model}/${afterToolResult}/${prompt.length}/${prompt.slice(-PROMPT_CHARACTERS)}`);
  return Array.from({ length: pieces }, (_, index) => {
    const word = VOCABULARY[Math.floor(random.next() * VOCABULARY.length)] ?? "";
    const inSentence = index % SENTENCE_WORDS;
    const spelled = inSentence === 0 ? word.charAt(0).toUpperCase() + word.slice(1) : word;
    const ends = inSentence === SENTENCE_WORDS - 1 || index === pieces - 1;
    return `${index === 0 ? "" : " "}${spelled}${ends ? "." : ""}`;
  });
}

/** The tool that the last prompt names, or the first where it speaks of a tool or a call; none after a tool's result. */
function askedTool({ tools, prompt, afterToolResult }: RequestFacts): string | undefined {
  if (tools.length === 0 || afterToolResult) return undefined;
  // Agents put notes to the model in tags into the user's turn; they speak of tools all the time.
  const said = prompt
    .slice(-PROMPT_CHARACTERS)
    .replace(/<(system-reminder|environment_context)>[\s\S]*?(?:<\/\1>|$)/g, "")
    .toLowerCase();
  const words = new Set(said.split(/[^\p{L}\p{N}_.-]+/u).map((word) => word.replace(/^[.-]+|[.-]+$/g, "")));
  return (
    tools.find((name) => words.has(name.toLowerCase())) ??
    (["tool", "tools", "call"].some((word) => words.has(word)) ? tools[0] : undefined)
  );
}
