import type { HeaderList } from "../../../../src/core/headers.ts";
import type { MessageEvent } from "../../../../src/engines/wire/http1/message.ts";
import type { MessageReader } from "../../../../src/engines/wire/http1/reader.ts";

/** Of Latin-1 text: one character is one byte. */
export function latin1(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** Everything that a reader says about these blocks, message after message, until an error or the end of the blocks. */
export function eventsOf<StartLine>(reader: MessageReader<StartLine>, blocks: Iterable<Buffer>): MessageEvent<StartLine>[] {
  const events: MessageEvent<StartLine>[] = [];
  for (const block of blocks) {
    let rest = block;
    while (rest.length > 0) {
      const found = reader.read(rest);
      events.push(...found);
      const last = found.at(-1);
      rest = last?.kind === "end" ? Buffer.from(last.rest) : Buffer.alloc(0);
    }
  }
  return events;
}

/** These bytes in blocks of a size; every block has memory of its own, as blocks from a socket have. */
export function inBlocks(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    Buffer.from(bytes.subarray(index * size, (index + 1) * size)),
  );
}

/** Plain values that do not depend on how the bytes came: neighbouring data joined, and no `rest`, which says where a block ended. */
export function plain<StartLine>(events: readonly MessageEvent<StartLine>[]): readonly unknown[] {
  const found: { kind: string; raw?: string; payload?: string; [key: string]: unknown }[] = [];
  for (const event of events) {
    if (event.kind === "data") {
      const raw = textOf(event.raw);
      const payload = event.payload.map(textOf).join("");
      const last = found.at(-1);
      if (last?.kind === "data") Object.assign(last, { raw: last.raw + raw, payload: last.payload + payload });
      else found.push({ kind: "data", raw, payload });
    } else if (event.kind === "end") found.push({ kind: "end", raw: textOf(event.raw), trailers: pairs(event.trailers) });
    else if (event.kind === "head") found.push({ kind: "head", head: { ...event.head, headers: pairs(event.head.headers) } });
    else found.push({ ...event });
  }
  return found;
}

/** Without the lines that the fields came in. */
function pairs(fields: HeaderList): readonly (readonly [string, string])[] {
  return fields.map(([name, value]) => [name, value]);
}
