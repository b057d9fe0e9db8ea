import { type HeaderList, withoutHeaders } from "../../core/headers.ts";
import type { Adaptation } from "../../core/ports.ts";

type Json = Readonly<Record<string, unknown>>;

/** A request's JSON with the model that the target is to be asked for in place of the client's, and with what its settings put in. */
export function adaptedBody(body: Json, asked: unknown, { model, extraBody }: Pick<Adaptation, "model" | "extraBody">): Json {
  const { model: kept, ...rest } = body;
  // A name is looked up once: what it stands for may be a name in the table too.
  const wanted = model === undefined ? kept : modelFor(asked, model);
  // Where it stood: first.
  return { ...(wanted === undefined || (wanted === "" && model !== undefined) ? {} : { model: wanted }), ...rest, ...extraBody };
}

/** The same before a translation, which may look at the model; where none is to be asked for, the client's own stands until the end. */
export function withModel(body: Json, { model }: Pick<Adaptation, "model">): Json {
  const wanted = modelFor(body.model, model);
  return model === undefined || wanted === "" ? body : { ...body, model: wanted };
}

function modelFor(asked: unknown, model: Adaptation["model"]): unknown {
  if (model === undefined || typeof model === "string") return model ?? asked;
  if (typeof asked === "string" && Object.hasOwn(model, asked)) return model[asked];
  return Object.hasOwn(model, "*") ? model["*"] : asked;
}

/** The extra fields in place of those of the same name; an empty one takes its place too, and says nothing. */
export function adaptedHeaders(headers: HeaderList, extra: Adaptation["extraHeaders"]): HeaderList {
  const fields = Object.entries(extra);
  if (fields.length === 0) return headers;
  const names = new Set(fields.map(([name]) => name.toLowerCase()));
  return [...withoutHeaders(headers, names), ...fields.filter(([, value]) => value !== "")];
}
