import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import {
  described,
  type FormatFlag,
  formatAlias,
  formatFlag,
  type PasswordFlags,
  passwordFlags,
  text,
} from '../flags.ts'

export type BrokerInitFlags = FormatFlag &
  PasswordFlags & {
    readonly sample: boolean
    readonly owner?: string
    readonly issuer?: string
    readonly listen?: string
    readonly adminListen?: string
    readonly postgres?: string
    readonly postgresPasswordFile?: string
  }

const one = { kind: 'parsed', parse: text, optional: true } as const

export const brokerInit = buildCommand<BrokerInitFlags, [string], Context>({
  loader: async () => (await import('../run/broker-init.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      sample: {
        kind: 'boolean',
        default: false,
        brief: 'Take evidence of the sample TEE, which anybody can make: for trying alone',
      },
      owner: { ...one, placeholder: 'PRINCIPAL', brief: 'Who may administer it (user: and your name)' },
      issuer: { ...one, placeholder: 'URL', brief: 'Who issues its tokens: the address that others know' },
      listen: { ...one, placeholder: 'HOST:PORT', brief: 'Where guests ask (127.0.0.1:8080)' },
      adminListen: { ...one, placeholder: 'HOST:PORT', brief: 'Where admins ask (127.0.0.1:8081)' },
      postgres: {
        ...one,
        placeholder: 'URL',
        brief: 'Keep all of it in PostgreSQL, for replicas (postgres://USER@HOST/DATABASE)',
      },
      postgresPasswordFile: {
        ...one,
        placeholder: 'FILE',
        brief: 'Whose first line is the password of PostgreSQL: it stays where it is',
      },
      ...passwordFlags,
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'DIR', brief: 'A folder that has no broker yet' }],
    },
  },
  docs: {
    brief: 'Make a key broker',
    fullDescription: described(
      'Writes what a key broker needs into a folder: its configuration (broker.yaml), a keyring that seals what it stores, access rules with you as the owner, policies that deny until reference values say what is good, and a key with which you administer it over the network (admin.key, sealed with a password). With --postgres, state, sessions, audit log and resources lie in a database that any number of replicas share. What is there is never overwritten.',
      [
        'SEALIFT_PASSWORD=... sealift broker init ./broker --sample',
        'sealift broker init ./broker --postgres postgres://broker@db.lab/broker --postgres-password-file ./db.password',
        'sealift broker init /etc/sealift/broker --issuer https://kbs.example --listen 0.0.0.0:8080 --password-file ./password',
      ],
    ),
  },
})
