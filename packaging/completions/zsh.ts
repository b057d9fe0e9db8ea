import type { CommandGrammar, Entry, Grammar, KeyGrammar, OptionGrammar, Values } from "./grammar.ts";

/** One function file for `fpath`, for both names of the program. */
export function zshCompletion({ commands, ruleWords, faults, commonKeys, amounts }: Grammar): string {
  const faultEntries = faults.map(({ names: [word = ""], summary }) => ({ word, summary }));
  const withValues = (names: readonly string[], keys: readonly KeyGrammar[]) =>
    keys
      .filter(({ values }) => values.length > 0)
      .map(({ key, values }) => `      ${names.map((name) => `${name}:${key}`).join(" | ")}) compadd -- ${values.join(" ")}; return ;;`);
  return `#compdef faultproxy faultctl
# Completion of faultproxy and faultctl for zsh. Made by packaging/completions.ts.

_faultproxy() {
  local curcontext="$curcontext" state
  local -a line
  typeset -A opt_args
  if [[ $service == faultctl ]]; then
    _faultproxy_ctl
    return
  fi
  _arguments -C \\
    '(- *)'{-h,--help}'[print help]' \\
    '(- *)'{-V,--version}'[print the version]' \\
    '1: :_faultproxy_commands' \\
    '*:: :->command'
  [[ $state == command ]] || return
  case $words[1] in
${commands.map(({ word }) => `    ${word}) _faultproxy_${word} ;;`).join("\n")}
  esac
}

_faultproxy_commands() {
${described("command", commands)}
}

${commands.map(commandFunctions).join("\n")}
# The fault language: \`words\` are those of one command of it.
_faultproxy_rule() {
  local -i at=1
  [[ $words[1] == add ]] && at=2
  if ((CURRENT < at + 1)); then
    ((at == 1)) && _faultproxy_rule_words
    _faultproxy_fault_names
    return
  fi
  local fault=$words[at]
  if compset -P '*='; then
    case "$fault:\${\${IPREFIX%=}##*[[:space:]]}" in
${faults.flatMap(({ names, keys }) => withValues(names, keys)).join("\n")}
${withValues(["*"], commonKeys).join("\n")}
    esac
    return 1
  fi
  local -a keys
  case $fault in
${faults.map(({ names, keys }) => `    ${names.join(" | ")}) keys=(${keys.map(keyText).join(" ")}) ;;`).join("\n")}
    *) return 1 ;;
  esac
  keys+=(${commonKeys.map(keyText).join(" ")})
${described("amount", amounts)}
  _describe -t keys key keys -S ''
}

_faultproxy_rule_words() {
${described("command", ruleWords)}
}

_faultproxy_fault_names() {
${described("fault", faultEntries)}
}

# Loaded for the first time it is asked, later it is there.
if [[ $funcstack[1] == _faultproxy ]]; then
  _faultproxy "$@"
else
  compdef _faultproxy faultproxy faultctl
fi
`;
}

/** The command's own function, and one for each option whose values have summaries. */
function commandFunctions({ word: command, options, words, takesRest }: CommandGrammar): string {
  const name = `_faultproxy_${command}`;
  const extra = options.flatMap((option) =>
    option.values?.kind === "words" && isDescribed(option.values)
      ? [`${valuesName(name, option)}() {\n${described("value", option.values.entries)}\n}\n\n`]
      : [],
  );
  const own = words.kind === "words" ? [`${name}_words() {\n${described("word", words.entries)}\n}\n\n`] : [];
  const lines = [
    ...options.map((option) => optionSpec(name, option)),
    ...(takesRest ? ["'(-)*:: :_normal'"] : []),
    ...(words.kind === "words" ? [`'1: :${name}_words'`] : []),
    ...(words.kind === "files" ? ["'1:file:_files'"] : []),
    ...(words.kind === "rule" ? ["'*:: :_faultproxy_rule'"] : []),
  ];
  return `${[...extra, ...own].join("")}${name}() {\n  _arguments -S \\\n    ${lines.join(" \\\n    ")}\n}\n`;
}

function valuesName(command: string, { flags }: OptionGrammar): string {
  return `${command}_${(flags.find((flag) => flag.startsWith("--")) ?? "").slice(2)}`;
}

function isDescribed({ entries }: Extract<Values, { kind: "words" }>): boolean {
  return entries.some(({ summary }) => summary !== "");
}

function optionSpec(command: string, option: OptionGrammar): string {
  const { flags, summary, values, repeatable } = option;
  const written = flags.map((flag) => (values !== undefined && flag.startsWith("--") ? `${flag}=` : flag));
  const exclusive = repeatable ? "'*'" : `'(${flags.includes("--help") ? "- *" : flags.join(" ")})'`;
  const ways = written.length === 1 ? written[0] : `{${written.join(",")}}`;
  return `${exclusive}${ways}${single(`[${escaped(summary, "[]")}]${values === undefined ? "" : `: :${action(command, option)}`}`)}`;
}

function action(command: string, option: OptionGrammar): string {
  const { values } = option;
  if (values?.kind === "files") return "_files";
  if (values?.kind !== "words") return " ";
  if (isDescribed(values)) return valuesName(command, option);
  const words = values.entries.map(({ word }) => word);
  return words.every((word) => word.endsWith("=")) ? `{compadd -S "" -- ${words.join(" ")}}` : `(${words.join(" ")})`;
}

/** Lines that offer entries with their summaries. */
function described(what: string, entries: readonly Entry[]): string {
  const texts = entries.map(({ word, summary }) => `    ${single(`${escaped(word, ":")}:${summary}`)}`);
  return `  local -a ${what}s=(\n${texts.join("\n")}\n  )\n  _describe -t ${what}s ${what} ${what}s`;
}

function keyText({ key, summary }: KeyGrammar): string {
  return single(`${key}=:${summary}`);
}

function escaped(text: string, characters: string): string {
  return [...text].map((character) => (characters.includes(character) || character === "\\" ? `\\${character}` : character)).join("");
}

function single(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
