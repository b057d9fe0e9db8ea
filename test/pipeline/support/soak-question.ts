import type { DialectName } from "../../../src/core/dialect.ts";
import type { ProviderName } from "../../../src/core/provider.ts";
import { DIALECTS } from "../../../src/dialects/index.ts";
import type { Draws } from "./draws.ts";
import type { Question } from "./soak-script.ts";
import { plain } from "./soak-seen.ts";
import type { Story } from "./soak-story.ts";

type Asked = {
  readonly story: Story;
  readonly provider: ProviderName;
  /** Path and query. */
  readonly target: string;
  /** Of the request's body. */
  readonly text: string;
  readonly number: number;
  readonly wallMs: number;
};

/** What a target makes of a request; `isLoose`: it goes on behind a beginning, with white space of its own. */
export function questionOf(asked: Asked, draws: Draws): { readonly question: Question; readonly told: string; readonly isLoose: boolean } {
  const { story, provider, target, text, number, wallMs } = asked;
  const [path = "", query = ""] = target.split("?");
  const dialect = (Object.keys(DIALECTS) as DialectName[]).find((name) => DIALECTS[name].matches(path));
  if (dialect === undefined) throw new Error(`no dialect: ${target}`);
  const json: unknown = JSON.parse(text);
  const told = toldIn(json);
  const end = restOf(story.text, told);
  const habit = told === "" ? "repeats" : draws.pick(["repeats", "repeats", "strips", "differs"]);
  const rest = habit === "repeats" ? end : habit === "strips" ? end.trimStart() : ` \n${end.trimStart()}`;
  const facts = DIALECTS[dialect].facts(path, query, json);
  return { question: { story, provider, dialect, path, query, facts, rest, number, wallMs }, told, isLoose: habit !== "repeats" };
}

/** The beginning that the last turn holds, in any dialect. */
function toldIn(json: unknown): string {
  const turns = ["messages", "input", "contents"].map((key) => Reflect.get(Object(json), key)).find(Array.isArray) ?? [];
  const last = turns.at(-1);
  if (last?.role !== "assistant" && last?.role !== "model") return "";
  const content = last.content ?? last.parts;
  return typeof content === "string" ? content : content.map((part: { text: string }) => part.text).join("");
}

/** What follows the beginning, whose white space may be another's. */
function restOf(text: string, told: string): string {
  if (text.startsWith(told)) return text.slice(told.length);
  let place = 0;
  while (place < text.length && plain(text.slice(0, place)).length < plain(told).length) place++;
  return text.slice(place);
}
