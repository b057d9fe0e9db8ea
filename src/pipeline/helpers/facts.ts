import type { Identified, RequestFacts } from "../../core/exchange.ts";
import type { Ports } from "../../core/ports.ts";
import { readFacts } from "./read-facts.ts";

/** What the request says, read when somebody asks for it first. */
export class Facts {
  readonly #exchange: Identified;
  readonly #ports: Ports;
  /** Where they are known already. */
  readonly known: RequestFacts | undefined;
  #read: Promise<RequestFacts> | undefined;

  constructor(exchange: Identified, ports: Ports, known?: RequestFacts) {
    this.#exchange = exchange;
    this.#ports = ports;
    this.known = known;
  }

  get(): Promise<RequestFacts> {
    this.#read ??= this.known === undefined ? readFacts(this.#exchange, this.#ports) : Promise.resolve(this.known);
    return this.#read;
  }
}
