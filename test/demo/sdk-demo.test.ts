import { expect, test } from "bun:test";
import { join } from "node:path";
import { ENGINES } from "../e2e/support/daemon.ts";

test.concurrent.each(ENGINES)(
  "the demo of the SDKs is as expected with the %s engine",
  async (engine) => {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "sdk-demo.ts"), engine], { stdout: "pipe", stderr: "pipe" });
    const [out, error] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    expect({ code: await child.exited, error }).toEqual({ code: 0, error: "" });
    expect(out).toEndWith("Every client saw what was injected.\n");
  },
  60_000,
);
