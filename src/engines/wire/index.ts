import type { Engine } from "../engine.ts";
import { createForward, type ForwardOptions } from "./forward.ts";
import { listen } from "./listen.ts";
import { WIRE_PORTS } from "./reread.ts";

/** HTTP/1.1 on raw sockets towards clients and targets: bytes go on as they came, and every wire fault can be had. */
export function createWireEngine(options: ForwardOptions): Engine {
  return { name: "wire", listen: (listenOptions) => listen(listenOptions), forward: createForward(options), wire: WIRE_PORTS };
}
