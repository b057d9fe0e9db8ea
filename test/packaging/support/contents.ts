import packageFile from "../../../package.json";
import { manualPages } from "../../../packaging/man.ts";

/** What every package has of the manual, below `man`. */
export const PACKED_PAGES: readonly string[] = [...Object.keys(await manualPages()), "faultctl.1"]
  .map((name) => `man${name.at(-1)}/${name}.gz`)
  .sort();

/** Licences of what is in the binary, by their names in every package. */
export const LICENCES: readonly string[] = Object.keys(packageFile.dependencies)
  .map((name) => `LICENSE.${name.slice(name.indexOf("/") + 1)}`)
  .sort();
