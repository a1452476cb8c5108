import { formats } from './shell/print.ts'

// Flags that several commands have. Only descriptions: nothing here may load more than a name.

/** `--format` on commands that print data. */
export interface FormatFlag {
  readonly format?: (typeof formats)[number]
}
export const formatFlag = {
  format: {
    kind: 'enum',
    values: formats,
    optional: true,
    brief: 'How data is printed: text, or json for programs',
  },
} as const
/** `-o json` where the command has no output file. */
export const formatAlias = { o: 'format' } as const

export interface PlatformFlag {
  readonly platform?: readonly string[]
}
export const platformFlag = {
  platform: {
    kind: 'parsed',
    parse: String,
    variadic: true,
    optional: true,
    placeholder: 'OS/ARCH',
    brief: 'Take only children of this platform; may be given several times; no digest changes',
  },
} as const

/** How registries are reached. Passwords come from files and helpers, never from an argument. */
export interface RegistryFlags {
  readonly authFile?: string
  readonly plainHttp?: readonly string[]
}
export const registryFlags = {
  authFile: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'FILE',
    brief: 'Credentials, as docker and podman keep them (otherwise where they keep them)',
  },
  plainHttp: {
    kind: 'parsed',
    parse: String,
    variadic: true,
    optional: true,
    placeholder: 'HOST:PORT',
    brief: 'Ask this registry over plain HTTP; loopback needs no such permission',
  },
} as const

/** Where the password of a key comes from: never from an argument, which everybody on the machine can read. */
export interface PasswordFlags {
  readonly passwordEnv?: string
  readonly passwordFile?: string
}
export const passwordFlags = {
  passwordEnv: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'NAME',
    brief: "Take the key's password from this environment variable (else SEALIFT_PASSWORD, COSIGN_PASSWORD)",
  },
  passwordFile: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'FILE',
    brief: "Take the key's password from this file; a line feed at its end is not part of it",
  },
} as const

/** Who may do what at a registry server, and how it proves itself. */
export interface RegistryAccessFlags {
  readonly htpasswd?: string
  readonly access?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
}
const file = { kind: 'parsed', parse: String, optional: true, placeholder: 'FILE' } as const
export const registryAccessFlags = {
  htpasswd: {
    ...file,
    brief: 'Users and their bcrypt hashes; they may do everything where there is no --access',
  },
  access: { ...file, brief: 'Who may do what where, by roles (docs/access.md)' },
  tlsCert: { ...file, brief: 'Certificate chain, PEM' },
  tlsKey: { ...file, brief: 'Its private key, PEM' },
} as const

export interface ConcurrencyFlag {
  readonly concurrency?: number
}
export const concurrencyFlag = {
  concurrency: {
    kind: 'parsed',
    parse: (text: string) => {
      if (!/^\d{1,4}$/.test(text) || Number(text) < 1 || Number(text) > 256) {
        throw new RangeError('it must be a whole number from 1 to 256')
      }
      return Number(text)
    },
    optional: true,
    placeholder: 'N',
    brief: 'Contents in flight at once (8)',
  },
} as const

/** A text that every command takes as it is. */
export const text = String

/** The full description of a command: a sentence or two, and examples that can be pasted. */
export function described(sentence: string, examples: readonly string[]): string {
  return `${sentence}\n\nEXAMPLES\n${examples.map((line) => `  ${line}`).join('\n')}`
}
