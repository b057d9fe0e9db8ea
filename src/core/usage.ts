/** The tokens that an answer says it took. Counts are whole numbers from 0. */
export type Usage = {
  /** All of the input: what came from a cache and what was written into one are parts of it. */
  readonly inputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  /** All of the output: reasoning is a part of it. */
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  /** Parts of the above with prices of their own; left out where they are 0. */
  readonly parts?: UsageParts;
};

export type UsageParts = {
  /** Of what was written into a cache: what is kept for an hour. */
  readonly cacheWriteHour?: number;
  readonly inputAudio?: number;
  readonly inputImage?: number;
  readonly outputAudio?: number;
  readonly outputImage?: number;
};
