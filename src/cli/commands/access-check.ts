import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

/** As `verbs` of the room access, which a description does not load; a test holds them the same. */
export const verbNames = [
  'list',
  'pull',
  'push',
  'delete',
  'sign',
  'approve',
  'carry',
  'install',
  'administer',
  'audit',
  'override',
] as const

export type VerbName = (typeof verbNames)[number]

export type AccessCheckFlags = FormatFlag & {
  readonly access: string
  readonly as: string
  readonly group?: readonly string[]
}

export const accessCheck = buildCommand<AccessCheckFlags, [VerbName, string], Context>({
  loader: async () => (await import('../run/access-check.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      access: { kind: 'parsed', parse: text, placeholder: 'FILE', brief: 'The access rules' },
      as: {
        kind: 'parsed',
        parse: text,
        placeholder: 'WHO',
        brief: 'user:NAME, key:ID, certificate:IDENTITY, service:NAME or anonymous',
      },
      group: {
        kind: 'parsed',
        parse: text,
        variadic: true,
        optional: true,
        placeholder: 'NAME',
        brief: 'A group that was proved together with the name; may be given several times',
      },
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [
        {
          parse: (input: string) => {
            const verb = verbNames.find((name) => name === input)
            if (!verb) throw new RangeError(`it must be one of ${verbNames.join(', ')}`)
            return verb
          },
          placeholder: 'VERB',
          brief: 'What they want to do',
        },
        { parse: text, placeholder: 'REPOSITORY', brief: 'Where' },
      ],
    },
  },
  docs: {
    brief: 'Ask whether access rules let somebody do something',
    fullDescription: described(
      'Says yes or no, and which grant decides. No exits with 5. docs/access.md tells what is in the file.',
      [
        'sealift access check --access access.yaml --as user:ada push shop/web',
        'sealift access check --access access.yaml --as service:ci --group release sign shop/web -o json',
      ],
    ),
  },
})
