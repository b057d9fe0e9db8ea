import type { AtHand, RequestBody } from "../../core/exchange.ts";
import { WholeBody } from "../../core/whole-body.ts";
import type { IncomingBody } from "./incoming-body.ts";

const NOTHING = new Uint8Array();

/** A body of no bytes, announced as such. */
export const EMPTY_REQUEST_BODY: RequestBody = { lengthBytes: 0, whole: async () => NOTHING, forward: () => NOTHING };

/** No body, and no framing that announces one. */
export const NO_REQUEST_BODY: RequestBody = { lengthBytes: 0, whole: async () => NOTHING, forward: () => null };

/** A body that came together with its head, as most do. */
export class WholeRequestBody implements RequestBody {
  #body: WholeBody;
  #isForwarded = false;

  constructor(body: WholeBody) {
    this.#body = body;
  }

  get lengthBytes(): number {
    return this.#body.length;
  }

  async whole(bytesMax: number): Promise<Uint8Array | undefined> {
    return this.#body.length <= bytesMax ? this.#body.bytes() : undefined;
  }

  get atHand(): AtHand {
    return this.#body;
  }

  /** A reader of chunks reads a body once; another attempt gets one of its own. */
  forward(): WholeBody {
    const body = this.#body;
    if (!this.#isForwarded) this.#isForwarded = true;
    else this.#body = new WholeBody(body.block, body.from, body.to);
    return this.#body;
  }
}

/** A body that is still coming. Nothing of it is kept unless somebody asks for the whole. */
export function arrivingRequestBody(body: IncomingBody): RequestBody {
  const { framing } = body;
  const lengthBytes = framing.kind === "length" ? framing.bytes : undefined;
  let collected: Promise<Uint8Array | undefined> | undefined;
  return {
    lengthBytes,
    async whole(bytesMax) {
      if (lengthBytes !== undefined && lengthBytes > bytesMax) return undefined;
      collected ??= body.collect(bytesMax);
      return collected;
    },
    async forward() {
      const whole = await collected;
      // What has a length goes on in one write; chunks go on as they came.
      return whole !== undefined && lengthBytes !== undefined ? whole : body;
    },
  };
}
