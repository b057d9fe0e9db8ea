# Usage: bash complete.bash COMPLETION-FILE LINE...
# Prints what the completion offers at the end of each line, a word a line, and an empty line behind each.
source "$1"
shift
# Outside a real completion there is nothing that it could set.
compopt() { :; }
for line; do
  COMP_LINE=$line COMP_POINT=${#line}
  # As bash splits: at spaces, and at = and : which are words of their own.
  spaced=${line//=/ = }
  read -ra COMP_WORDS <<< "${spaced//:/ : }"
  [[ $line == *[[:space:]=:] ]] && COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  COMPREPLY=()
  _faultproxy
  printf '%s\n' "${COMPREPLY[@]}" ""
done
