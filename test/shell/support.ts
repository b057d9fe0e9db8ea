import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfiguration } from "../../src/config/read-settings.ts";
import type { Settings } from "../../src/config/settings.ts";
import { isInputError } from "../../src/core/errors.ts";
import type { ExchangeEvent } from "../../src/core/event.ts";

/** A folder of this test's own; call `remove` when it is over. */
export function temporaryFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "fp-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Settings of a simulated daemon on a free port. */
export function settings(changes: Partial<Settings> = {}): Settings {
  const files = { read: () => "", readIfThere: () => undefined };
  const read = readConfiguration({ options: { port: "0", simulate: true, stdin: false }, environment: {}, files });
  if (isInputError(read)) throw new Error(read.message);
  return { ...read.settings, ...changes };
}

export function exchangeEvent(id: number, changes: Partial<ExchangeEvent> = {}): ExchangeEvent {
  return {
    type: "exchange",
    time: "2026-01-02T03:04:05.678Z",
    exchange: id,
    provider: "openai",
    dialect: "chat",
    kind: "inference",
    method: "POST",
    path: "/v1/chat/completions",
    model: null,
    status: 200,
    done: "delivered",
    faults: [],
    skipped: [],
    error: null,
    durationMs: 34,
    ...changes,
  };
}

/** Waits until something is so. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string, msMax = 5_000): Promise<void> {
  const deadline = performance.now() + msMax;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited ${msMax} ms in vain until ${what}`);
    await Bun.sleep(5);
  }
}
