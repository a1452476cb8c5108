import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, text } from '../flags.ts'

export interface LogsFlags {
  readonly claim?: string
}

export const logs = buildCommand<LogsFlags, [string], Context>({
  loader: async () => (await import('../run/logs.ts')).run,
  parameters: {
    flags: {
      claim: {
        kind: 'parsed',
        parse: text,
        optional: true,
        placeholder: 'ID',
        brief: 'The action with this claim id (see `show`); the last one where it is not said',
      },
    },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'NAME', brief: 'The installation' }],
    },
  },
  docs: {
    brief: 'Print the log of an action',
    fullDescription: described('Prints what the run tool wrote during an action, byte for byte.', [
      'sealift logs shop',
      'sealift logs shop --claim 01JD2Q8XH5V8Q6S6E2B0ZT4Y7N',
    ]),
  },
})
