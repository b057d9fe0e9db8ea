import type { Grammar, KeyGrammar, OptionGrammar, Values } from "./grammar.ts";

/** For bash 3.2 (macOS) and later; without the bash-completion package only what follows `run --` is completed less well. */
export function bashCompletion({ commands, ruleWords, faults, commonKeys, amounts }: Grammar): string {
  const names = (keys: readonly KeyGrammar[]) => keys.map(({ key }) => `${key}=`).join(" ");
  const valued = (keys: readonly KeyGrammar[]) => keys.filter(({ values }) => values.length > 0);
  const commandNames = commands.map(({ word }) => word).join(" ");
  return `# Completion of faultproxy and faultctl for bash. Made by packaging/completions.ts.

# The words of the line up to the cursor, split at spaces alone; bash itself splits at = and : too.
_faultproxy() {
  local words current previous command i reply prefix=
  local line="\${COMP_LINE:0:COMP_POINT}"
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  local last=$((\${#words[@]} - 1))
  current="\${words[last]}"
  previous="\${words[last - 1]}"
  COMPREPLY=()
  if [[ \${words[0]##*/} == faultctl ]]; then
    command=ctl i=1
  elif ((last == 1)); then
    _faultproxy_words "${commandNames} --help --version"
    return
  else
    command="\${words[1]}" i=2
  fi

  case "$command" in
${commands
  .filter(({ takesRest }) => takesRest)
  .map(({ word }) => `    ${word}) _faultproxy_rest "$i" && return ;;`)
  .join("\n")}
  esac

  local flag="$previous"
  if [[ $current == --*=* ]]; then
    flag="\${current%%=*}"
    prefix="$flag="
  fi
  case "$command $flag" in
${commands.flatMap(({ word, options }) => options.flatMap((option) => optionCase(word, option))).join("\n")}
  esac

  if [[ $current == -* ]]; then
    case "$command" in
${commands.map(({ word, options }) => `      ${word}) _faultproxy_words ${quoted(options.flatMap(({ flags }) => flags))} ;;`).join("\n")}
    esac
    return
  fi
  case "$command" in
${commands.flatMap(({ word, words }) => wordsCase(word, words)).join("\n")}
  esac
}

# Offers those words of a list that begin with what is typed; $prefix stands before each. A word that ends in = goes on.
_faultproxy_words() {
  _faultproxy_take < <(IFS=' ' compgen -P "$prefix" -W "$1" -- "\${current#"$prefix"}")
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *= ]] && type compopt > /dev/null 2>&1 && compopt -o nospace
  _faultproxy_unsplit
}

_faultproxy_files() {
  _faultproxy_take < <(compgen -f -P "$prefix" -- "\${current#"$prefix"}")
  type compopt > /dev/null 2>&1 && compopt -o filenames
  _faultproxy_unsplit
}

# A line each, so that a name may have spaces in it.
_faultproxy_take() {
  while IFS= read -r reply; do COMPREPLY+=("$reply"); done
}

# bash replaces only what stands behind the last = where it splits there.
_faultproxy_unsplit() {
  [[ $current == *=* && $COMP_WORDBREAKS == *=* ]] || return 0
  local before="\${current%"\${current##*=}"}"
  COMPREPLY=("\${COMPREPLY[@]#"$before"}")
}

# What stands behind -- is a command of its own.
_faultproxy_rest() {
  local j
  for ((j = 1; j < COMP_CWORD; j++)); do
    [[ \${COMP_WORDS[j]} == -- ]] || continue
    if declare -F _command_offset > /dev/null; then
      _command_offset $((j + 1))
    elif ((COMP_CWORD == j + 1)); then
      _faultproxy_take < <(compgen -c -- "$current")
    else
      _faultproxy_files
    fi
    return 0
  done
  return 1
}

# The fault language, from the word with this number on.
_faultproxy_rule() {
  local fault= keys= value= word
  for word in "\${words[@]:$1:last-$1}"; do
    case "$word" in
      --socket | --port) value=next ;;
      add | -*) ;;
      *) [[ -z $value && -z $fault ]] && fault="$word"; value= ;;
    esac
  done
  if [[ -z $fault ]]; then
    if [[ $previous == add ]]; then
      _faultproxy_words ${quoted(faults.flatMap(({ names: [name = ""] }) => name))}
    else
      _faultproxy_words ${quoted([...ruleWords.map(({ word }) => word), ...faults.flatMap(({ names: [name = ""] }) => name)])}
    fi
    return
  fi
  case "$fault" in
${faults.map(({ names: ways, keys }) => `    ${ways.join(" | ")}) keys="${names(keys)}" ;;`).join("\n")}
    *) return ;;
  esac
  if [[ $current == *=* ]]; then
    prefix="\${current%%=*}="
    case "$fault $prefix" in
${faults.flatMap(({ names: ways, keys }) => valued(keys).map((key) => valuesCase(`${ways.map((way) => `"${way} ${key.key}="`).join(" | ")}`, key.values))).join("\n")}
${valued(commonKeys)
  .map((key) => valuesCase(`*" ${key.key}="`, key.values))
  .join("\n")}
    esac
    return
  fi
  _faultproxy_words "${amounts.map(({ word }) => word).join(" ")} $keys ${names(commonKeys)}"
}

complete -F _faultproxy faultproxy faultctl
`;
}

function optionCase(command: string, { flags, values }: OptionGrammar): readonly string[] {
  if (values === undefined) return [];
  const pattern = flags.map((flag) => `"${command} ${flag}"`).join(" | ");
  return [`    ${pattern}) ${values.kind === "any" ? "" : `${offer(values)}; `}return ;;`];
}

function offer(values: Values): string {
  switch (values.kind) {
    case "words":
      return `_faultproxy_words ${quoted(values.entries.map(({ word }) => word))}`;
    case "files":
      return "_faultproxy_files";
    case "rule":
      return '_faultproxy_rule "$i"';
    case "any":
      return "";
  }
}

function wordsCase(command: string, words: Values): readonly string[] {
  return words.kind === "any" ? [] : [`    ${command}) ${offer(words)} ;;`];
}

function valuesCase(pattern: string, values: readonly string[]): string {
  return `      ${pattern}) _faultproxy_words ${quoted(values)} ;;`;
}

function quoted(words: readonly string[]): string {
  return `"${words.join(" ")}"`;
}
