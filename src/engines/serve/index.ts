import type { Engine } from "../engine.ts";
import { forward } from "./forward.ts";
import { listen } from "./listen.ts";

/** `Bun.serve` towards clients, `fetch` towards targets. What it cannot do stands in docs/engines.md. */
export const SERVE_ENGINE: Engine = { name: "serve", listen, forward, wire: undefined };
