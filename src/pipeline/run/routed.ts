import type { Identified, OpenResponse } from "../../core/exchange.ts";
import { REQUEST_INSPECT_BYTES_MAX } from "../../core/limits.ts";
import type { Ports } from "../../core/ports.ts";
import type { RouteTarget } from "../../core/route.ts";
import { DIALECTS } from "../../dialects/index.ts";
import { type JsonObject, parseObject } from "../../dialects/shared.ts";
import { chunksOf } from "../helpers/bodies.ts";
import { withJsonBody } from "../helpers/json-body.ts";
import { acceptsPrefill } from "../helpers/prefill.ts";
import { plainBody } from "../helpers/read-facts.ts";
import { type NextStream, RescuedStream } from "../helpers/rescued-stream.ts";
import { withTokens } from "../helpers/told-tokens.ts";
import type { Outcome } from "../persist.ts";
import type { Notes } from "../record.ts";
import type { FactsOnDemand } from "../translate.ts";
import { type Found, Search, type Searching } from "./search.ts";

export type RoutedAsking = Searching & { readonly exchange: Identified; readonly facts: FactsOnDemand };

/** What a route's targets come to for the client: the first good answer, or the first target's real error. */
export async function askRoute(
  asking: RoutedAsking,
  ports: Ports,
): Promise<Exclude<Outcome, object> | (Exclude<Outcome, string> & Pick<Notes, "skipped">)> {
  const { exchange, facts, way } = asking;
  const search = new Search(asking, ports);
  const skipped = () => search.skipped.flatMap((each) => each());
  const found = await search.next({ exchange, facts }, () => true, false);
  if (found === "client_gone" || found === "hang") return found;
  if (found === undefined) return { ...search.failure({ exchange, facts }), skipped };
  const { observed } = way.governed;
  const told = withTokens(found.response, observed);
  const named = search.trials.count > 1 || observed.attempts > 1 ? search.trials.told(told) : told;
  return { response: guardedToClient(named, found, search, asking, ports), error: undefined, skipped };
}

/** A stream whose failure is not passed on for an answer, and that another target may complete. */
function guardedToClient(response: OpenResponse, found: Found, search: Search, asking: RoutedAsking, ports: Ports): OpenResponse {
  const { exchange, route, facts } = asking;
  const { body } = response;
  const { dialect } = exchange;
  if (dialect === undefined || body === null || body instanceof Uint8Array || asking.isStream === false) return response;
  let current = found;
  const stream = new RescuedStream(body, {
    dialect,
    framing: DIALECTS[dialect].framing(exchange.path, exchange.query),
    clock: ports.clock,
    isRescuable: route.rescue !== "none",
    isPassedOn: () => !current.isTranslated,
    brokeOff: ({ failure, reason }) => search.brokeOff(failure, reason, current.leg),
    async next(partial): Promise<NextStream | undefined> {
      const isNew = partial.isEmpty();
      if (route.rescue === "none" || (route.rescue === "restart" && !isNew)) return undefined;
      const wanted = isNew ? exchange : await continuing(exchange, partial.continuing, ports);
      if (wanted === undefined) return undefined;
      const goesOn = (target: RouteTarget) => isNew || acceptsPrefill(target, target.model ?? asking.model);
      const { observed } = asking.way.governed;
      const { firstTokenMs } = observed;
      const next = await search.next({ exchange: wanted, facts }, goesOn, true);
      // The client has had its first output.
      if (!isNew) observed.firstTokenMs = firstTokenMs;
      if (next === undefined || typeof next === "string") return undefined;
      const { body: rest } = next.response;
      if (rest === null) return undefined;
      current = next;
      return { body: chunksOf(rest) };
    },
  });
  return { ...response, body: stream };
}

/** The same request with the beginning of its answer at its end. */
async function continuing(
  exchange: Identified,
  continued: (request: JsonObject) => JsonObject | undefined,
  ports: Ports,
): Promise<Identified | undefined> {
  const bytes = await plainBody(exchange, REQUEST_INSPECT_BYTES_MAX, ports);
  const json = bytes === undefined ? undefined : parseObject(new TextDecoder().decode(bytes));
  const request = json === undefined ? undefined : continued(json);
  return request === undefined ? undefined : withJsonBody(exchange, request);
}
