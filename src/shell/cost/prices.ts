import type { ModelPrice } from "@pydantic/genai-prices";
import type { PriceSetting } from "../../config/gateway-settings.ts";
import type { ProviderName } from "../../core/provider.ts";
import type { Usage } from "../../core/usage.ts";
import { globMatches } from "../../rules/glob.ts";
import { costOf, type Rate, type Rates } from "./rates.ts";

export type Priced = {
  readonly provider: ProviderName;
  /** The model that was asked for. */
  readonly model: string | undefined;
  /** The model that the answer names, where it does. */
  readonly answeredModel?: string | undefined;
  /** URL of the target: a host whose prices are known has its own, whatever provider it stands in for. */
  readonly base?: string | undefined;
  readonly usage: Usage;
  readonly wallMs: number;
};

export type Prices = {
  /** Undefined where nothing is known of the model's price; never throws. */
  readonly costUsd: (priced: Priced) => number | undefined;
};

/** Names of the table for our providers. Those that are not here have no known prices. */
const TABLE_IDS: Partial<Readonly<Record<ProviderName, string>>> = {
  openai: "openai",
  anthropic: "anthropic",
  google: "google",
  openrouter: "openrouter",
};

/** Models come from the wire; beyond so many all are forgotten. */
const REMEMBERED_MAX = 2_000;

const DAY_MS = 86_400_000;

type Remembered = { readonly rates: Rates | undefined; readonly day: number };

/** `isSteady`: until the day ends. */
type Found = { readonly rates: Rates | undefined; readonly isSteady: boolean };

/** Loads the table of prices, which is large: 0.8 MB of text. */
export async function createPrices(overrides: readonly PriceSetting[]): Promise<Prices> {
  const { calcPrice, findProvider } = await import("@pydantic/genai-prices");
  const tableIds = new Map<string, string | undefined>();
  const remembered = new Map<string, Remembered>();

  /** Looking a model up takes longer than all else of a request's accounting, and prices change at the beginning of a day (UTC). */
  function ratesOf(tableId: string, model: string, wallMs: number): Found {
    const key = `${tableId} ${model}`;
    const day = Math.floor(wallMs / DAY_MS);
    const known = remembered.get(key);
    if (known?.day === day) return { rates: known.rates, isSteady: true };
    const found = lookUp(tableId, model, wallMs);
    if (remembered.size >= REMEMBERED_MAX) remembered.clear();
    if (found.isSteady) remembered.set(key, { rates: found.rates, day });
    return found;
  }

  function lookUp(tableId: string, model: string, wallMs: number): Found {
    try {
      const found = calcPrice({}, model, { providerId: tableId, timestamp: new Date(wallMs) });
      // For some providers the table falls back to the models of others (Google to Anthropic's). That would be a guess.
      if (found === null || !found.provider.models.includes(found.model)) return { rates: undefined, isSteady: true };
      const { prices } = found.model;
      const isSteady = !Array.isArray(prices) || prices.every(({ constraint }) => constraint?.type !== "time_of_date");
      return { rates: ratesFrom(found.model_price), isSteady };
    } catch {
      return { rates: undefined, isSteady: true };
    }
  }

  function tableIdOf(provider: ProviderName, base: string | undefined): string | undefined {
    if (base === undefined) return TABLE_IDS[provider];
    if (!tableIds.has(base)) tableIds.set(base, findProvider({ providerApiUrl: base })?.id);
    return tableIds.get(base) ?? TABLE_IDS[provider];
  }

  function ratesFor({ provider, model, answeredModel, base, wallMs }: Priced): Found {
    const own = overrides.find((override) => matches(override, provider, model) || matches(override, provider, answeredModel));
    if (own !== undefined) return { rates: ownRates(own), isSteady: true };
    const tableId = tableIdOf(provider, base);
    const name = pricedName(model, answeredModel);
    return tableId === undefined || name === undefined ? { rates: undefined, isSteady: true } : ratesOf(tableId, name, wallMs);
  }

  /** One after another, most differ in nothing but their tokens. */
  let last: { readonly priced: Priced; readonly day: number; readonly rates: Rates | undefined } | undefined;
  return {
    costUsd(priced) {
      const day = Math.floor(priced.wallMs / DAY_MS);
      if (last !== undefined && last.day === day && isAlike(last.priced, priced)) return last.rates && costOf(priced.usage, last.rates);
      const { rates, isSteady } = ratesFor(priced);
      last = isSteady ? { priced, day, rates } : undefined;
      return rates && costOf(priced.usage, rates);
    },
  };
}

function isAlike(one: Priced, other: Priced): boolean {
  return (
    one.model === other.model && one.answeredModel === other.answeredModel && one.provider === other.provider && one.base === other.base
  );
}

/** What answered is paid for. A variant such as `:free` is a price of its own, and answers leave it out. */
function pricedName(asked: string | undefined, answered: string | undefined): string | undefined {
  return answered === undefined || asked?.startsWith(`${answered}:`) ? asked : answered;
}

function matches({ provider, model }: PriceSetting, ofProvider: ProviderName, ofModel: string | undefined): boolean {
  return (provider === undefined || provider === ofProvider) && globMatches(model, ofModel ?? "");
}

function ownRates({ inputPerMillion, outputPerMillion, cacheReadPerMillion, cacheWritePerMillion }: PriceSetting): Rates {
  return {
    input: flat(inputPerMillion),
    output: flat(outputPerMillion),
    ...(cacheReadPerMillion !== undefined && { cacheRead: flat(cacheReadPerMillion) }),
    ...(cacheWritePerMillion !== undefined && { cacheWrite: flat(cacheWritePerMillion) }),
  };
}

function flat(price: number): Rate {
  return { base: price, tiers: [] };
}

const KEYS: Readonly<Record<keyof Rates, string>> = {
  input: "input_mtok",
  cacheRead: "cache_read_mtok",
  cacheWrite: "cache_write_mtok",
  cacheWriteHour: "cache_write_1h_mtok",
  inputAudio: "input_audio_mtok",
  inputImage: "input_image_mtok",
  output: "output_mtok",
  reasoning: "output_reasoning_mtok",
  outputAudio: "output_audio_mtok",
  outputImage: "output_image_mtok",
};

/** Every `…_mtok` price is USD for a million tokens. A model without any price is free: the table knows it. */
function ratesFrom(prices: ModelPrice): Rates {
  if (Object.keys(prices).length === 0) return { input: flat(0), output: flat(0) };
  const rates: { -readonly [name in keyof Rates]: Rate } = {};
  for (const [name, key] of Object.entries(KEYS) as [keyof Rates, string][]) {
    const price = prices[key];
    if (price !== undefined) rates[name] = typeof price === "number" ? flat(price) : price;
  }
  return rates;
}
