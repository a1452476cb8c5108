import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described } from '../flags.ts'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

const parseShell = (input: string): Shell => {
  const found = shells.find((shell) => shell === input)
  if (!found) throw new RangeError(`it must be ${shells.join(', ')}`)
  return found
}

export const completion = buildCommand<NonNullable<unknown>, [Shell], Context>({
  loader: async () => (await import('../run/completion.ts')).run,
  parameters: {
    positional: {
      kind: 'tuple',
      parameters: [
        {
          parse: parseShell,
          proposeCompletions: () => shells,
          placeholder: shells.join('|'),
          brief: 'The shell',
        },
      ],
    },
  },
  docs: {
    brief: 'Print a completion script for a shell',
    fullDescription: described('Prints a script that completes commands and flags in a shell.', [
      'source <(sealift completion bash)',
      'sealift completion zsh > ~/.zfunc/_sealift',
      'sealift completion fish > ~/.config/fish/completions/sealift.fish',
    ]),
  },
})
