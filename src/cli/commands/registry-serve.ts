import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import {
  described,
  type FormatFlag,
  formatAlias,
  formatFlag,
  type RegistryAccessFlags,
  registryAccessFlags,
  text,
} from '../flags.ts'
import { type GateFlags, gateFlags } from '../gate/flags.ts'

export type RegistryServeFlags = FormatFlag &
  RegistryAccessFlags &
  GateFlags & {
    readonly listen: string
    readonly anonymousPull: boolean
    readonly verbose: boolean
  }

export const registryServe = buildCommand<RegistryServeFlags, [string], Context>({
  loader: async () => (await import('../run/registry-serve.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      listen: {
        kind: 'parsed',
        parse: text,
        default: '127.0.0.1:5000',
        placeholder: 'HOST:PORT',
        brief: 'Where to listen; port 0 takes a free one',
      },
      ...registryAccessFlags,
      anonymousPull: {
        kind: 'boolean',
        default: false,
        brief: 'Let everybody pull where there are passwords',
      },
      ...gateFlags,
      verbose: { kind: 'boolean', default: false, brief: 'One line per request on stderr' },
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'DIR', brief: 'The data directory; made where it is absent' }],
    },
  },
  docs: {
    brief: 'Run the registry server on a data directory',
    fullDescription: described(
      'Runs an OCI registry on a data directory. The first line on stdout is the address. SIGINT and SIGTERM stop it gracefully; certificates, passwords and access rules are read again when their files change, or at SIGHUP.',
      [
        'sealift registry serve ./data',
        'sealift registry serve ./data --listen 127.0.0.1:0 -o json',
        'sealift registry serve /srv/registry --listen 0.0.0.0:443 --htpasswd users --access access.yaml --tls-cert chain.pem --tls-key key.pem',
      ],
    ),
  },
})
