import type { KeyObject } from 'node:crypto'
import {
  canonicalJson,
  type Json,
  type LeaseLimits,
  leaseLimits,
  parseJson,
  SealiftError,
} from '#base/index.ts'
import { privateKeySigner } from '#keys/index.ts'
import { type NebulaAuthority, openNebulaAuthority } from './authority.ts'
import { nebulaPem, parseNebulaPem } from './certificate.ts'
import { failure } from './codes.ts'
import { possessionKey } from './possession.ts'
import { parseNebulaSigningKey } from './signing-key.ts'

/** One authority in the state. Times are milliseconds since 1970. */
export interface KeptAuthority {
  readonly authority: NebulaAuthority
  /** Its private key as nebula-cert writes it: the state is sealed. */
  readonly key: string
  /** Made from its key; of authorities on CURVE25519 (`possessionKey`). */
  readonly possession?: KeyObject
  /** It is trusted from here on, and issues from there on. */
  readonly announced: number
  readonly issues: number
  /** The longest that anything may have been issued for under it. */
  readonly longestMs: number
}

const members = ['announced', 'certificate', 'issues', 'key', 'longestMs']
const isTime = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isObject = (value: Json): value is { [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** One record for all of them, so that one compare-and-set decides who made the next. */
export const formatAuthorities = (kept: readonly KeptAuthority[]): Uint8Array =>
  canonicalJson({
    version: 1,
    authorities: kept.map(({ authority, key, announced, issues, longestMs }) => ({
      certificate: nebulaPem(authority.certificate),
      key,
      announced,
      issues,
      longestMs,
    })),
  })

/** In the order in which they issue. @throws NEBULA_STATE_INVALID, which tells nothing of what is there */
export async function parseAuthorities(
  value: Uint8Array,
  limits: LeaseLimits = leaseLimits,
): Promise<readonly KeptAuthority[]> {
  try {
    const document = parseJson(value, { maxBytes: limits.recordBytes })
    if (!isObject(document) || document.version !== 1 || !Array.isArray(document.authorities)) throw invalid()
    const { authorities } = document
    if (authorities.length === 0 || authorities.length > limits.authorities) throw invalid()
    const kept: KeptAuthority[] = []
    for (const entry of authorities) kept.push(await parseOne(entry))
    if (kept.some(({ issues }, i) => i > 0 && issues < kept[i - 1]!.issues)) throw invalid()
    return kept
  } catch (error) {
    // A parser's message could tell of a key.
    if (error instanceof SealiftError) throw invalid()
    throw error
  }
}

async function parseOne(entry: Json): Promise<KeptAuthority> {
  if (!isObject(entry) || Object.keys(entry).sort().join() !== members.join()) throw invalid()
  const { certificate, key, announced, issues, longestMs } = entry
  if (typeof certificate !== 'string' || typeof key !== 'string') throw invalid()
  if (!isTime(announced) || !isTime(issues) || !isTime(longestMs)) throw invalid()
  const [found, ...more] = parseNebulaPem(certificate)
  if (!found || more.length > 0) throw invalid()
  const { curve, privateKey } = await parseNebulaSigningKey(key)
  return {
    authority: openNebulaAuthority(found, privateKeySigner(privateKey)),
    key,
    ...(curve === 'CURVE25519' && { possession: possessionKey(privateKey) }),
    announced,
    issues,
    longestMs,
  }
}

const invalid = () =>
  failure('NEBULA_STATE_INVALID', 'what the state holds for the Nebula authorities cannot be read')
