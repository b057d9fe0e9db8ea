/** The tokens that an answer says it took. Counts are whole numbers from 0. */
export type Usage = {
  /** All of the input: what came from a cache and what was written into one are parts of it. */
  readonly inputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  /** All of the output: reasoning is a part of it. */
  readonly outputTokens: number;
  readonly reasoningTokens: number;
};
