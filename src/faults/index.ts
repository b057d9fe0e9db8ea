import type { Fault } from "../core/fault.ts";
import { auth } from "./auth.ts";
import { badGateway } from "./bad-gateway.ts";
import { badJson } from "./bad-json.ts";
import { badToolJson } from "./bad-tool-json.ts";
import { close } from "./close.ts";
import { contentFilter } from "./content-filter.ts";
import { contextLength } from "./context-length.ts";
import { cut } from "./cut.ts";
import { duplicateFrame } from "./duplicate-frame.ts";
import { duplicateHead } from "./duplicate-head.ts";
import { empty } from "./empty.ts";
import { errorEvent } from "./error-event.ts";
import { finishLength } from "./finish-length.ts";
import { forceDegraded } from "./force-degraded.ts";
import { forceTransientRecover } from "./force-transient-recover.ts";
import { garbage } from "./garbage.ts";
import { halfClose } from "./half-close.ts";
import { hang } from "./hang.ts";
import { hangAfterHeaders } from "./hang-after-headers.ts";
import { keepaliveFlood } from "./keepalive-flood.ts";
import { lateReset } from "./late-reset.ts";
import { latency } from "./latency.ts";
import { malformedFrame } from "./malformed-frame.ts";
import { modelNotFound } from "./model-not-found.ts";
import { noDone } from "./no-done.ts";
import { overloaded } from "./overloaded.ts";
import { permission } from "./permission.ts";
import { quota } from "./quota.ts";
import { rateLimit } from "./rate-limit.ts";
import { refusal } from "./refusal.ts";
import { requestTooLarge } from "./request-too-large.ts";
import { reset } from "./reset.ts";
import { serverError } from "./server-error.ts";
import { slow } from "./slow.ts";
import { slowHead } from "./slow-head.ts";
import { slowTokens } from "./slow-tokens.ts";
import { splitFrames } from "./split-frames.ts";
import { stall } from "./stall.ts";
import { timeout } from "./timeout.ts";
import { truncateBody } from "./truncate-body.ts";
import { unknownTool } from "./unknown-tool.ts";
import { usageMissing } from "./usage-missing.ts";
import { wrongContentType } from "./wrong-content-type.ts";
import { wrongLength } from "./wrong-length.ts";

export { type Form, formsOf, variantsOf } from "./helpers/variants.ts";

/** In the order they are listed to users. */
export const FAULTS: readonly Fault[] = [
  contextLength,
  rateLimit,
  serverError,
  overloaded,
  auth,
  permission,
  quota,
  modelNotFound,
  contentFilter,
  requestTooLarge,
  timeout,
  badGateway,
  forceDegraded,
  forceTransientRecover,
  latency,
  hang,
  reset,
  slow,
  badJson,
  wrongContentType,
  close,
  hangAfterHeaders,
  truncateBody,
  wrongLength,
  duplicateHead,
  slowHead,
  halfClose,
  lateReset,
  garbage,
  cut,
  stall,
  errorEvent,
  noDone,
  malformedFrame,
  duplicateFrame,
  splitFrames,
  keepaliveFlood,
  slowTokens,
  finishLength,
  refusal,
  empty,
  badToolJson,
  unknownTool,
  usageMissing,
];

const BY_NAME: ReadonlyMap<string, Fault> = new Map(
  FAULTS.flatMap((fault) => [[fault.name, fault] as const, ...(fault.letter === undefined ? [] : [[fault.letter, fault] as const])]),
);

/** By name or letter, case ignored, dashes as good as underscores. */
export function faultByName(name: string): Fault | undefined {
  return BY_NAME.get(name) ?? BY_NAME.get(name.toLowerCase().replaceAll("-", "_"));
}
