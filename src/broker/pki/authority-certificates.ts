// The certificates of the PKI's own authorities: roots, intermediates, and roots that older roots vouch for.
import { createPrivateKey, type KeyObject } from 'node:crypto'
import {
  type CertificateAuthority,
  createAuthority,
  generateKeyPair,
  type KeyPair,
  openAuthority,
  type PublicKey,
  type Randomness,
  type Validity,
} from '#keys/index.ts'
import type { PkiConfiguration } from '../configuration/types.ts'
import { failure } from './codes.ts'

/** An authority with its private key. */
export interface OpenAuthority {
  readonly id: string
  readonly authority: CertificateAuthority
  readonly key: KeyObject
}

export const dayMs = 86_400_000
/** Certificates begin so much in the past: clocks differ. */
const slackMs = 5 * 60_000

export interface AuthorityPlan {
  readonly trustDomain: string
  readonly keys: NonNullable<PkiConfiguration['keys']>
  readonly rootMs: number
  readonly intermediateMs: number
  readonly random: Randomness
}

/** A key as the PKI makes it, for itself and for guests. */
export const makeKey = (keys: AuthorityPlan['keys']): Promise<KeyPair> =>
  generateKeyPair(keys === 'rsa-3072' ? 'rsa' : keys, 3072)

/** Below a root there are newer roots, intermediates, and what those issue. */
export async function makeRoot(plan: AuthorityPlan, at: Date): Promise<OpenAuthority> {
  const { privateKey: key, publicKey } = await makeKey(plan.keys)
  const id = idOf(publicKey)
  const authority = await createAuthority({
    subject: nameOf(plan, 'Root', id),
    key,
    pathLength: 2,
    uris: [domainOf(plan)],
    notBefore: new Date(at.getTime() - slackMs),
    notAfter: new Date(at.getTime() + plan.rootMs),
    random: plan.random,
  })
  return { id, authority, key }
}

export async function makeIntermediate(
  plan: AuthorityPlan,
  root: CertificateAuthority,
  at: Date,
): Promise<OpenAuthority> {
  const { privateKey: key, publicKey } = await makeKey(plan.keys)
  const id = idOf(publicKey)
  const { der } = await root.issue({
    subject: nameOf(plan, 'Intermediate', id),
    publicKey,
    uris: [domainOf(plan)],
    ca: { pathLength: 0 },
    ...within(root.validity, at, plan.intermediateMs),
  })
  return { id, authority: openAuthority(der, key, plan.random), key }
}

/** The certificate by which whoever trusts the old root trusts the new one. DER. */
export async function crossCertificate(
  plan: AuthorityPlan,
  old: CertificateAuthority,
  next: OpenAuthority,
  at: Date,
): Promise<Uint8Array> {
  const { der } = await old.issue({
    subject: nameOf(plan, 'Root', next.id),
    publicKey: next.authority.publicKey,
    uris: [domainOf(plan)],
    ca: { pathLength: 1 },
    ...within(old.validity, at, plan.rootMs),
  })
  return der
}

/** @throws PKI_STATE_INVALID */
export function reopen(
  record: { readonly id: string; readonly certificate: string; readonly key: string },
  random: Randomness,
): OpenAuthority {
  try {
    const pkcs8 = { key: Buffer.from(record.key, 'base64'), format: 'der', type: 'pkcs8' } as const
    const key = createPrivateKey(pkcs8)
    return {
      id: record.id,
      authority: openAuthority(Buffer.from(record.certificate, 'base64'), key, random),
      key,
    }
  } catch {
    // No cause: nothing of a private key may get into a message.
    throw failure('PKI_STATE_INVALID', `the authority ${record.id} in the state cannot be opened`)
  }
}

export const pkcs8Of = (key: KeyObject): string =>
  key.export({ format: 'der', type: 'pkcs8' }).toString('base64')

const idOf = ({ id }: PublicKey): string => id.slice(0, 16)

const domainOf = ({ trustDomain }: AuthorityPlan): string => `spiffe://${trustDomain}`

/** Another name for each: revocation lists are found by the name of their issuer. */
const nameOf = ({ trustDomain }: AuthorityPlan, what: string, id: string) => ({
  // RFC 5280 appendix A.1: an organization has at most 64 characters.
  ...(trustDomain.length <= 64 && { organization: trustDomain }),
  commonName: `${what} ${id}`,
})

const within = ({ notBefore, notAfter }: Validity, at: Date, lifeMs: number): Validity => ({
  notBefore: new Date(Math.max(notBefore.getTime(), at.getTime() - slackMs)),
  notAfter: new Date(Math.min(notAfter.getTime(), at.getTime() + lifeMs)),
})
