import { buildCommand, buildRouteMap } from '@stricli/core'
import { type BrokerFlags, brokerFlags } from '../broker/flags.ts'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export type BrokerReferenceFlags = FormatFlag & BrokerFlags
export type BrokerReferenceSetFlags = BrokerReferenceFlags & { readonly expires?: string }

const flags = { ...formatFlag, ...brokerFlags } as const
const name = { parse: text, placeholder: 'NAME', brief: 'As policies ask for it: launch_digest' } as const

const set = buildCommand<BrokerReferenceSetFlags, [string, string], Context>({
  loader: async () => (await import('../run/broker-reference.ts')).set,
  parameters: {
    flags: {
      ...flags,
      expires: {
        kind: 'parsed',
        parse: text,
        optional: true,
        placeholder: 'TIME',
        brief: 'Until when it holds, as 2027-01-31T00:00:00Z (a year from now)',
      },
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [
        name,
        { parse: text, placeholder: 'VALUE', brief: 'JSON: a list of the values that are good, mostly' },
      ],
    },
  },
  docs: {
    brief: 'Say what a good measurement is',
    fullDescription: described(
      'Sets a reference value: what attestation policies compare evidence with (query_reference_value). It counts on every replica within a second, and no longer than it says.',
      [
        `sealift broker reference set launch_digest '["3b6f..."]' --broker ./broker`,
        `sealift broker reference set svn '[1]' --expires 2027-01-31T00:00:00Z --broker https://kbs.example:8443 --admin-key admin.key`,
      ],
    ),
  },
})

const ls = buildCommand<BrokerReferenceFlags, [], Context>({
  loader: async () => (await import('../run/broker-reference.ts')).ls,
  parameters: { flags, aliases: formatAlias },
  docs: {
    brief: 'List reference values',
    fullDescription: described(
      'What is known, until when it holds, and who said it: also what has expired, which counts no more.',
      [
        'sealift broker reference ls --broker ./broker',
        'sealift broker reference ls --broker ./broker -o json',
      ],
    ),
  },
})

const rm = buildCommand<BrokerReferenceFlags, [string], Context>({
  loader: async () => (await import('../run/broker-reference.ts')).rm,
  parameters: { flags, aliases: formatAlias, positional: { kind: 'tuple', parameters: [name] } },
  docs: {
    brief: 'Remove a reference value',
    fullDescription: described(
      'Removes a reference value: policies find none of this name any more, so guests that are measured against it are no longer affirmed.',
      [
        'sealift broker reference rm launch_digest --broker ./broker',
        'sealift broker reference rm svn --broker https://kbs.example:8443 --admin-key admin.key',
      ],
    ),
  },
})

const take = buildCommand<BrokerReferenceFlags, [string], Context>({
  loader: async () => (await import('../run/broker-reference.ts')).take,
  parameters: {
    flags,
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'FILE|-', brief: 'The message or statement' }],
    },
  },
  docs: {
    brief: 'Take reference values out of a message or a signed statement',
    fullDescription: described(
      "Takes a message of Trustee's reference value provider (sample, swid, corim), which counts as your own word, or a statement that somebody signed (a Sigstore bundle), which has to fit what broker.yaml says about its signers under references.statements. All of its values are set, or none.",
      [
        'sealift broker reference import values.json --broker ./broker',
        'sealift broker reference import release.sigstore.json --broker ./broker',
      ],
    ),
  },
})

export const brokerReference = buildRouteMap<'set' | 'ls' | 'rm' | 'import', Context>({
  routes: { set, ls, rm, import: take },
  docs: { brief: 'What good evidence is' },
})
