import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { isFailure } from '#base/index.ts'
import { isRegistryHost } from '#oci/index.ts'
import { failure } from './codes.ts'
import type { Context } from './context.ts'
import { type Format, formats } from './shell/print.ts'

/** What can be set once instead of with each command (docs/settings.md). A flag wins over all of it. */
export interface Settings {
  readonly concurrency?: number
  readonly format?: Format
  readonly driver?: string
  readonly stateDir?: string
  /** Registries that are asked over plain HTTP though they are not on loopback: HOST or HOST:PORT. */
  readonly plainHttp?: readonly string[]
  /** The trust policy by which content is let in: an absolute path. */
  readonly policy?: string
  /** Whose obligations of that policy count. */
  readonly environment?: 'build' | 'trial' | 'production'
  /** Where decisions are recorded: an absolute path. */
  readonly auditDir?: string
  /** Who may do what with which content: an absolute path. */
  readonly accessRules?: string
  /** The key broker that `broker` commands administer: a folder (absolute), or a URL. */
  readonly broker?: string
  /** The key that proves you to it over the network: an absolute path. */
  readonly adminKey?: string
  /** Whether `sign` and `attest` write cosign's older form beside bundles. */
  readonly legacySignatures?: boolean
  /** Where a registry's content is also to be had, asked first and in this order: HOST to URLs. Reading only. */
  readonly mirrors?: Readonly<Record<string, readonly string[]>>
}

/** How one setting is read, from a file's value or from the text of an environment variable. */
interface Reading {
  readonly variable: string
  /** Whether the project file may set it: what comes with a checkout must not weaken how its user works. */
  readonly inProject: boolean
  /** The value, or undefined where it makes no sense. */
  read(value: unknown): unknown
  readonly expects: string
}

/** A place on this machine, which a project must not choose. */
const absolutePath = (variable: string): Reading => ({
  variable,
  inProject: false,
  read: (value) => (typeof value === 'string' && isAbsolute(value) ? value : undefined),
  expects: 'an absolute path',
})

export const readings: Readonly<Record<keyof Settings, Reading>> = {
  concurrency: {
    variable: 'SEALIFT_CONCURRENCY',
    inProject: true,
    read: (value) => {
      const number = typeof value === 'string' && /^\d{1,4}$/.test(value) ? Number(value) : value
      return Number.isInteger(number) && (number as number) >= 1 && (number as number) <= 256
        ? number
        : undefined
    },
    expects: 'a whole number from 1 to 256',
  },
  format: {
    variable: 'SEALIFT_FORMAT',
    inProject: true,
    read: (value) => ((formats as readonly unknown[]).includes(value) ? value : undefined),
    expects: formats.join(' or '),
  },
  driver: {
    variable: 'SEALIFT_DRIVER',
    inProject: true,
    read: (value) => (drivers.includes(value as string) ? value : undefined),
    expects: 'oci-runtime or namespaces',
  },
  stateDir: absolutePath('SEALIFT_STATE_DIR'),
  policy: absolutePath('SEALIFT_POLICY'),
  environment: {
    variable: 'SEALIFT_ENVIRONMENT',
    inProject: false,
    read: (value) => (['build', 'trial', 'production'].includes(value as string) ? value : undefined),
    expects: 'build, trial or production',
  },
  auditDir: absolutePath('SEALIFT_AUDIT_DIR'),
  accessRules: absolutePath('SEALIFT_ACCESS_RULES'),
  plainHttp: {
    variable: 'SEALIFT_PLAIN_HTTP',
    inProject: false,
    read: (value) => {
      const hosts = typeof value === 'string' ? value.split(',').map((host) => host.trim()) : value
      return Array.isArray(hosts) && hosts.every((host) => typeof host === 'string' && isRegistryHost(host))
        ? hosts
        : undefined
    },
    expects: 'a list of registries, each HOST or HOST:PORT',
  },
  broker: {
    variable: 'SEALIFT_BROKER',
    inProject: false,
    read: (value) =>
      typeof value === 'string' && (isAbsolute(value) || /^https?:\/\/[^/]/.test(value)) ? value : undefined,
    expects: 'an absolute path, or http(s)://HOST:PORT',
  },
  adminKey: absolutePath('SEALIFT_ADMIN_KEY'),
  legacySignatures: {
    variable: 'SEALIFT_LEGACY_SIGNATURES',
    inProject: true,
    read: (value) =>
      value === true || value === 'true' ? true : value === false || value === 'false' ? false : undefined,
    expects: 'true or false',
  },
  mirrors: {
    variable: 'SEALIFT_MIRRORS',
    inProject: false,
    read: readMirrors,
    expects: 'registries with the URLs of their mirrors, as HOST: [URL, ...] or HOST=URL,HOST=URL',
  },
}

/** `{HOST: [URL, ...]}` in a file; HOST=URL with commas between in the variable, a host as often as it has mirrors. */
function readMirrors(value: unknown): Record<string, string[]> | undefined {
  if (typeof value === 'string') {
    const byHost: Record<string, string[]> = Object.create(null)
    for (const part of value.split(',')) {
      const [host = '', ...url] = part.trim().split('=')
      byHost[host] = [...(byHost[host] ?? []), url.join('=')]
    }
    return readMirrors({ ...byHost })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const good = Object.entries(value).every(
    ([host, urls]) => isRegistryHost(host) && Array.isArray(urls) && urls.every(isMirrorUrl),
  )
  return good ? (value as Record<string, string[]>) : undefined
}

const isMirrorUrl = (url: unknown): boolean =>
  typeof url === 'string' && /^https?:$/.test(URL.parse(url)?.protocol ?? '')

export const drivers: readonly string[] = ['oci-runtime', 'namespaces']
const names = Object.keys(readings) as (keyof Settings)[]

/**
 * Environment over project file (`settings:` in sealift.yaml of the current folder) over user file.
 *
 * @throws SETTINGS_INVALID
 */
export async function loadSettings(context: Pick<Context, 'env' | 'cwd'>): Promise<Settings> {
  return {
    ...(await userSettings(context.env)),
    ...(await projectSettings(context.cwd)),
    ...environmentSettings(context.env),
  }
}

export function environmentSettings(env: Context['env']): Settings {
  const found: Record<string, unknown> = {}
  for (const name of names) {
    const text = env[readings[name].variable]
    if (text === undefined || text === '') continue
    found[name] = checked(name, text, readings[name].variable)
  }
  return found
}

async function userSettings(env: Context['env']): Promise<Settings> {
  const base = env.XDG_CONFIG_HOME
  const home = env.HOME || homedir()
  const directory = base && isAbsolute(base) ? base : join(home, '.config')
  const path = join(directory, 'sealift', 'config.yaml')
  return fileSettings(await readYaml(path), path, false)
}

async function projectSettings(cwd: string): Promise<Settings> {
  const path = join(cwd, 'sealift.yaml')
  const document = await readYaml(path).catch((error: unknown) => {
    // A project that is not YAML is the business of `build`, which says where.
    if (isFailure(error, 'SETTINGS_INVALID')) return undefined
    throw error
  })
  const section =
    typeof document === 'object' && document !== null ? (document as { settings?: unknown }).settings : {}
  return fileSettings(section ?? {}, `${path}, settings`, true)
}

/** The members of a settings file, strictly. @throws SETTINGS_INVALID */
export function fileSettings(document: unknown, where: string, isProject: boolean): Settings {
  if (document === undefined || document === null) return {}
  if (typeof document !== 'object' || Array.isArray(document)) {
    throw failure('SETTINGS_INVALID', `${where}: it is not a list of names and values`)
  }
  const found: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(document)) {
    if (!(names as string[]).includes(name)) {
      throw failure(
        'SETTINGS_INVALID',
        `${where}: there is no setting ${JSON.stringify(name)}; there is ${names.join(', ')}`,
      )
    }
    if (isProject && !readings[name as keyof Settings].inProject) {
      throw failure('SETTINGS_INVALID', `${where}: ${name} is for the user to set, not for a project`)
    }
    found[name] = checked(name as keyof Settings, value, where)
  }
  return found
}

function checked(name: keyof Settings, value: unknown, where: string): unknown {
  const read = readings[name].read(value)
  if (read !== undefined) return read
  throw failure('SETTINGS_INVALID', `${where}: ${name} must be ${readings[name].expects}`)
}

async function readYaml(path: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch {
    return undefined
  }
  const { parse } = await import('yaml')
  try {
    return parse(text)
  } catch (cause) {
    throw failure('SETTINGS_INVALID', `${path} is not YAML: ${(cause as Error).message.split('\n')[0]}`, {
      cause,
    })
  }
}
