import type { Provider, ProviderName } from "../core/provider.ts";
import { anthropic } from "./anthropic.ts";
import { databricks } from "./databricks.ts";
import { google } from "./google.ts";
import { openai } from "./openai.ts";
import { openrouter } from "./openrouter.ts";
import { tetrate } from "./tetrate.ts";

export const PROVIDERS: Readonly<Record<ProviderName, Provider>> = { openai, anthropic, google, openrouter, tetrate, databricks };
