import type { Clock } from "../../core/clock.ts";
import { BodyCut, type WirePiece, type WireScript, type WireStep } from "../../core/exchange.ts";
import type { Action } from "../../core/fault.ts";
import type { Gone } from "../../core/gone.ts";

type Performing = { readonly clock: Clock; readonly gone: Gone };

/** A wire fault at work. */
export type PieceFault = (piece: WirePiece) => readonly Action[];

const COMPLETE: WireStep = { kind: "complete" };

/** Actions as steps: delays are waited out, a connection that hangs has no further step. */
export function scriptOf(actions: AsyncIterable<Action> | Iterable<Action>, performing: Performing): WireScript {
  const steps = stepsOf(actions, performing);
  return {
    // Whoever owns a source that can be cancelled says so in its place.
    cancel() {},
    async next() {
      const { value } = await steps.next();
      return value ?? COMPLETE;
    },
  };
}

/** Returns its last step: so the sources of the actions learn that nobody reads on before it is performed. */
async function* stepsOf(
  actions: AsyncIterable<Action> | Iterable<Action>,
  { clock, gone }: Performing,
): AsyncGenerator<WireStep, WireStep> {
  try {
    for await (const action of actions) {
      switch (action.kind) {
        case "write":
          yield action;
          break;
        case "delay":
          await clock.sleep(action.ms, gone);
          break;
        case "hang":
          // One promise for all would keep everything that ever hung.
          await new Promise<never>(() => {});
          break;
        case "close":
        case "half_close":
        case "reset":
          return { kind: action.kind };
        case "end":
          return COMPLETE;
        case "respond":
          throw new Error("a response cannot stand inside the bytes of a response");
      }
    }
    return COMPLETE;
  } catch (error) {
    // The body was cut, by the target or by a fault over its frames; what came before it has gone out.
    return { kind: error instanceof BodyCut ? error.by : "reset" };
  }
}

export type Damage = {
  readonly script: (pieces: AsyncIterable<WirePiece>) => WireScript;
  /** Has the fault of this index done anything but pass pieces on? */
  readonly hasActed: (index: number) => boolean;
};

/** Puts faults between the pieces of a response and the wire, one after the other. */
export function damageBy(faults: readonly PieceFault[], performing: Performing): Damage {
  const acted = faults.map(() => false);
  const through = (piece: WirePiece, from: number): readonly Action[] => {
    const fault = faults[from];
    if (fault === undefined) return [{ kind: "write", bytes: piece.bytes }];
    const actions = fault(piece);
    acted[from] ||= !(actions.length === 1 && actions[0]?.kind === "write" && actions[0].piece === piece);
    return actions.flatMap((action) =>
      action.kind === "write" && action.piece !== undefined ? through(action.piece, from + 1) : [action],
    );
  };
  async function* actionsOf(pieces: AsyncIterable<WirePiece>): AsyncGenerator<Action> {
    for await (const piece of pieces) yield* through(piece, 0);
  }
  return { script: (pieces) => scriptOf(actionsOf(pieces), performing), hasActed: (index) => acted[index] === true };
}
