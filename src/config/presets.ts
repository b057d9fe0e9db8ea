import type { TargetSetting } from "./settings.ts";

export const PRESET_NAMES = ["lightspeed"] as const;

/** What a known kind of backend needs to be told; one entry each. */
export const PRESETS: Readonly<Record<(typeof PRESET_NAMES)[number], TargetSetting>> = {
  /**
   * RHEL Lightspeed: it has a system prompt of its own, takes no model, and lets a machine in by the certificate of its
   * registration (rhel-lightspeed/goose-proxy).
   */
  lightspeed: {
    dialect: "responses",
    systemMessages: "drop",
    certFile: "/etc/pki/consumer/cert.pem",
    keyFile: "/etc/pki/consumer/key.pem",
    extraHeaders: { "X-LCS-Merge-Server-Tools": "true", Authorization: "" },
    extraBody: { model: "", generate_topic_summary: false },
    models: ["lightspeed"],
  },
};

/** The settings of a preset under those that were written beside it; tables are put together. */
export function withPreset(name: (typeof PRESET_NAMES)[number], written: TargetSetting): TargetSetting {
  const preset = PRESETS[name];
  return {
    ...preset,
    ...written,
    ...(written.extraHeaders === undefined ? {} : { extraHeaders: joinedFields(preset.extraHeaders ?? {}, written.extraHeaders) }),
    ...(written.extraBody === undefined ? {} : { extraBody: { ...preset.extraBody, ...written.extraBody } }),
  };
}

/** Names of fields are the same in any case. */
function joinedFields(
  preset: Readonly<Record<string, string>>,
  written: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const names = new Set(Object.keys(written).map((name) => name.toLowerCase()));
  return { ...Object.fromEntries(Object.entries(preset).filter(([name]) => !names.has(name.toLowerCase()))), ...written };
}
