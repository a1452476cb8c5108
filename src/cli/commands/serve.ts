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

export type ServeFlags = FormatFlag &
  RegistryAccessFlags &
  GateFlags & {
    readonly listen: string
    readonly overlay?: string
    readonly verbose: boolean
  }

export const serve = buildCommand<ServeFlags, [string], Context>({
  loader: async () => (await import('../run/serve.ts')).run,
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
      overlay: {
        kind: 'parsed',
        parse: text,
        optional: true,
        placeholder: 'DIR',
        brief: 'Take pushes into this data directory, over what is served',
      },
      ...registryAccessFlags,
      ...gateFlags,
      verbose: { kind: 'boolean', default: false, brief: 'One line per request on stderr' },
    },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: text, placeholder: 'LOCATION', brief: 'An archive or oci:DIR' }],
    },
  },
  docs: {
    brief: 'Serve an archive or layout in place as a registry',
    fullDescription: described(
      'Serves an archive or layout as a registry without unpacking it: read only, or with an overlay that takes pushes. The first line on stdout is the address. SIGINT and SIGTERM stop it: requests under way are finished.',
      [
        'sealift serve app.tgz',
        'sealift serve oci:./layout --listen 127.0.0.1:0 -o json',
        'sealift serve app.tgz --listen 0.0.0.0:5000 --overlay ./pushed --htpasswd users --access access.yaml',
      ],
    ),
  },
})
