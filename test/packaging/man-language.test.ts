import { describe, expect, test } from "bun:test";
import { manualPages } from "../../packaging/man.ts";
import { FAULT_LEVELS, type FaultLevel } from "../../src/core/fault.ts";
import type { JsonObject } from "../../src/dialects/shared.ts";
import { FAULTS } from "../../src/faults/index.ts";
import { PROVIDERS } from "../../src/providers/index.ts";
import { COMMON_KEYS, parseCommand, WORD_COMMANDS } from "../../src/rules/language.ts";
import { needsRawSockets } from "../../src/rules/raw-sockets.ts";
import { chatToMessages } from "../../src/translate/chat-to-messages.ts";
import { chatToResponses } from "../../src/translate/chat-to-responses.ts";
import { messagesToChat } from "../../src/translate/messages-to-chat.ts";
import { responsesToChat } from "../../src/translate/responses-to-chat.ts";
import type { Translation } from "../../src/translate/translation.ts";
import { itemsAfter, linesAfter, paragraph, sectionOf } from "./support/mdoc.ts";

const PAGE = (await manualPages())["faultproxy.7"] ?? "";

const TITLES: Readonly<Record<FaultLevel, string>> = {
  http: ".Ss HTTP: the provider answers with an error of its own",
  wire: ".Ss Wire: the connection or the body misbehaves",
  stream: ".Ss Stream: a streamed answer goes wrong on its way",
  answer: ".Ss Answer: status 200 and well formed, but not what was asked for",
};

const withSigns = (keys: readonly string[]) => keys.map((key) => `${key}=`).join(", ");

describe.each(FAULT_LEVELS)("the faults of the level %s in faultproxy(7)", (level) => {
  const section = sectionOf(PAGE, TITLES[level]);
  const faults = FAULTS.filter((fault) => fault.level === level);

  test("are all there, with letter, summary and keys, and no others", () => {
    expect(itemsAfter(section, TITLES[level]).map(({ head, text }) => [head, text])).toEqual(
      faults.map(({ name, letter, summary, parameters }) => {
        const keys = Object.keys(parameters);
        return [letter === undefined ? name : `${name}, ${letter}`, keys.length === 0 ? summary : `${summary} (${withSigns(keys)})`];
      }),
    );
  });

  test("have their keys explained, each for the faults that take it so", () => {
    const items = itemsAfter(section, "Their keys:").map(({ head, text }) => {
      const [, key = "", takers] = /^(\w+)=(?: \((.*)\))?$/.exec(head) ?? [];
      return { key, takers: takers?.split(", ") ?? faults.map(({ name }) => name), text };
    });
    const explained = items.flatMap(({ key, takers, text }) => takers.map((name) => [name, key, text] as const));
    const byFault = faults.flatMap(({ name, parameters }) => Object.entries(parameters).map(([key, spec]) => ({ name, key, spec })));
    expect(explained.length).toBe(byFault.length);
    for (const { name, key, spec } of byFault) {
      const text = explained.find(([fault, each]) => fault === name && each === key)?.[2] ?? `nothing of ${name} ${key}=`;
      expect(text).toStartWith(`${spec.summary} (${spec.choices?.join("|") ?? spec.type}`);
      if (spec.maximum !== undefined) expect(text).toContain(` ${spec.minimum ?? 0} to ${spec.maximum}`);
      if (spec.default !== undefined) expect(text.replaceAll('"', "")).toContain(`; ${spec.default} if not given)`);
    }
  });
});

describe("faultproxy(7)", () => {
  test("has the keys that every fault takes, as they are", () => {
    expect(itemsAfter(PAGE, ".Ss Keys that every fault takes").map(({ head, text }) => [head, text])).toEqual(
      Object.entries(COMMON_KEYS).map(([key, summary]) => [`${key}=`, summary]),
    );
  });

  test("has every command that is no fault", () => {
    const heads = itemsAfter(PAGE, "One line is one command:").map(({ head }) => head.split(" ")[0]);
    expect(heads.slice(1).sort()).toEqual([...WORD_COMMANDS].sort());
  });

  test("names the faults that add up", () => {
    const names = FAULTS.filter(({ terminal }) => !terminal).map(({ name }) => name);
    expect(paragraph(PAGE.split("\n"))).toContain(`Not terminal, so that they add up, are ${names.join(", ")}.`);
  });

  test("names the faults that the engine without raw sockets refuses", () => {
    const refused = (command: string) => {
      const parsed = parseCommand(command);
      if (parsed.kind === "input-invalid") throw new Error(parsed.message);
      return needsRawSockets(parsed) !== undefined;
    };
    const names = FAULTS.map(({ name }) => name).filter(refused);
    expect(paragraph(PAGE.split("\n"))).toContain(`refuses cut with by=fin and ${names.join(", ")}.`);
    expect(refused("cut by=fin")).toBe(true);
  });

  test("has every provider, with its prefixes, host and variables, and no other", () => {
    const items = itemsAfter(PAGE, ".Sh PROVIDERS");
    expect(items.map(({ head }) => head)).toEqual(Object.keys(PROVIDERS));
    for (const [index, provider] of Object.values(PROVIDERS).entries()) {
      const text = items[index]?.text ?? "";
      expect(text).toStartWith(`${provider.title}. Prefix ${provider.recognition.prefixes.map((prefix) => `/${prefix}`).join(" or ")};`);
      expect(text).toContain(provider.host ?? "every customer");
      expect(text).toContain(` ${provider.hostVariable}`);
      const variables = provider.clientVariables("http://localhost:8888").map(([variable]) => variable);
      expect(text).toEndWith(`clients read ${variables.join(", ")}.`);
    }
  });
});

// ---- translation ----

const TRANSLATIONS: readonly (readonly [string, Translation, JsonObject])[] = [
  ["chat responses", chatToResponses, { messages: [{ role: "user", content: "hi" }] }],
  ["responses chat", responsesToChat, { input: "hi" }],
  ["chat messages", chatToMessages, { messages: [{ role: "user", content: "hi" }] }],
  ["messages chat", messagesToChat, { model: "m", max_tokens: 9, messages: [{ role: "user", content: "hi" }] }],
];

/** One of these is a value that a parameter takes. */
const VALUES: readonly unknown[] = ["some", 2, 0.5, true, { some: "one" }, ["some"], [{ some: "one" }]];

/** The parameters that stand behind `.\" kept chat responses`, up to the first that something more is said of. */
function namesBehind(marker: string): readonly string[] {
  const lines = linesAfter(PAGE, `.\\" ${marker}`);
  const end = lines.findIndex((line) => !line.startsWith(".Cm "));
  return lines.slice(0, end).flatMap((line) => [...line.slice(3).matchAll(/[\w.]+\w/g)].map(([name]) => name));
}

function outcomes({ request }: Translation, base: JsonObject, name: string) {
  return VALUES.map((value) => ({ value, result: request({ ...base, [name]: value }, { systemMessages: "input" }) }));
}

describe.each(TRANSLATIONS)("what faultproxy(7) says of %s", (pair, translation, base) => {
  test("as they are: such parameters go on as they are", () => {
    const names = namesBehind(`kept ${pair}`);
    expect(names.length).toBeGreaterThan(3);
    for (const name of names) {
      const isKept = outcomes(translation, base, name).some(
        ({ value, result }) => result.kind === "request" && Bun.deepEquals(result.body[name], value) && result.dropped.length === 0,
      );
      expect(`${name}: ${isKept}`).toBe(`${name}: true`);
    }
  });

  test("left out and named: such parameters are", () => {
    const names = [...namesBehind(`dropped ${pair}`), "unheard_of"];
    expect(names.length).toBeGreaterThan(3);
    for (const name of names) {
      const all = outcomes(translation, base, name).flatMap(({ result }) => (result.kind === "request" ? [result] : []));
      expect(`${name}: ${all.some(({ dropped }) => dropped.includes(name))}`).toBe(`${name}: true`);
      for (const { body } of all) expect(Object.keys(body)).not.toContain(name);
    }
  });
});

describe.each(TRANSLATIONS.slice(0, 3))("what faultproxy(7) says of %s", (pair, translation, base) => {
  test("refused: such parameters are", () => {
    const names = namesBehind(`refused ${pair}`);
    expect(names.length).toBeGreaterThan(2);
    for (const name of names) {
      const params = outcomes(translation, base, name).map(({ result }) => (result.kind === "mistake" ? result.param : undefined));
      expect(params).toContain(name);
    }
  });
});
