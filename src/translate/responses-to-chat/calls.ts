import { openCustomCall, openFunctionCall } from "./call-item.ts";
import type { Emit, OpenItem } from "./output.ts";
import type { CallPiece } from "./reading.ts";
import type { OfferedTools } from "./tools.ts";

/** The calls of an answer, whose pieces may come mixed. */
export type Calls = {
  readonly add: (piece: CallPiece) => void;
  /** Those that have begun and are not shown yet; before something else is. */
  readonly showAll: () => void;
};

type Call = {
  readonly index: number | undefined;
  id: string | undefined;
  readonly isCustom: boolean;
  name: string;
  /** Undefined until the call is shown: its name may come in pieces, which end where the arguments begin. */
  item: { readonly add: (delta: string) => void } | undefined;
};

/** Gives the next item of the output its place: `open` is called with its index. */
export type ShowItem = <Item extends OpenItem>(open: (outputIndex: number) => Item) => Item;

export function createCalls(baseId: string, offered: OfferedTools, emit: Emit, onNew: () => void, show: ShowItem): Calls {
  const calls: Call[] = [];
  const usedIds = new Set<string>();

  const showCall = (call: Call): void => {
    call.item ??= show((outputIndex) => {
      const tool = offered.byChatName.get(call.name);
      const facts = {
        callId: unused(call.id ?? `call_${baseId}${outputIndex}`, usedIds),
        name: tool?.name ?? call.name,
        namespace: tool?.namespace,
      };
      const isFunction = !call.isCustom;
      return isFunction && tool?.kind !== "custom"
        ? openFunctionCall(`fc_${baseId}${outputIndex}`, outputIndex, facts, emit)
        : openCustomCall(`ctc_${baseId}${outputIndex}`, outputIndex, facts, isFunction, emit);
    });
  };
  const showAll = () => {
    for (const call of calls) showCall(call);
  };
  return {
    showAll,
    add(piece) {
      let call = callOf(piece, calls);
      if (call === undefined) {
        showAll();
        onNew();
        call = { index: piece.index, id: piece.id, isCustom: piece.isCustom, name: piece.name ?? "", item: undefined };
        calls.push(call);
      } else if (call.item === undefined) {
        call.id ??= piece.id;
        if (piece.name !== undefined && piece.name !== call.name) call.name += piece.name;
      }
      if (piece.text === "") return;
      showCall(call);
      call.item?.add(piece.text);
    },
  };
}

/**
 * The call that a piece belongs to; undefined: it begins one. Servers differ: some leave out the index or send 0 for each call,
 * some repeat id and name with each piece. A new id with a name begins a call; without any sign a piece goes on with the last.
 */
function callOf({ index, id, name }: CallPiece, calls: readonly Call[]): Call | undefined {
  const isOther = (call: Call) => id !== undefined && call.id !== undefined && call.id !== id;
  if (index !== undefined) {
    const call = calls.findLast((one) => one.index === index);
    return call !== undefined && isOther(call) && name !== undefined ? undefined : call;
  }
  if (id !== undefined) {
    const call = calls.findLast((one) => one.id === id);
    return call !== undefined || name !== undefined ? call : calls.at(-1);
  }
  return name === undefined ? calls.at(-1) : undefined;
}

/** Clients tell calls apart by their ids; there are servers that give all the same. */
function unused(id: string, used: Set<string>): string {
  let result = id;
  for (let count = 2; used.has(result); count++) result = `${id}_${count}`;
  used.add(result);
  return result;
}
