import type { ProviderName } from "../core/provider.ts";

export type EstimationSettings = {
  /** Larger bodies are judged by their length alone. */
  readonly maxSampleBytes: number;
  readonly charsPerToken: number;
  /** In place of `charsPerToken`. */
  readonly providerCharsPerToken: Partial<Readonly<Record<ProviderName, number>>>;
  readonly bytesPerToken: number;
};

export type EstimationFacts = {
  readonly provider: ProviderName;
  /** Of the text that the model reads; undefined: the body was not read, or says nothing of it. */
  readonly characters: number | undefined;
  readonly bodyBytes: number;
};

/** Whole tokens, rounded up. What is no text (images, sound) is not estimated where the text is known. */
export function estimateInputTokens({ provider, characters, bodyBytes }: EstimationFacts, settings: EstimationSettings): number {
  if (characters === undefined || bodyBytes > settings.maxSampleBytes) return Math.ceil(bodyBytes / settings.bytesPerToken);
  return Math.ceil(characters / (settings.providerCharsPerToken[provider] ?? settings.charsPerToken));
}
