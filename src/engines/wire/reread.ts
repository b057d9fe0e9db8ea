import type { ForwardFailure, OpenResponse, WirePiece, WireScript, WireStep } from "../../core/exchange.ts";
import type { Gone } from "../../core/gone.ts";
import { endToEndHeaders } from "../../core/headers.ts";
import type { WirePorts } from "../../core/ports.ts";
import { responseReader } from "./http1/reader.ts";
import { IncomingBody } from "./incoming-body.ts";
import { responseForm } from "./response-form.ts";
import { wirePieces } from "./wire-pieces.ts";

/** What a target that answers so would put on the wire. */
function pieces(response: OpenResponse, method: string): AsyncIterable<WirePiece> {
  const { head, coding } = responseForm(response, { method, minor: 1, keepAlive: true });
  return wirePieces(Buffer.from(head, "latin1"), response.body, coding);
}

/** Reads the bytes of a script exactly as those of a target's connection are read. */
function reread(script: WireScript, method: string, signal: Gone): Promise<OpenResponse | ForwardFailure> {
  const { promise, resolve } = Promise.withResolvers<OpenResponse | ForwardFailure>();
  const fail = (reason: ForwardFailure["reason"], detail: string) => resolve({ kind: "failure", reason, detail });
  const reader = responseReader(() => method);
  let body: IncomingBody | undefined;
  let isOver = false;
  let flowing = Promise.withResolvers<void>();
  flowing.resolve();
  const over = () => {
    isOver = true;
    script.cancel();
    flowing.resolve();
  };

  const incoming = (framing: IncomingBody["framing"]) =>
    new IncomingBody(framing, {
      pause() {
        flowing = Promise.withResolvers<void>();
      },
      resume: () => flowing.resolve(),
      cancel: over,
      wanted() {},
      isHeldBack: () => false,
    });
  const take = (events: ReturnType<typeof reader.read>) => {
    for (const event of events) {
      switch (event.kind) {
        case "head": {
          const { status, reason, headers, framing } = event.head;
          body = framing.kind === "none" ? undefined : incoming(framing);
          resolve({ status, reason, headers: endToEndHeaders(headers), body: body ?? null });
          break;
        }
        case "data":
          body?.arrived(event);
          break;
        case "end":
          over();
          body?.ended(event.raw);
          break;
        case "error":
          over();
          if (event.error.code === "incomplete_head")
            fail("upstream_closed_early", "the upstream closed the connection before it had answered");
          else fail("upstream_protocol", `the upstream did not answer in HTTP: ${event.error.message}`);
          body?.broken("close");
      }
    }
  };
  const perform = (step: WireStep): boolean => {
    switch (step.kind) {
      case "write":
        // What comes behind the response is read by nobody, as that of a target is whose connection is closed.
        if (step.bytes.length > 0 && !isOver) take(reader.read(Buffer.from(step.bytes)));
        return true;
      case "complete":
        // The connection stays open, and whatever is missing never comes; unless its end is the end of the body.
        if (body?.framing.kind === "close") take(reader.finish());
        return false;
      case "close":
      case "half_close":
        if (!isOver) take(reader.finish());
        fail("upstream_closed_early", "the upstream closed the connection before it had answered");
        return false;
      case "reset":
        fail("upstream_closed_early", "the upstream closed the connection before it had answered");
        body?.broken("reset");
        return false;
    }
  };
  const run = async () => {
    do await flowing.promise;
    while (perform(await script.next()));
  };
  signal.addEventListener("abort", () => {
    over();
    fail("client_gone", "the client has gone");
  });
  void run();
  return promise;
}

export const WIRE_PORTS: WirePorts = { pieces, reread };
