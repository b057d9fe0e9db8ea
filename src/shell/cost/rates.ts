import type { Usage } from "../../core/usage.ts";

/** USD for a million tokens; with an input of more than `start` tokens all of them cost `price`. */
export type Rate = { readonly base: number; readonly tiers: readonly { readonly start: number; readonly price: number }[] };

/** A part without a price of its own costs what the whole does. */
export type Rates = {
  readonly input?: Rate;
  readonly cacheRead?: Rate;
  readonly cacheWrite?: Rate;
  readonly cacheWriteHour?: Rate;
  readonly inputAudio?: Rate;
  readonly inputImage?: Rate;
  readonly output?: Rate;
  readonly reasoning?: Rate;
  readonly outputAudio?: Rate;
  readonly outputImage?: Rate;
};

/** USD; undefined where tokens were taken that have no price. */
export function costOf(usage: Usage, rates: Rates): number | undefined {
  const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens } = usage;
  if ((rates.input === undefined && inputTokens > 0) || (rates.output === undefined && outputTokens > 0)) return undefined;
  const input = priceAt(rates.input, inputTokens) ?? 0;
  const output = priceAt(rates.output, inputTokens) ?? 0;
  const write = priceAt(rates.cacheWrite, inputTokens) ?? input;
  const reasoning = rates.reasoning === undefined ? 0 : usage.reasoningTokens;

  const { cacheWriteHour = 0, inputAudio = 0, inputImage = 0, outputAudio = 0, outputImage = 0 } = usage.parts ?? {};
  const fresh = inputTokens - cacheReadTokens - cacheWriteTokens;
  const audioIn = Math.min(inputAudio, fresh);
  const imageIn = Math.min(inputImage, fresh - audioIn);
  const rest = outputTokens - reasoning;
  const audioOut = Math.min(outputAudio, rest);
  const imageOut = Math.min(outputImage, rest - audioOut);

  const millionths =
    (fresh - audioIn - imageIn) * input +
    audioIn * (priceAt(rates.inputAudio, inputTokens) ?? input) +
    imageIn * (priceAt(rates.inputImage, inputTokens) ?? input) +
    cacheReadTokens * (priceAt(rates.cacheRead, inputTokens) ?? input) +
    (cacheWriteTokens - cacheWriteHour) * write +
    cacheWriteHour * (priceAt(rates.cacheWriteHour, inputTokens) ?? write) +
    (rest - audioOut - imageOut) * output +
    reasoning * (priceAt(rates.reasoning, inputTokens) ?? output) +
    audioOut * (priceAt(rates.outputAudio, inputTokens) ?? output) +
    imageOut * (priceAt(rates.outputImage, inputTokens) ?? output);
  return millionths / 1e6;
}

function priceAt(rate: Rate | undefined, inputTokens: number): number | undefined {
  if (rate === undefined) return undefined;
  let { base: price } = rate;
  let above = -1;
  for (const tier of rate.tiers) {
    if (inputTokens > tier.start && tier.start > above) {
      above = tier.start;
      price = tier.price;
    }
  }
  return price;
}
