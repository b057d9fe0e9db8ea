import type { Dialect } from "./dialect.ts";
import type { Identified, RequestFacts, WirePiece } from "./exchange.ts";
import type { Frame, Framing } from "./frame.ts";
import type { HeaderList } from "./headers.ts";
import type { ErrorContext, HttpFaultName, Provider } from "./provider.ts";
import type { Random } from "./random.ts";

/** All that a fault can ask for. Only the shell performs it. */
export type Action =
  | { readonly kind: "delay"; readonly ms: number }
  /** A complete answer in place of the target's. */
  | { readonly kind: "respond"; readonly status: number; readonly headers: HeaderList; readonly body: Uint8Array }
  /** Bytes into the running body or onto the wire; `frame` or `piece` where they are one, so that a further fault can see it. */
  | { readonly kind: "write"; readonly bytes: Uint8Array; readonly frame?: Frame; readonly piece?: WirePiece }
  /** Nothing more, connection open, until the client leaves. */
  | { readonly kind: "hang" }
  /** The body ends properly here. */
  | { readonly kind: "end" }
  /** FIN. */
  | { readonly kind: "close" }
  /** FIN, but what the client sends is still taken. */
  | { readonly kind: "half_close" }
  /** RST. */
  | { readonly kind: "reset" };

export const FAULT_LEVELS = ["http", "wire", "stream", "answer"] as const;
export type FaultLevel = (typeof FAULT_LEVELS)[number];

/** A position in a stream: so many frames, content tokens, bytes, or milliseconds from its first byte. */
export type StreamPosition = { readonly unit: "frames" | "tokens" | "bytes" | "ms"; readonly count: number };

/** The kinds of values that a key takes; one parser each. */
export type ParameterType = "duration" | "position" | "integer" | "text" | "choice" | "switch" | "rate";

export type ParameterSpec = {
  readonly type: ParameterType;
  /** As typed by the user; undefined where the fault decides by the case. */
  readonly default?: string;
  readonly choices?: readonly string[];
  /** Bounds of numbers, integers, durations (ms) and rates, both included. */
  readonly minimum?: number;
  readonly maximum?: number;
  /** One line for `faults` and the manual. */
  readonly summary: string;
};

/** Parsed values by key: durations in ms, numbers, positions, texts, switches. */
export type ParameterValue = number | string | boolean | StreamPosition;
export type Parameters = Readonly<Record<string, ParameterValue>>;

export type FaultContext = {
  readonly exchange: Identified;
  readonly provider: Provider;
  readonly dialect: Dialect | undefined;
  readonly facts: RequestFacts;
  /** For error texts. */
  readonly errorContext: ErrorContext;
  readonly parameters: Parameters;
  /** How often the target is asked by now, this time included; 1 where nothing is tried again. */
  readonly attempt: number;
  /** Draws that belong to this rule and exchange only. */
  readonly random: Random;
};

/** A running fault over the frames of one body. */
export type FrameFault = {
  /** In place of the frame. `elapsedMs` is counted from the first byte of the body. */
  readonly onFrame: (frame: Frame, elapsedMs: number) => readonly Action[];
  /** At the proper end of the body, in place of its end; must itself end, cut or hang it. */
  readonly onEnd: () => readonly Action[];
};

type FaultBase = {
  readonly name: string;
  /** The one-letter command. */
  readonly letter?: string;
  /** The mode for people, where its name would not do. */
  readonly title?: string;
  readonly level: FaultLevel;
  /** What the client sees, in one line. */
  readonly summary: string;
  /** False: it only delays or paces, and the next rule is looked at too. */
  readonly terminal: boolean;
  /** Where its forms stand, which `variant=` chooses from: under this name in the providers' error catalogues, or among the errors inside streams. */
  readonly forms?: HttpFaultName | "stream_errors";
  readonly parameters: Readonly<Record<string, ParameterSpec>>;
  /** Can only an engine on raw sockets perform it, with these parameters? */
  readonly needsRawSockets?: (parameters: Parameters) => boolean;
};

/** Acts before anything is sent to the target: delays, answers in its place, or bytes in place of an answer. */
export type BeforeFault = FaultBase & {
  readonly acts: "before";
  readonly plan: (context: FaultContext) => readonly Action[];
};

/** Acts on the body of the target's answer. */
export type BodyFault = FaultBase & {
  readonly acts: "body";
  /** `frames`: a streamed answer of a known dialect. `answer`: streamed, or whole as one frame. `chunks`: any body, each chunk as it came. */
  readonly over: "frames" | "answer" | "chunks";
  readonly start: (context: FaultContext, framing: Framing) => FrameFault;
};

/** Acts on the bytes of a response as they go on the wire: gives what is done in place of each piece. */
export type WireFault = FaultBase & {
  readonly acts: "wire";
  readonly start: (context: FaultContext) => (piece: WirePiece) => readonly Action[];
};

export type Fault = BeforeFault | BodyFault | WireFault;
