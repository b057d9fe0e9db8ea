const NAME = "faultproxy/config.toml";

/** Where the file is looked for when nobody names it, the first one that is there counts (XDG Base Directory Specification). */
export function configCandidates(environment: Readonly<Record<string, string | undefined>>): readonly string[] {
  const { HOME, XDG_CONFIG_HOME, XDG_CONFIG_DIRS } = environment;
  const own = isSet(XDG_CONFIG_HOME) ? XDG_CONFIG_HOME : isSet(HOME) ? `${HOME}/.config` : undefined;
  const shared = isSet(XDG_CONFIG_DIRS) ? XDG_CONFIG_DIRS.split(":") : [];
  // Relative paths mean nothing there, says the specification.
  const folders = [own, ...shared, "/etc/xdg"].flatMap((folder) => (folder?.startsWith("/") ? [folder.replace(/\/+$/, "")] : []));
  return [...new Set(folders)].map((folder) => `${folder}/${NAME}`);
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== "";
}
