import type { Shell } from '../commands/completion.ts'
import type { Context } from '../context.ts'

// Each script asks `sealift __complete` for the words that may come next, and leaves files to the shell where there
// are none.
const scripts: Readonly<Record<Shell, string>> = {
  bash: `_sealift() {
  local IFS=$'\\n'
  local current="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=($(sealift __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
  if [ "\${#COMPREPLY[@]}" -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -o filenames -F _sealift sealift
`,
  zsh: `#compdef sealift
_sealift() {
  local -a proposals
  proposals=(\${(f)"$(sealift __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null | sed -e 's/:/\\\\:/g' -e 's/\\t/:/')"})
  if (( \${#proposals} )); then _describe 'sealift' proposals; else _files; fi
}
if [ "$funcstack[1]" = "_sealift" ]; then _sealift "$@"; else compdef _sealift sealift; fi
`,
  fish: `function __sealift_complete
  set -l words (commandline -opc) (commandline -ct)
  sealift __complete -- $words[2..-1] 2>/dev/null
end
complete -c sealift -a '(__sealift_complete)'
`,
}

export function run(this: Context, _flags: unknown, shell: Shell): void {
  this.process.stdout.write(scripts[shell])
}
