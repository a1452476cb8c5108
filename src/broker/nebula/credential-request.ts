import { type LeaseLimits, leaseLimits } from '#base/index.ts'
import { isHostName, type Network, parseAddress, parseNetwork } from '../leases/index.ts'
import type { NebulaVersion } from './certificate.ts'
import { failure } from './codes.ts'

/** What a guest asks for: the parameters of the query, taken apart. */
export interface CredentialRequest {
  readonly name: string
  readonly address?: { readonly family: 4 | 6; readonly address: bigint; readonly bits?: number }
  readonly durationMs?: number
  readonly groups: readonly string[]
  readonly unsafeNetworks: readonly Network[]
  readonly version?: NebulaVersion
  readonly publicKey?: Uint8Array
  readonly signature?: Uint8Array
}

const known = ['name', 'ip', 'duration', 'groups', 'subnets', 'version', 'public-key', 'signature']

/**
 * Trustee's parameters (`name`, `ip`, `duration`, `groups`, `subnets`) and ours: `version`, and `public-key` and
 * `signature` in base64url. A parameter that is not known is refused: a guest that misspells one must not get more, or
 * something else, than it meant.
 *
 * @throws NEBULA_REQUEST_INVALID
 */
export function parseCredentialRequest(
  query: Readonly<Record<string, string>>,
  limits: LeaseLimits = leaseLimits,
): CredentialRequest {
  const other = Object.keys(query).find((name) => !known.includes(name))
  if (other !== undefined) throw invalid(`a parameter of the query is none of ${known.join(', ')}`)
  const { name = '', ip, duration, version, signature } = query
  const publicKey = query['public-key']
  if (!isHostName(name, limits.nameLength)) throw invalid('the name is none that a host can have')
  if (version !== undefined && version !== '1' && version !== '2') throw invalid('the version is 1 or 2')
  return {
    name,
    ...(ip !== undefined && { address: addressOf(ip) }),
    ...(duration !== undefined && { durationMs: parseDuration(duration) }),
    groups: groupsOf(query.groups, limits),
    unsafeNetworks: listOf(query.subnets, limits).map((text) => attempt('subnets', () => parseNetwork(text))),
    ...(version !== undefined && { version: version === '1' ? 1 : 2 }),
    ...(publicKey !== undefined && { publicKey: bytesOf('public-key', publicKey) }),
    ...(signature !== undefined && { signature: bytesOf('signature', signature) }),
  }
}

const unitMs = { h: 3_600_000, m: 60_000, s: 1000 } as const

/** Go's way of writing a time (`8760h`, `1h30m`), in milliseconds, as far as whole seconds. @throws NEBULA_REQUEST_INVALID */
export function parseDuration(text: string): number {
  const parts = text.length <= 32 ? /^(\d+h)?(\d+m)?(\d+s)?$/.exec(text)?.slice(1) : undefined
  const given = parts?.filter((part) => part !== undefined) ?? []
  if (given.length === 0) throw invalid('the duration is none: write it as 8760h, 30m or 1h30m')
  const ms = given.reduce(
    (sum, part) => sum + Number(part.slice(0, -1)) * unitMs[part.slice(-1) as keyof typeof unitMs],
    0,
  )
  if (!Number.isSafeInteger(ms)) throw invalid('the duration is too long')
  return ms
}

function addressOf(text: string): NonNullable<CredentialRequest['address']> {
  return attempt('ip', () => (text.includes('/') ? parseNetwork(text) : parseAddress(text)))
}

function groupsOf(text: string | undefined, limits: LeaseLimits): string[] {
  const groups = listOf(text, limits)
  // What a log, a policy or a firewall rule of a node could take for something else is no name.
  if (groups.some((group) => group.length > limits.groupLength || /[\p{C}\p{Zl}\p{Zp}]/u.test(group)))
    throw invalid(`a group has more than ${limits.groupLength} characters, or one that cannot be printed`)
  return groups
}

function listOf(text: string | undefined, { requestEntries }: LeaseLimits): string[] {
  if (text === undefined || text === '') return []
  const entries = text.split(',', requestEntries + 1).map((entry) => entry.trim())
  if (entries.length > requestEntries) throw invalid(`a list has more than ${requestEntries} entries`)
  if (entries.includes('')) throw invalid('a list has an entry without a name')
  // Order means nothing, and neither does saying a thing twice.
  return [...new Set(entries)].sort()
}

function bytesOf(name: string, text: string): Uint8Array {
  const bytes = Buffer.from(text.slice(0, 1024), 'base64url')
  if (bytes.toString('base64url') !== text) throw invalid(`${name} is not base64url`)
  return bytes
}

function attempt<T>(name: string, parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    throw invalid(`${name} holds what is no address or network`, cause)
  }
}

const invalid = (reason: string, cause?: unknown) => failure('NEBULA_REQUEST_INVALID', reason, { cause })
