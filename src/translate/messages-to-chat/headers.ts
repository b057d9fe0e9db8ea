import type { HeaderField, HeaderList } from "../../core/headers.ts";
import { headerValue } from "../../core/headers.ts";

/**
 * The key goes where OpenAI's API and its kin look for it. Where there is an `Authorization` already, as Claude Code
 * sends with a token of its own, that one counts. Versions and betas are the Messages API's alone.
 */
export function translateHeaders(headers: HeaderList): HeaderList {
  let hasCredentials = headerValue(headers, "authorization") !== undefined;
  return headers.flatMap((field): readonly HeaderField[] => {
    const name = field[0].toLowerCase();
    if (name.startsWith("anthropic-")) return [];
    if (name !== "x-api-key") return [field];
    const key = field[1].trim();
    if (hasCredentials || key === "") return [];
    hasCredentials = true;
    return [["Authorization", `Bearer ${key}`]];
  });
}
