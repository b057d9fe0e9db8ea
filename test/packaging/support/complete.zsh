# Usage: zsh -f complete.zsh FOLDER-OF-COMPLETIONS LINE...
# Prints what the completion offers at the end of each line, a word a line, and an empty line behind each.
# A second shell on a terminal of its own is the only one in which zsh completes.
zmodload zsh/zpty
local folder=$1 line word
shift

zpty shell zsh -f -i
send() { zpty -w shell "$1" }
until_mark() {
  local output= piece
  while zpty -r shell piece; do
    output+=$piece
    [[ $output == *$1* ]] && break
  done
  REPLY=$output
}

send "stty -echo; PS1= PS2= PROMPT_EOL_MARK="
send "fpath=(${(q)folder} \$fpath); autoload -Uz compinit; compinit -u -D; zstyle ':completion:*' menu no; LISTMAX=10000"
# Every way to offer words ends in compadd; -O, -A and -D only ask what would match.
send 'compadd() {
  if [[ ${(j: :)@[1,(i)(-|--)]} == *-[a-zA-Z]#[OAD]* ]]; then builtin compadd "$@"; return; fi
  local -a hits; builtin compadd -O hits "$@"; local hit
  for hit in $hits; do print -r -- "<offer>$hit</offer>"; done
  builtin compadd "$@"
}'
send 'offer() { compstate[insert]= compstate[list]=; _main_complete; compstate[insert]= compstate[list]=; print -r -- "<done/>" }'
send 'zle -C offer complete-word offer; bindkey "^I" offer; bindkey "^U" kill-whole-line; print "<rea""dy/>"'
until_mark '<ready/>'
for line; do
  zpty -w -n shell "$line"$'\t'
  until_mark '<done/>'
  for word in ${(f)REPLY}; do
    [[ $word == *'<offer>'*'</offer>'* ]] && print -r -- ${${word##*<offer>}%%</offer>*}
  done
  print
  zpty -w -n shell $'\x15'
done
zpty -d shell
