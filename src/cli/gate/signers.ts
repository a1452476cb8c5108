import { basename, resolve } from 'node:path'
import { type Json, limits, parseJson } from '#base/index.ts'
import type { Subject, WithProofs } from '#gate/index.ts'
import { parsePublicKey, publicKeyPem } from '#keys/index.ts'
import {
  judgeAll,
  matchesIdentity,
  type PreparedTrust,
  type ProofFacts,
  prepareTrust,
  type RefusedProof,
  type TrustedKey,
  type TrustMaterial,
} from '#trust/index.ts'
import { failure } from '../codes.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import type { Settings } from '../settings.ts'
import type { SignerFlags } from './signer-flags.ts'
import { storedTrust } from './stored-trust.ts'

/** Who must have signed, and what shows it. */
export interface WantedSigners {
  readonly trust: PreparedTrust
  isWanted(facts: ProofFacts): boolean
}

/** What was found out about one root. */
export interface SignedSubject {
  readonly reference: string
  readonly digest: string
  /** Good proofs of wanted signers. */
  readonly by: readonly ProofFacts[]
  /** Good proofs of others. */
  readonly others: readonly ProofFacts[]
  readonly refused: readonly RefusedProof[]
}

/** @throws USAGE, KEY_INVALID, TRUST_ROOT_INVALID, IDENTITY_PATTERN_INVALID, FILE_SYSTEM */
export async function wantedSigners(
  context: Context,
  settings: Settings,
  flags: SignerFlags,
): Promise<WantedSigners> {
  const { identity, identityPattern, issuer, issuerPattern } = flags
  const hasIdentity = identity !== undefined || identityPattern !== undefined
  if (hasIdentity && issuer === undefined && issuerPattern === undefined) {
    throw failure('USAGE', 'an identity says nothing without the issuer that vouches for it', {
      hint: 'Add --issuer URL (or --issuer-pattern).',
    })
  }
  const trust = prepareTrust(await materialOf(context, settings, flags))
  const wanted = {
    ...(identity !== undefined && { identity }),
    ...(identityPattern !== undefined && { identityPattern }),
    ...(issuer !== undefined && { issuer }),
    ...(issuerPattern !== undefined && { issuerPattern }),
  }
  return {
    trust,
    isWanted: (facts) =>
      facts.signer.kind === 'key' ? flags.key !== undefined : hasIdentity && matchesIdentity(facts, wanted),
  }
}

async function materialOf(context: Context, settings: Settings, flags: SignerFlags): Promise<TrustMaterial> {
  const keys = await Promise.all(
    (flags.key ?? []).map(async (path): Promise<TrustedKey> => {
      const key = parsePublicKey(await readWhole(resolve(context.cwd, path), limits.keyBytes))
      return { name: basename(path), pem: publicKeyPem(key) }
    }),
  )
  if (flags.trustedRoot === undefined) {
    const stored = await storedTrust(context, settings)
    return { ...stored, keys }
  }
  const roots = await Promise.all(
    flags.trustedRoot.map(async (path) => ({
      name: basename(path),
      root: await readJsonFile(resolve(context.cwd, path)),
    })),
  )
  return { keys, roots }
}

async function readJsonFile(path: string): Promise<Json> {
  return parseJson(await readWhole(path, limits.manifestBytes), { maxBytes: limits.manifestBytes })
}

/** Judges all that proves a subject, or what holds it. */
export function judgeSigners(subject: Subject, { trust, isWanted }: WantedSigners, at: Date): SignedSubject {
  const judged = [subject, ...(subject.within ?? [])].map(({ digest, mediaType, proofs }: WithProofs) =>
    judgeAll({ digest, mediaType }, proofs, trust, at),
  )
  const good = judged.flatMap(({ signatures }) => signatures)
  return {
    reference: subject.reference,
    digest: subject.digest,
    by: good.filter(isWanted),
    others: good.filter((facts) => !isWanted(facts)),
    refused: judged.flatMap(({ refused }) => refused),
  }
}

/** The refusals of others' proofs that tell most, the first ones first: what a person should know of a failure. */
const telling = [
  'REVOKED',
  'CERTIFICATE_EXPIRED',
  'KEY_EXPIRED',
  'KEY_NOT_YET_VALID',
  'CERTIFICATE_NOT_YET_VALID',
  'SUBJECT_MISMATCH',
  'SIGNATURE_INVALID',
  'NOT_IN_LOG',
  'LOG_PROOF_INVALID',
]

/** Why nobody who is wanted has signed: with the code of the refusal where a proof was refused. */
export function unsigned({ reference, digest, others, refused }: SignedSubject) {
  const said = `nobody whom you named has signed ${reference} (${digest})`
  const who = others.map(({ signer }) => (signer.kind === 'key' ? `key ${signer.name}` : signer.identity))
  if (others.length > 0) {
    return { code: 'IDENTITY_MISMATCH', message: `${said}; ${[...new Set(who)].join(', ')} has` }
  }
  const sorted = [...refused].sort((a, b) => rank(a.code) - rank(b.code))
  const [first] = sorted
  if (!first) return { code: 'SIGNATURE_ABSENT', message: `${said}: there is no signature` }
  return { code: first.code, message: `${said}: ${sorted.map(({ message }) => message).join('; ')}` }
}

const rank = (code: string): number => {
  const at = telling.indexOf(code)
  return at < 0 ? telling.length : at
}
