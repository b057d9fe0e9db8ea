import type { Notes } from "./notes.ts";
import { DICTIONARY, dropOthers, LIST, required, requiredText, tagOf } from "./values.ts";

/**
 * Claude Code puts accounting for its own service into the first block or line of the system prompt. It says nothing
 * to a model, and as it changes with every request it would spoil every target's cache of prompts
 * (anthropics/claude-code#68900; vLLM and SGLang leave it out too).
 */
const ACCOUNTING = /^x-anthropic-billing-header:[^\n]*\n?/;

/** The texts of a system prompt, joined by blank lines. */
export function systemText(notes: Notes, content: unknown, place: string): string {
  const texts = typeof content === "string" ? [requiredText(notes, content, place)] : blockTexts(notes, content, place);
  return texts
    .map((text) => {
      if (ACCOUNTING.test(text)) notes.drop("system.x-anthropic-billing-header");
      return text.replace(ACCOUNTING, "");
    })
    .filter((text) => text !== "")
    .join("\n\n");
}

function blockTexts(notes: Notes, content: unknown, place: string): readonly string[] {
  return (required(notes, content, place, LIST) ?? []).map((value, index) => {
    const at = `${place}.${index}`;
    const block = required(notes, value, at, DICTIONARY);
    if (block === undefined || tagOf(notes, block, at, ["text"]) === undefined) return "";
    dropOthers(notes, block, ["text"], "system.");
    return requiredText(notes, block.text, `${at}.text`);
  });
}
