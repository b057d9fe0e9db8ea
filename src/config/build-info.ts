import packageFile from "../../package.json" with { type: "json" };

/** Put in by the build with `--define`; a run from source has none of them. */
declare const FAULTPROXY_VERSION: string;
declare const FAULTPROXY_COMMIT: string;
declare const FAULTPROXY_BUILD_TIME: string;

export type BuildInfo = {
  readonly version: string;
  /** Of the source; null where the build did not know it. */
  readonly commit: string | null;
  /** RFC 3339; null where it runs from source. */
  readonly buildTime: string | null;
};

export const BUILD_INFO: BuildInfo = {
  version: typeof FAULTPROXY_VERSION === "string" ? FAULTPROXY_VERSION : packageFile.version,
  commit: typeof FAULTPROXY_COMMIT === "string" && FAULTPROXY_COMMIT !== "" ? FAULTPROXY_COMMIT : null,
  buildTime: typeof FAULTPROXY_BUILD_TIME === "string" ? FAULTPROXY_BUILD_TIME : null,
};
