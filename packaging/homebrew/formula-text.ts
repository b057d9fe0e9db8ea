export type Release = { readonly base: string; readonly version: string; readonly license: string };

/** Homebrew's names of a system and a processor, and the release's name for both. */
const PLATFORMS = [
  ["macos", "arm", "macos-arm64"],
  ["macos", "intel", "macos-x64"],
  ["linux", "arm", "linux-arm64"],
  ["linux", "intel", "linux-x64"],
] as const;

/** The formula for the files of a release; `sums` is the text of its SHA256SUMS. Throws where a file is not in it. */
export function formulaText(release: Release, sums: string): string {
  const { base, version, license } = release;
  const sumOf = checksums(sums);
  const file = (name: string) => `faultproxy-${version}-${name}`;
  const source = (name: string, indent: string) => `${indent}url "${base}/${file(name)}"\n${indent}sha256 "${sumOf(file(name))}"`;
  const systems = ["macos", "linux"].map((system) => {
    const processors = PLATFORMS.filter(([of]) => of === system).map(
      ([, processor, name]) => `    on_${processor} do\n${source(name, "      ")}\n    end`,
    );
    return `  on_${system} do\n${processors.join("\n")}\n  end`;
  });
  return `# frozen_string_literal: true

# Made by packaging/homebrew/formula.ts from the checksums of the release.
class Faultproxy < Formula
  desc "Proxy between LLM clients and their providers that fails on command"
  homepage "${homepage(base)}"
  version "${version}"
  license "${license}"

${systems.join("\n\n")}

  resource "share" do
${source("share.tar.gz", "    ")}
  end

  def install
    bin.install Dir["faultproxy-*"].first => "faultproxy"
    bin.install_symlink "faultproxy" => "faultctl"
    resource("share").stage do
      man1.install Dir["man/*.1"]
      man5.install Dir["man/*.5"]
      man7.install Dir["man/*.7"]
      bash_completion.install Dir["completions/bash/*"]
      zsh_completion.install Dir["completions/zsh/*"]
      fish_completion.install Dir["completions/fish/*"]
    end
  end

  service do
    run [opt_bin/"faultproxy", "serve", "--no-stdin"]
    keep_alive successful_exit: false
    process_type :interactive
    # Each would make the runtime inside the program run other code than the program's.
    environment_variables BUN_OPTIONS: "", BUN_BE_BUN: "", BUN_INSPECT: "", BUN_INSPECT_CONNECT_TO: "",
                          BUN_INSPECT_NOTIFY: "", BUN_INSPECT_PRELOAD: ""
    log_path var/"log/faultproxy.log"
    error_log_path var/"log/faultproxy.log"
  end

  test do
    assert_match "faultproxy #{version}", shell_output("#{bin}/faultproxy version")
    port = free_port
    proxy = spawn bin/"faultproxy", "serve", "--simulate", "--no-stdin", "--port", port.to_s,
                  "--socket", testpath/"control.sock"
    begin
      body = '{"model":"gpt-4o","messages":[{"role":"user","content":"x"}]}'
      ask = "curl -s --retry 5 --retry-connrefused -d '#{body}' http://127.0.0.1:#{port}/v1/chat/completions"
      assert_match "chat.completion", shell_output(ask)
    ensure
      Process.kill "TERM", proxy
      Process.wait proxy
    end
  end
end
`;
}

/** The project's page: what stands before the part of the address that belongs to releases. */
function homepage(base: string): string {
  return base.replace(/\/(-\/)?releases\/.*$/, "");
}

function checksums(text: string): (file: string) => string {
  const sums = new Map([...text.matchAll(/^([\da-f]{64}) [ *](\S+)$/gm)].map(([, sum = "", name = ""]) => [name, sum]));
  return (file) => {
    const sum = sums.get(file);
    if (sum === undefined) throw new Error(`there is no checksum of ${file}`);
    return sum;
  };
}
