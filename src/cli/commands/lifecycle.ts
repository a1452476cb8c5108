import type { FormatFlag, RegistryFlags } from '../flags.ts'
import { formatFlag, registryFlags, text } from '../flags.ts'
import { type GateFlags, gateFlags } from '../gate/flags.ts'

// What install, upgrade, uninstall and invoke have in common.

export interface ActionFlags extends FormatFlag, RegistryFlags, GateFlags {
  readonly driver?: 'oci-runtime' | 'namespaces'
  readonly param?: readonly string[]
  readonly paramFile?: readonly string[]
  readonly credentialSet?: readonly string[]
  readonly relocationMapping?: string
  readonly volume?: readonly string[]
  readonly timeout?: number
}

const many = { kind: 'parsed', parse: text, variadic: true, optional: true } as const

export const actionFlags = {
  driver: {
    kind: 'enum',
    values: ['oci-runtime', 'namespaces'],
    optional: true,
    brief: 'What runs the invocation image; the first that works here where it is not said',
  },
  param: {
    ...many,
    placeholder: 'NAME=VALUE',
    brief: 'A parameter; NAME=@FILE takes the content of a file',
  },
  paramFile: {
    ...many,
    placeholder: 'FILE',
    brief: 'Parameters in JSON or YAML, names to values; --param wins',
  },
  credentialSet: {
    ...many,
    placeholder: 'FILE',
    brief: 'A credential set (CNAB 802): where each credential comes from',
  },
  relocationMapping: {
    kind: 'parsed',
    parse: text,
    optional: true,
    placeholder: 'FILE',
    brief: 'Where the images are now, as `relocate` wrote it',
  },
  volume: {
    ...many,
    placeholder: 'HOST:PATH[:ro]',
    brief: 'A folder of this machine for the run tool',
  },
  timeout: {
    kind: 'parsed',
    parse: (input: string) => {
      if (!/^\d{1,7}$/.test(input) || Number(input) < 1)
        throw new RangeError('it must be a number of seconds')
      return Number(input)
    },
    optional: true,
    placeholder: 'SECONDS',
    brief: 'Stop the run tool after this time',
  },
  ...gateFlags,
  ...formatFlag,
  ...registryFlags,
} as const

export const actionAliases = { o: 'format', m: 'relocationMapping' } as const
