import type { Identified, RequestFacts } from "../../core/exchange.ts";
import type { Ports } from "../../core/ports.ts";
import { readFacts } from "./read-facts.ts";

/** What the request says, read when somebody asks for it first. */
export class Facts {
  readonly #exchange: Identified;
  readonly #ports: Ports;
  #read: Promise<RequestFacts> | undefined;

  constructor(exchange: Identified, ports: Ports) {
    this.#exchange = exchange;
    this.#ports = ports;
  }

  get(): Promise<RequestFacts> {
    this.#read ??= readFacts(this.#exchange, this.#ports);
    return this.#read;
  }
}
