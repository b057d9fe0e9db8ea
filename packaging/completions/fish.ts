import type { CommandGrammar, Entry, Grammar, KeyGrammar, OptionGrammar, Values } from "./grammar.ts";

/** For both names of the program; fish looks for a file by the name of the command, so that it is installed under both. */
export function fishCompletion({ commands, ruleWords, faults, commonKeys, amounts }: Grammar): string {
  const faultEntries = faults.map(({ names: [word = ""], summary }) => ({ word, summary }));
  const valueLines = (patterns: readonly string[], values: readonly string[]) =>
    `            case ${patterns.map(quote).join(" ")}\n                printf '%s\\n' $key={${values.join(",")}}`;
  const valueCases = [
    ...faults.flatMap(({ names, keys }) =>
      valued(keys).map(({ key, values }) =>
        valueLines(
          names.map((name) => `${name} ${key}`),
          values,
        ),
      ),
    ),
    ...valued(commonKeys).map(({ key, values }) => valueLines([`* ${key}`], values)),
  ];
  return `# Completion of faultproxy and faultctl for fish. Made by packaging/completions.ts.

complete -c faultproxy -e
complete -c faultctl -e

# The words before the cursor without the program's name; those of faultctl as faultproxy would have them.
function __faultproxy_typed
    set -l typed (commandline -opc)
    string match -qr '(^|/)faultctl$' -- $typed[1]; and set typed[1] ctl; or set -e typed[1]
    printf '%s\\n' $typed
end

function __faultproxy_in -a command
    set -l typed (__faultproxy_typed)
    test "$typed[1]" = "$command"; and not contains -- -- $typed
end

# What stands behind -- is a command of its own.
function __faultproxy_rest
    set -l typed (__faultproxy_typed)
    set -l at (contains -i -- -- $typed); or return
    set -l rest $typed[(math $at + 1)..-1]
    complete -C (string join ' ' -- (string escape -- $rest) (commandline -ct))
end

# The fault language.
function __faultproxy_rule
    set -l typed (__faultproxy_typed)
    set -e typed[1]
    set -l words
    set -l skip 0
    for word in $typed
        if test $skip = 1
            set skip 0
        else if contains -- $word --socket --port
            set skip 1
        else if not string match -q -- '-*' $word
            set -a words $word
        end
    end
    set -l is_added 0
    if test "$words[1]" = add
        set is_added 1
        set -e words[1]
    end
    if test (count $words) = 0
        test $is_added = 0; and printf '%s\\t%s\\n' ${pairs(ruleWords)}
        printf '%s\\t%s\\n' ${pairs(faultEntries)}
        return
    end
    set -l key (string match -r '^[^=]+(?==)' -- (commandline -ct))
    if test -n "$key"
        switch "$words[1] $key"
${valueCases.join("\n")}
        end
        return
    end
    switch "$words[1]"
${faults.map(({ names, keys }) => `        case ${names.join(" ")}\n            ${keys.length === 0 ? "" : `printf '%s\\t%s\\n' ${keyPairs(keys)}`}`.trimEnd()).join("\n")}
        case '*'
            return
    end
    printf '%s\\t%s\\n' ${pairs(amounts)}
    printf '%s\\t%s\\n' ${keyPairs(commonKeys)}
end

complete -c faultproxy -f
complete -c faultctl -f
${commands.map(({ word, summary }) => `complete -c faultproxy -n '__faultproxy_in ""' -a ${word} -d ${quote(summary)}`).join("\n")}
complete -c faultproxy -n '__faultproxy_in ""' -s h -l help -d 'print help'
complete -c faultproxy -n '__faultproxy_in ""' -s V -l version -d 'print the version'
${commands.map((command) => commandLines("faultproxy", command)).join("\n")}
${commands
  .filter(({ words }) => words.kind === "rule")
  .map((command) => commandLines("faultctl", command))
  .join("\n")}
complete -c faultproxy -a '(__faultproxy_rest)'
`;
}

/** The lines of one command, and before them the functions that they call. */
function commandLines(program: string, { word, options, words }: CommandGrammar): string {
  const start = `complete -c ${program} -n '__faultproxy_in ${word}'`;
  const name = `__faultproxy_${word}`;
  const named = options.map((option) => ({
    option,
    own: `${name}_${(option.flags.find((flag) => flag.startsWith("--")) ?? "").slice(2).replaceAll("-", "_")}`,
  }));
  return [
    ...named.flatMap(({ option: { values }, own }) => describedFunction(own, values)),
    ...describedFunction(name, words),
    ...named.map(({ option, own }) => `${start} ${optionText(option, own)}`),
    ...offer(words, name).map((text) => `${start} ${text}`),
  ].join("\n");
}

function optionText({ flags, summary, values }: OptionGrammar, own: string): string {
  const names = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const value = values === undefined ? [] : values.kind === "files" ? ["-r -F"] : ["-x", ...offer(values, own)];
  return [...names, `-d ${quote(summary)}`, ...value].join(" ");
}

/** Entries with summaries come from a function. */
function describedFunction(name: string, values: Values | undefined): readonly string[] {
  if (values?.kind !== "words" || !isDescribed(values)) return [];
  return [`function ${name}\n    printf '%s\\t%s\\n' ${pairs(values.entries)}\nend`];
}

function isDescribed({ entries }: Extract<Values, { kind: "words" }>): boolean {
  return entries.some(({ summary }) => summary !== "");
}

function offer(values: Values, described: string): readonly string[] {
  switch (values.kind) {
    case "words":
      return [isDescribed(values) ? `-a '(${described})'` : `-a '${values.entries.map(({ word }) => word).join(" ")}'`];
    case "files":
      return ["-F"];
    case "rule":
      return ["-a '(__faultproxy_rule)'"];
    case "any":
      return [];
  }
}

function pairs(entries: readonly Entry[]): string {
  return entries.map(({ word, summary }) => `${quote(word)} ${quote(summary)}`).join(" ");
}

function keyPairs(keys: readonly KeyGrammar[]): string {
  return pairs(keys.map(({ key, summary }) => ({ word: `${key}=`, summary })));
}

function valued(keys: readonly KeyGrammar[]): readonly KeyGrammar[] {
  return keys.filter(({ values }) => values.length > 0);
}

function quote(text: string): string {
  return `'${text.replace(/['\\]/g, (character) => `\\${character}`)}'`;
}
