import { openCustomCall, openFunctionCall } from "./call-item.ts";
import type { Emit, ShowItem } from "./output.ts";
import type { CallPiece } from "./reading.ts";
import type { OfferedTools } from "./tools.ts";

/** The calls of an answer, whose pieces may come mixed. */
export type Calls = {
  readonly add: (piece: CallPiece) => void;
  /** Those that have begun and are not shown yet; before something else is. Those without a name wait for it. */
  readonly showAll: () => void;
  readonly hasNameless: () => boolean;
};

type Call = {
  id: string | undefined;
  readonly isCustom: boolean;
  /** Empty until it comes: with the first piece, or so it should. */
  name: string;
  /** What came before the name. */
  held: string;
  /** Undefined until the call is shown: its name may come in pieces, which end where the arguments begin. */
  item: { readonly add: (delta: string) => void } | undefined;
};

/** `onNew` is called before a call begins, `show` gives it its place in the output. */
export function createCalls(baseId: string, offered: OfferedTools, emit: Emit, onNew: () => void, show: ShowItem): Calls {
  const find = createFinder();
  const unused = createIds();
  /** In the order they began. Few in truth, but a target could begin any number. */
  let hidden: Call[] = [];
  /** Apart from the others, so that many of them do not slow down each piece. */
  const nameless = new Set<Call>();

  const open = (call: Call) =>
    show((outputIndex) => {
      const tool = offered.byChatName.get(call.name);
      const facts = {
        callId: unused(call.id ?? `call_${baseId}${outputIndex}`),
        name: tool?.name ?? call.name,
        namespace: tool?.namespace,
      };
      const isFunction = !call.isCustom;
      return isFunction && tool?.kind !== "custom"
        ? openFunctionCall(`fc_${baseId}${outputIndex}`, outputIndex, facts, emit)
        : openCustomCall(`ctc_${baseId}${outputIndex}`, outputIndex, facts, isFunction, emit);
    });
  const showAll = () => {
    for (const call of hidden) {
      call.item = open(call);
      if (call.held !== "") call.item.add(call.held);
      call.held = "";
    }
    hidden = [];
  };
  return {
    showAll,
    hasNameless: () => nameless.size > 0,
    add(piece) {
      let call = find.callOf(piece);
      if (call === undefined) {
        showAll();
        onNew();
        call = { id: piece.id, isCustom: piece.isCustom, name: piece.name ?? "", held: "", item: undefined };
        if (call.name === "") nameless.add(call);
        else hidden.push(call);
        find.keep(piece, call);
      } else if (call.item === undefined) {
        call.id ??= piece.id;
        if (piece.name !== undefined && piece.name !== call.name) call.name += piece.name;
        if (call.name !== "" && nameless.delete(call)) hidden.push(call);
      }
      if (piece.text === "") return;
      showAll();
      if (call.item === undefined) call.held += piece.text;
      else call.item.add(piece.text);
    },
  };
}

/**
 * Finds the call that a piece belongs to; undefined: it begins one. Servers differ: some leave out the index or send 0 for each
 * call, some repeat id and name with each piece. A new id with a name begins a call; without any sign a piece goes on with the last.
 */
function createFinder() {
  const byIndex = new Map<number, Call>();
  const byId = new Map<string, Call>();
  let last: Call | undefined;
  return {
    keep({ index, id }: CallPiece, call: Call): void {
      if (index !== undefined) byIndex.set(index, call);
      if (id !== undefined) byId.set(id, call);
      last = call;
    },
    callOf({ index, id, name }: CallPiece): Call | undefined {
      if (index !== undefined) {
        const call = byIndex.get(index);
        const isOther = id !== undefined && call?.id !== undefined && call.id !== id;
        if (!isOther) return call;
        return byId.get(id) ?? (name === undefined ? call : undefined);
      }
      if (id !== undefined) return byId.get(id) ?? (name === undefined ? last : undefined);
      return name === undefined ? last : undefined;
    },
  };
}

/** Clients tell calls apart by their ids; there are servers that give all the same. */
function createIds(): (id: string) => string {
  const used = new Set<string>();
  const counts = new Map<string, number>();
  return (id) => {
    let result = id;
    let count = counts.get(id) ?? 1;
    while (used.has(result)) result = `${id}_${++count}`;
    counts.set(id, count);
    used.add(result);
    return result;
  };
}
