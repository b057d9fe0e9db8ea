import type { Dialect } from "../../core/dialect.ts";
import type { Evidence, StreamErrorEntry } from "../../core/provider.ts";
import type { JsonObject } from "../shared.ts";

/**
 * In an event stream the error leaves the framing: bare JSON over several lines after the last event, with no `data:`.
 * In an array it is the last element, whichever variant is asked for.
 */
export function geminiStreamErrors(): Dialect["streamErrors"] {
  const entry = (variant: string, evidence: Evidence, source: string, error: JsonObject, isBare: boolean): StreamErrorEntry => ({
    variant,
    evidence,
    source,
    text({ framing, index, message }) {
      const body = { error: message === undefined ? error : { ...error, message } };
      const pretty = JSON.stringify(body, null, 2);
      if (framing === "json-array") return index === 0 ? `[${pretty}` : `\n,\n${pretty}`;
      return isBare ? `${pretty}\n` : `data: ${JSON.stringify(body)}\n\n`;
    },
    done: false,
  });
  const overloaded = { code: 503, message: "The model is overloaded. Please try again later.", status: "UNAVAILABLE" };
  const highDemand = "This model is currently experiencing high demand. Spikes in demand are usually temporary. Please try again later.";
  const internal = "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting";
  return [
    entry("bare", "C", "vercel/ai#5217; diegosouzapw/OmniRoute#4177", overloaded, true),
    entry("data", "F", "block/goose crates/goose/src/providers/formats/google.rs", overloaded, false),
    entry("high_demand", "C", "diegosouzapw/OmniRoute#4177", { ...overloaded, message: highDemand }, true),
    entry("internal", "S", "form: vercel/ai#5217; text unverified", { code: 500, message: internal, status: "INTERNAL" }, true),
  ];
}
