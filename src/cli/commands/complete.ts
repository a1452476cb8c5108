import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, text } from '../flags.ts'

/** What the completion scripts ask; hidden from help. */
export const complete = buildCommand<NonNullable<unknown>, string[], Context>({
  loader: async () => (await import('../run/complete.ts')).run,
  parameters: {
    positional: {
      kind: 'array',
      parameter: { parse: text, placeholder: 'WORD', brief: 'The words so far' },
    },
  },
  docs: {
    brief: 'Propose completions, one per line',
    fullDescription: described('Proposes what may come next on a command line, for completion scripts.', [
      'sealift __complete -- re',
    ]),
  },
})
