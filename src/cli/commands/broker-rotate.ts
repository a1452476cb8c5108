import { buildCommand, buildRouteMap } from '@stricli/core'
import { type BrokerFlags, brokerFlags } from '../broker/flags.ts'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag, text } from '../flags.ts'

export type BrokerRotateFlags = FormatFlag & BrokerFlags
export type BrokerRotateMasterFlags = FormatFlag & {
  readonly broker?: string
  readonly prepare: boolean
  readonly dropOld: boolean
}
export type BrokerRotateTokenFlags = BrokerRotateFlags & { readonly distrust: boolean }
export type BrokerRotatePkiFlags = BrokerRotateFlags & { readonly root: boolean; readonly distrust: boolean }

const flags = { ...formatFlag, ...brokerFlags } as const

const master = buildCommand<BrokerRotateMasterFlags, [], Context>({
  loader: async () => (await import('../run/broker-rotate.ts')).master,
  parameters: {
    flags: {
      ...formatFlag,
      broker: {
        kind: 'parsed',
        parse: text,
        optional: true,
        placeholder: 'DIR',
        brief: "The broker's folder (else SEALIFT_BROKER)",
      },
      prepare: {
        kind: 'boolean',
        default: false,
        brief:
          'Only add the next key, which seals nothing yet: give keyring.json to brokers elsewhere, then rotate',
      },
      dropOld: {
        kind: 'boolean',
        default: false,
        brief: 'No new key: seal what is left anew, and forget the old ones',
      },
    },
    aliases: formatAlias,
  },
  docs: {
    brief: 'Seal all that is stored under a new master key',
    fullDescription: described(
      'Adds a new master key to the keyring, which seals from now on, and seals the state and every store anew. Servers need no restart. The old keys still open what a backup brings back, until a second call with --drop-old forgets them; where anything cannot be sealed anew it is named, and none is forgotten.',
      [
        'sealift broker rotate master --broker ./broker --prepare',
        'sealift broker rotate master --broker ./broker',
        'sealift broker rotate master --broker ./broker --drop-old',
      ],
    ),
  },
})

const token = buildCommand<BrokerRotateTokenFlags, [], Context>({
  loader: async () => (await import('../run/broker-rotate.ts')).token,
  parameters: {
    flags: {
      ...flags,
      distrust: {
        kind: 'boolean',
        default: false,
        brief: 'No token so far counts any more, and a new key signs at once: for a key that others may have',
      },
    },
    aliases: formatAlias,
  },
  docs: {
    brief: 'Sign tokens with a new key',
    fullDescription: described(
      'Makes the next key of attestation tokens. It is in the JWK set at once, and signs once every reader of that can have seen it; the old one counts for as long as its tokens last.',
      [
        'sealift broker rotate token --broker ./broker',
        'sealift broker rotate token --broker https://kbs.example:8443 --admin-key admin.key',
        'sealift broker rotate token --broker ./broker --distrust',
      ],
    ),
  },
})

const nebula = buildCommand<BrokerRotateFlags, [], Context>({
  loader: async () => (await import('../run/broker-rotate.ts')).nebula,
  parameters: { flags, aliases: formatAlias },
  docs: {
    brief: 'Make the next authority of the overlay network',
    fullDescription: described(
      'Makes another Nebula authority: trusted at once, issuing after announceHours, within which nodes have to fetch it. Both count until the last certificate of the old one has ended.',
      [
        'sealift broker rotate nebula --broker ./broker',
        'sealift broker rotate nebula --broker ./broker -o json',
      ],
    ),
  },
})

const pki = buildCommand<BrokerRotatePkiFlags, [], Context>({
  loader: async () => (await import('../run/broker-rotate.ts')).pki,
  parameters: {
    flags: {
      ...flags,
      root: { kind: 'boolean', default: false, brief: 'Another root too' },
      distrust: {
        kind: 'boolean',
        default: false,
        brief: 'The old intermediate counts no more, nor what it issued: for a key that others may have',
      },
    },
    aliases: formatAlias,
  },
  docs: {
    brief: 'Issue certificates under a new intermediate',
    fullDescription: described(
      'Makes another intermediate authority, which issues from now on. What the old one issued counts until it ends, unless --distrust says otherwise.',
      [
        'sealift broker rotate pki --broker ./broker',
        'sealift broker rotate pki --broker ./broker --root',
        'sealift broker rotate pki --broker ./broker --distrust',
      ],
    ),
  },
})

export const brokerRotate = buildRouteMap<'master' | 'token' | 'nebula' | 'pki', Context>({
  routes: { master, token, nebula, pki },
  docs: { brief: 'New keys in the place of old ones' },
})
