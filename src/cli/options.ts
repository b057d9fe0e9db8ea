import { CONFIG_OPTION, SETTING_ROWS } from "../config/schema.ts";
import type { OptionDefinition, OptionDefinitions } from "./command.ts";

/** The options of `serve` and `run`, from the table of settings. */
export const SETTING_OPTIONS: OptionDefinitions = Object.fromEntries([
  ...SETTING_ROWS.flatMap(([, setting]): [string, OptionDefinition][] => {
    const { option, value, summary, short, negated, repeatable } = setting;
    if (option === undefined) return [];
    const alias = short === undefined ? {} : { alias: short };
    if (negated) return [[option, { type: "boolean", default: true, negativeDescription: summary, ...alias }]];
    if (value.hint === "on|off") return [[option, { type: "boolean", description: summary, ...alias }]];
    const shown = setting.defaultText ?? String(setting.default);
    const isTold = value.choices === undefined || value.choices.every((each) => summary.includes(each));
    const choices = isTold ? "" : ` (${value.choices.join(", ")})`;
    const description = `${summary}${choices} [${shown}]`;
    return [[option, { type: "string", valueHint: value.hint, description, ...alias, ...(repeatable ? { repeatable } : {}) }]];
  }),
  [CONFIG_OPTION.option, { type: "string", valueHint: CONFIG_OPTION.hint, description: CONFIG_OPTION.summary, mayBeEmpty: true }],
]);
