import type { Clock } from "../../core/clock.ts";
import { BodyCut, type Chunks } from "../../core/exchange.ts";
import type { Action, FrameFault } from "../../core/fault.ts";
import type { Frame, Framing } from "../../core/frame.ts";
import type { Gone } from "../../core/gone.ts";

export type FaultedBody = {
  readonly body: Chunks;
  /** Has the fault of this index done anything but pass frames on? */
  readonly hasActed: (index: number) => boolean;
};

/**
 * Runs faults over the frames of a body and performs their actions: the result is again a body. Several faults work one
 * after the other: what the first one writes as a frame, the next one sees as a frame. A body that is cut stays cut, with
 * every byte before the cut.
 */
export function faultedBody(source: Chunks, framing: Framing, faults: readonly FrameFault[], clock: Clock, gone: Gone): FaultedBody {
  const splitter = framing.splitter();
  const queue: Action[] = [];
  let firstByteMs: number | undefined;
  let finished = false;
  let cut: BodyCut | undefined;
  const acted = faults.map(() => false);

  const pass = (frame: Frame, from: number): void => {
    const fault = faults[from];
    if (fault === undefined) {
      queue.push({ kind: "write", bytes: frame.bytes });
      return;
    }
    const actions = fault.onFrame(frame, clock.monotonicMs() - (firstByteMs ?? 0));
    acted[from] ||= !isOnly(actions, (action) => action.kind === "write" && action.frame === frame);
    handOn(actions, from + 1);
  };
  const finish = (from: number): void => {
    const fault = faults[from];
    if (fault === undefined) queue.push({ kind: "end" });
    else {
      const actions = fault.onEnd();
      acted[from] ||= !isOnly(actions, ({ kind }) => kind === "end");
      handOn(actions, from + 1);
    }
  };
  const handOn = (actions: readonly Action[], to: number): void => {
    for (const action of actions) {
      if (action.kind === "write" && action.frame !== undefined) pass(action.frame, to);
      else if (action.kind === "end") finish(to);
      else queue.push(action);
    }
  };

  const refill = async (): Promise<void> => {
    let chunk: Uint8Array | undefined;
    try {
      chunk = await source.read();
    } catch (error) {
      cut = error instanceof BodyCut ? error : new BodyCut("reset");
      for (const frame of splitter.end()) queue.push({ kind: "write", bytes: frame.bytes });
      return;
    }
    firstByteMs ??= clock.monotonicMs();
    if (chunk !== undefined) {
      for (const frame of splitter.push(chunk)) pass(frame, 0);
      return;
    }
    for (const frame of splitter.end()) pass(frame, 0);
    finish(0);
  };

  const body: Chunks = {
    async read() {
      while (!finished) {
        const action = queue.shift();
        if (action === undefined) {
          if (cut !== undefined) throw cut;
          await refill();
          continue;
        }
        switch (action.kind) {
          case "write":
            if (action.bytes.length > 0) return action.bytes;
            break;
          case "delay":
            await clock.sleep(action.ms, gone);
            break;
          case "hang":
            // One promise for all would keep everything that ever hung.
            await new Promise<never>(() => {});
            break;
          case "end":
            finished = true;
            source.cancel();
            break;
          case "close":
          case "reset":
            finished = true;
            source.cancel();
            throw new BodyCut(action.kind);
          case "respond":
          case "half_close":
            throw new Error(`${action.kind} has no meaning inside a body`);
        }
      }
      return undefined;
    },
    cancel: () => source.cancel(),
  };
  return { body, hasActed: (index) => acted[index] === true };
}

function isOnly(actions: readonly Action[], is: (action: Action) => boolean): boolean {
  return actions.length === 1 && actions.every(is);
}

/** Each chunk of any body as one frame, for faults that do not care what the bytes mean. */
export const AS_CHUNKS: Framing = {
  name: "whole",
  contentType: "",
  trailer: "",
  render: (_event, data) => new TextEncoder().encode(data),
  splitter: () => ({ push: (bytes) => [{ bytes, event: undefined, data: undefined }], end: () => [] }),
};
