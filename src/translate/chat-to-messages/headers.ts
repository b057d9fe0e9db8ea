import type { HeaderField, HeaderList } from "../../core/headers.ts";
import { headerValue } from "../../core/headers.ts";

const VERSION: HeaderField = ["anthropic-version", "2023-06-01"];

/** Tokens of accounts, which are no keys, are taken as such alone, and with this beside them (BerriAI/litellm#21039). */
const ACCOUNT_TOKEN = /^Bearer\s+sk-ant-oat/i;
const ACCOUNT_BETA = "oauth-2025-04-20";

/**
 * The key goes where Anthropic's API looks for it. Where there is an `x-api-key` already, that one counts. Organizations,
 * projects and betas are OpenAI's alone; without a version the API refuses every request.
 */
export function translateHeaders(headers: HeaderList): HeaderList {
  let hasKey = (headerValue(headers, "x-api-key") ?? "") !== "";
  const isAccount = !hasKey && ACCOUNT_TOKEN.test(headerValue(headers, "authorization") ?? "");
  const betas = headerValue(headers, "anthropic-beta");
  const needsBeta = isAccount && betas?.includes(ACCOUNT_BETA) !== true;
  const translated = headers.flatMap((field): readonly HeaderField[] => {
    const name = field[0].toLowerCase();
    if (name.startsWith("openai-")) return [];
    if (name === "anthropic-beta" && needsBeta) return [];
    if (name !== "authorization" || isAccount) return [field];
    const key = /^Bearer\s+(.*)$/i.exec(field[1].trim())?.[1]?.trim() ?? "";
    if (hasKey || key === "") return [];
    hasKey = true;
    return [["x-api-key", key]];
  });
  return [
    ...translated,
    ...(needsBeta ? [["anthropic-beta", betas === undefined ? ACCOUNT_BETA : `${betas},${ACCOUNT_BETA}`] as const] : []),
    ...(headerValue(headers, "anthropic-version") === undefined ? [VERSION] : []),
  ];
}
