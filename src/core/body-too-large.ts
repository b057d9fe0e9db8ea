import { BodyCut } from "./exchange.ts";

const MIB = 1024 * 1024;

export function tooLargeText(bytesMax: number): string {
  const size = bytesMax % MIB === 0 ? `${bytesMax / MIB} MiB` : `${bytesMax} bytes`;
  return `the request body is larger than ${size} (max_body_bytes in [server])`;
}

/** Nothing more of a request body is taken: it has become larger than it may be. */
export class BodyTooLarge extends BodyCut {
  readonly detail: string;

  constructor(bytesMax: number) {
    super("reset");
    this.detail = tooLargeText(bytesMax);
  }
}
