import { buildCommand, buildRouteMap } from '@stricli/core'
import { type BrokerFlags, brokerFlags } from '../broker/flags.ts'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export type BrokerPolicyFlags = FormatFlag & BrokerFlags
export type BrokerPolicyShowFlags = BrokerPolicyFlags & { readonly version?: number }
export type BrokerPolicyRollbackFlags = BrokerPolicyFlags & { readonly to?: number }

const flags = { ...formatFlag, ...brokerFlags } as const
const name = {
  parse: text,
  placeholder: 'NAME',
  brief: '`resource`, or attestation/ID (default_cpu)',
} as const

/** The first is the name; an array has one kind of parameter. */
const nameAndFiles = {
  kind: 'array',
  minimum: 2,
  parameter: { parse: text, placeholder: 'NAME, FILE', brief: 'The policy, and its files: *.rego, *.json' },
} as const

/** A version of a policy. */
function version(input: string): number {
  if (!/^[1-9]\d{0,8}$/.test(input)) throw new RangeError('it must be the number of a version')
  return Number(input)
}

const show = buildCommand<BrokerPolicyShowFlags, [string?], Context>({
  loader: async () => (await import('../run/broker-policy.ts')).show,
  parameters: {
    flags: {
      ...flags,
      version: {
        kind: 'parsed',
        parse: version,
        optional: true,
        placeholder: 'N',
        brief: 'Not the one in force',
      },
    },
    aliases: formatAlias,
    positional: { kind: 'tuple', parameters: [{ ...name, optional: true }] },
  },
  docs: {
    brief: 'Show policies, and their versions',
    fullDescription: described(
      'Without a name, which policies are in force; with one, its text, and which versions there were, when and by whom.',
      [
        'sealift broker policy show --broker ./broker',
        'sealift broker policy show resource --broker ./broker',
        'sealift broker policy show attestation/default_cpu --version 3 --broker ./broker',
      ],
    ),
  },
})

const set = buildCommand<BrokerPolicyFlags, string[], Context>({
  loader: async () => (await import('../run/broker-policy.ts')).set,
  parameters: {
    flags,
    aliases: formatAlias,
    positional: nameAndFiles,
  },
  docs: {
    brief: 'Put a policy in force',
    fullDescription: described(
      'Compiles the files, keeps them as a new version and puts that in force, on every replica within a second. Policies of Trustee need no change. A mistake is told with its line, and changes nothing.',
      [
        'sealift broker policy set resource resource.rego --broker ./broker',
        'sealift broker policy set attestation/default_cpu cpu.rego --broker https://kbs.example:8443 --admin-key admin.key',
      ],
    ),
  },
})

const attempt = buildCommand<BrokerPolicyFlags, string[], Context>({
  loader: async () => (await import('../run/broker-policy.ts')).tryOut,
  parameters: {
    flags,
    aliases: formatAlias,
    positional: nameAndFiles,
  },
  docs: {
    brief: 'Hold a policy against what was asked lately',
    fullDescription: described(
      'Asks a policy that is not in force about the newest recorded requests, each at its own moment, and tells what it would have answered otherwise: who would get something new, and who would lose it. Nothing is changed.',
      [
        'sealift broker policy try resource resource.rego --broker ./broker',
        'sealift broker policy try attestation/default_cpu cpu.rego --broker ./broker -o json',
      ],
    ),
  },
})

const rollback = buildCommand<BrokerPolicyRollbackFlags, [string], Context>({
  loader: async () => (await import('../run/broker-policy.ts')).rollback,
  parameters: {
    flags: {
      ...flags,
      to: {
        kind: 'parsed',
        parse: version,
        optional: true,
        placeholder: 'N',
        brief: 'To this version (the one before)',
      },
    },
    aliases: formatAlias,
    positional: { kind: 'tuple', parameters: [name] },
  },
  docs: {
    brief: 'Put the version before in force again',
    fullDescription: described(
      'Takes the files of an earlier version and puts them in force again, as a new version: what happened stays to be seen.',
      [
        'sealift broker policy rollback resource --broker ./broker',
        'sealift broker policy rollback attestation/default_cpu --to 2 --broker ./broker',
      ],
    ),
  },
})

export const brokerPolicy = buildRouteMap<'show' | 'set' | 'try' | 'rollback', Context>({
  routes: { show, set, try: attempt, rollback },
  docs: { brief: 'What guests must be, and what they may have' },
})
