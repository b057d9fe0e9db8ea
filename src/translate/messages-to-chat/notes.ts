import type { RequestMistake } from "../translation.ts";

/** What comes up while a request is read. Reading goes on after a mistake: the first one counts, and what is built meanwhile is thrown away. */
export type Notes = {
  /** The target's dialect cannot express this, named in the client's dialect. */
  readonly drop: (name: string) => void;
  /** A mistake at a place such as `messages.1.content.0.type`, in the service's own form: the place, a colon, the words. */
  readonly wrong: (place: string, words: string, code?: string) => void;
  /** Each name once, in the order found. */
  readonly dropped: () => readonly string[];
  readonly mistake: () => RequestMistake | undefined;
};

export function createNotes(): Notes {
  const names = new Set<string>();
  let first: RequestMistake | undefined;
  return {
    drop: (name) => names.add(name),
    wrong(place, words, code = "invalid_value") {
      first ??= { kind: "mistake", status: 400, message: `${place}: ${words}`, param: place, code };
    },
    dropped: () => [...names],
    mistake: () => first,
  };
}
