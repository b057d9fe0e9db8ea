/** What is built for, and where each is called what. */
export const PLATFORMS = [
  {
    name: "linux-x64",
    target: "bun-linux-x64",
    runtime: "@oven/bun-linux-x64",
    file: "bin/bun",
    npm: { os: "linux", cpu: "x64", libc: "glibc" },
  },
  {
    name: "linux-arm64",
    target: "bun-linux-arm64",
    runtime: "@oven/bun-linux-aarch64",
    file: "bin/bun",
    npm: { os: "linux", cpu: "arm64", libc: "glibc" },
  },
  {
    name: "linux-x64-musl",
    target: "bun-linux-x64-musl",
    runtime: "@oven/bun-linux-x64-musl",
    file: "bin/bun",
    npm: { os: "linux", cpu: "x64", libc: "musl" },
  },
  {
    name: "linux-arm64-musl",
    target: "bun-linux-arm64-musl",
    runtime: "@oven/bun-linux-aarch64-musl",
    file: "bin/bun",
    npm: { os: "linux", cpu: "arm64", libc: "musl" },
  },
  { name: "macos-x64", target: "bun-darwin-x64", runtime: "@oven/bun-darwin-x64", file: "bin/bun", npm: { os: "darwin", cpu: "x64" } },
  {
    name: "macos-arm64",
    target: "bun-darwin-arm64",
    runtime: "@oven/bun-darwin-aarch64",
    file: "bin/bun",
    npm: { os: "darwin", cpu: "arm64" },
  },
  {
    name: "windows-x64",
    target: "bun-windows-x64",
    runtime: "@oven/bun-windows-x64",
    file: "bin/bun.exe",
    npm: { os: "win32", cpu: "x64" },
  },
] as const satisfies readonly Platform[];

export type Platform = {
  /** In the names of the release's files. */
  readonly name: string;
  /** Of `bun build`. */
  readonly target: string;
  /** The npm package with the runtime, and the file in it. */
  readonly runtime: string;
  readonly file: string;
  /** Where npm installs it, in npm's words. */
  readonly npm: { readonly os: NodeJS.Platform; readonly cpu: NodeJS.Architecture; readonly libc?: "glibc" | "musl" };
};

/** The file of the release for a platform. */
export function fileOf({ name, file }: Platform, version: string): string {
  return `faultproxy-${version}-${name}${extensionOf(file)}`;
}

export function extensionOf(file: string): "" | ".exe" {
  return file.endsWith(".exe") ? ".exe" : "";
}
