import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { argument, displayed, prose, usage } from "../../packaging/man/mdoc.ts";
import { seen, unescaped } from "./support/mdoc.ts";

const hasMandoc = Bun.which("mandoc") !== null;
const OVERSTRIKE = new RegExp(`.${String.fromCharCode(8)}`, "gu");

/** Words with all that roff and mdoc could take for something else. */
const word = fc.oneof(
  fc.string({ unit: fc.constantFrom(..."abZ.'\"\\-`^~%[]|,:;()=é"), minLength: 1, maxLength: 12 }),
  fc.constantFrom("Ar", "Op", "Ns", ".Sh", "'br", "\\fB", "--port", "No", "%T", "Xo"),
);
const text = fc.array(word, { minLength: 1, maxLength: 30 }).map((words) => words.join(" "));

/** A page as mandoc shows it, without its first and last line. */
function rendered(lines: readonly string[]): string {
  const page = [".Dd January 1, 1970", ".Dt TEST 1", ".Os", ".Sh NAME", ".Nm test", ".Nd test", ".Sh DESCRIPTION", ...lines, ""].join("\n");
  const { stdout } = Bun.spawnSync(["mandoc", "-Tutf8", "-O", "width=1000"], { stdin: new TextEncoder().encode(page) });
  const shown = stdout.toString().replaceAll(OVERSTRIKE, "");
  return shown.slice(shown.indexOf("DESCRIPTION\n") + 12).replace(/\n[^\n]*\n$/, "");
}

const words = (shown: string) => shown.trim().replace(/\s+/g, " ");

describe("text in a manual page", () => {
  test("is what it was to a reader, in lines that fit", () => {
    fc.assert(
      fc.property(text, (original) => {
        const lines = prose(original);
        expect(unescaped(lines.join(" "))).toBe(original);
        for (const line of lines) expect(line).not.toMatch(/^[.']/);
        for (const line of lines.filter((each) => each.includes(" "))) expect(line.length).toBeLessThanOrEqual(80);
      }),
    );
  });

  test.skipIf(!hasMandoc && process.env.CI === undefined)(
    "is what it was in mandoc: as prose, as an argument, as what is displayed",
    () => {
      fc.assert(
        fc.property(text, (original) => {
          expect(words(rendered(prose(original)))).toBe(original);
          expect(words(rendered([`.Cm ${argument(original)}`]))).toBe(original);
          expect(rendered(displayed([original])).trim()).toBe(original.trim());
        }),
        { numRuns: 40 },
      );
    },
  );
});

test.each([
  ["(openai, anthropic)", "\\%(openai, \\%anthropic)"],
  ["how (bytes|status_line)", "how \\%(bytes|status_line)"],
  ["host https://api.anthropic.com, or", "host \\%https://api.anthropic.com, or"],
  ["with --no-stdin or x-api-key", "with \\%\\-\\-no\\-stdin or \\%x\\-api\\-key"],
  ["built-in and so on …", "built-in and so on ..."],
])("%s keeps its literals whole", (plain, line) => {
  expect(prose(plain)).toEqual([line]);
});

describe("what is typed", () => {
  test.each([
    ["[OPTIONS] -- COMMAND [ARGUMENTS]", "Oo Ar OPTIONS Oc Fl \\- Ar COMMAND Oo Ar ARGUMENTS Oc"],
    ["rm ID, clear", "Ic rm Ar ID , Ic clear"],
    ["FAULT [AMOUNT] [KEY=VALUE …]", "Ar FAULT Oo Ar AMOUNT Oc Oo Ar KEY Ns = Ns Ar VALUE No ... Oc"],
    ["status | ls [--json]", "Ic status | Ic ls Oo Fl \\-json Oc"],
  ])("%s is marked by what each word is", (help, macros) => {
    expect(usage(help)).toBe(macros);
    expect(seen(`.No ${macros}`).replace(/ \| /g, " | ")).toBe(help.replace("…", "..."));
  });
});
