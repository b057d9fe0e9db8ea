/** What a model takes, as far as its name tells. Each would be refused where it is not known. */
export type Abilities = {
  /** What `max_tokens` is, which must be given, where the client sets no limit. */
  readonly limitTokens: number;
  /** Of `temperature` and `top_p`. */
  readonly sampling: "both" | "one" | "none";
  /** Of `output_config.effort`, the values above "high". */
  readonly efforts: readonly string[] | undefined;
  /** `output_config.format`. */
  readonly schemas: boolean;
};

/** Claude 4 and what came after it write at least so much in one answer (models overview of Anthropic's documentation). */
export const CLAUDE_LIMIT_TOKENS = 32_000;

/** The least that any earlier Claude writes, and that models of others do behind the same API. */
export const OTHER_LIMIT_TOKENS = 4_096;

const UNKNOWN: Abilities = { limitTokens: OTHER_LIMIT_TOKENS, sampling: "both", efforts: undefined, schemas: false };

/** A family and its version, since Claude 4: `claude-opus-4-1-20250805`, `anthropic/claude-opus-4.7`, `claude-sonnet-4@20250514`. */
const NAMED = /claude-([a-z]+)-(\d{1,2})(?:[.-](\d{1,2}))?(?!\d)/;

/**
 * From the documentation of each feature and from what people met: since Opus 4.1 a request with both `temperature` and
 * `top_p` is refused (open-webui/functions#9), and models after Opus 4.6 refuse either ("`temperature` is deprecated for
 * this model", sipeed/picoclaw#2939); effort came with Opus 4.5, and Haiku 4.5 refuses it (Oaklight/llm-rosetta#289).
 */
export function abilitiesOf(model: string): Abilities {
  const [, family = "", major, minor = "0"] = NAMED.exec(model) ?? [];
  if (major === undefined) return UNKNOWN;
  const version = Number(major) * 100 + Number(minor);
  const isOpus = family === "opus";
  const hasEffort = version >= 406 || (isOpus && version === 405);
  return {
    limitTokens: CLAUDE_LIMIT_TOKENS,
    sampling: version > 406 ? "none" : version > 400 ? "one" : "both",
    efforts: hasEffort ? [...(version >= 407 ? ["xhigh"] : []), ...(version >= 406 ? ["max"] : [])] : undefined,
    schemas: version >= 405 || (isOpus && version === 401),
  };
}
