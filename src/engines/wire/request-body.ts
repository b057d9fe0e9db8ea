import type { RequestBody } from "../../core/exchange.ts";
import type { IncomingBody } from "./incoming-body.ts";

const NOTHING = new Uint8Array();

/** No body, and no framing that announces one. */
export const NO_REQUEST_BODY: RequestBody = { lengthBytes: 0, whole: async () => NOTHING, forward: () => null };

/** A body that came together with its head, as most do. */
export class WholeRequestBody implements RequestBody {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get lengthBytes(): number {
    return this.#bytes.length;
  }

  async whole(bytesMax: number): Promise<Uint8Array | undefined> {
    return this.#bytes.length <= bytesMax ? this.#bytes : undefined;
  }

  forward(): Uint8Array {
    return this.#bytes;
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
