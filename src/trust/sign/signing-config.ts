import { type Json, limits, parseJson } from '#base/index.ts'
import { isObject } from '#oci/index.ts'
import { failure } from '../codes.ts'

/** Which services are asked for one signature. */
export interface SigningServices {
  /** The certificate authority for keyless signing. */
  readonly fulcioUrl?: string
  readonly logs: readonly { readonly url: string; readonly version: 1 | 2 }[]
  readonly timeStampUrls: readonly string[]
}

const mediaType = 'application/vnd.dev.sigstore.signingconfig.v0.2+json'

interface Service {
  readonly url: string
  readonly majorApiVersion: number
  readonly operator: string
  /** Milliseconds since 1970. */
  readonly start: number
}

/**
 * Chooses services from a Sigstore signing configuration (protobuf-specs, sigstore_trustroot.proto, SigningConfig
 * v0.2): those good at `at` of a version that is known here, of each operator the newest, the latest begun first, and
 * of these one (ANY), so many (EXACT) or all of them (ALL).
 *
 * @throws SIGNING_CONFIG_INVALID, also where it asks for more than there is
 */
export function parseSigningConfig(bytes: Uint8Array, at: Date): SigningServices {
  const config = objectIn(bytes)
  if (config.mediaType !== mediaType) {
    throw invalid(`its mediaType is not ${mediaType}`)
  }
  const [authority] = usable(config.caUrls, 'caUrls', [1], at)
  const logs = chosen(config, 'rekorTlogUrls', 'rekorTlogConfig', [1, 2], at)
  const stamps = chosen(config, 'tsaUrls', 'tsaConfig', [1], at)
  return {
    ...(authority && { fulcioUrl: authority.url }),
    logs: logs.map(({ url, majorApiVersion }) => ({ url, version: majorApiVersion as 1 | 2 })),
    timeStampUrls: stamps.map(({ url }) => url),
  }
}

function objectIn(bytes: Uint8Array): { readonly [key: string]: Json } {
  let value: Json
  try {
    value = parseJson(bytes, { maxBytes: limits.answerBytes })
  } catch (cause) {
    throw invalid((cause as Error).message)
  }
  if (!isObject(value)) throw invalid('it is not a JSON object')
  return value
}

function chosen(
  config: { readonly [key: string]: Json },
  listName: string,
  rule: string,
  versions: readonly number[],
  at: Date,
): readonly Service[] {
  const found = usable(config[listName], listName, versions, at)
  const settings = config[rule] ?? {}
  if (!isObject(settings)) throw invalid(`${rule} is not an object`)
  const { selector = 'ANY', count } = settings
  if (selector === 'ALL') return found
  if (selector === 'ANY') return found.slice(0, 1)
  if (selector !== 'EXACT' || typeof count !== 'number' || !Number.isInteger(count) || count < 1) {
    throw invalid(`${rule} has no selector that is known (ANY, ALL, or EXACT with a count)`)
  }
  if (found.length < count) throw invalid(`${rule} asks for ${count}, but ${listName} has ${found.length}`)
  return found.slice(0, count)
}

function usable(
  value: Json | undefined,
  listName: string,
  versions: readonly number[],
  at: Date,
): readonly Service[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw invalid(`${listName} is not a list`)
  const byOperator = new Map<string, Service>()
  for (const item of value) {
    const service = serviceIn(item, listName, at)
    if (!service || !versions.includes(service.majorApiVersion)) continue
    const key = service.operator || service.url
    const held = byOperator.get(key)
    if (!held || isBetter(service, held)) byOperator.set(key, service)
  }
  return [...byOperator.values()].sort((a, b) => b.start - a.start)
}

const isBetter = (one: Service, other: Service): boolean =>
  one.majorApiVersion === other.majorApiVersion
    ? one.start > other.start
    : one.majorApiVersion > other.majorApiVersion

/** Undefined where it is not its time. */
function serviceIn(value: Json, listName: string, at: Date): Service | undefined {
  if (!isObject(value)) throw invalid(`an entry of ${listName} is not an object`)
  const { url, majorApiVersion, validFor = {}, operator = '' } = value
  if (typeof url !== 'string' || typeof majorApiVersion !== 'number' || typeof operator !== 'string') {
    throw invalid(`an entry of ${listName} lacks its url or majorApiVersion`)
  }
  if (!isObject(validFor)) throw invalid(`validFor of ${url} is not an object`)
  const start = timeOf(validFor.start, url, Number.NEGATIVE_INFINITY)
  const end = timeOf(validFor.end, url, Number.POSITIVE_INFINITY)
  if (at.getTime() < start || at.getTime() > end) return undefined
  return { url, majorApiVersion, operator, start: Number.isFinite(start) ? start : 0 }
}

function timeOf(value: Json | undefined, url: string, absent: number): number {
  if (value === undefined || value === null) return absent
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN
  if (Number.isNaN(time)) throw invalid(`validFor of ${url} holds no time`)
  return time
}

const invalid = (why: string) =>
  failure('SIGNING_CONFIG_INVALID', `the signing configuration is broken: ${why}`)
