import { createHash } from 'node:crypto'
import { canonicalJson, type Json, jsonAt } from '#base/index.ts'
import type { Caller } from '../types.ts'
import type { TrustedIntermediate } from './authorities.ts'
import { type AuthorityPlan, makeKey, pkcs8Of } from './authority-certificates.ts'
import type { IssuedRecord } from './records.ts'
import type { Wish } from './wish.ts'

/** Clocks of peers may be late by so much. */
const slackMs = 60_000
/** Devices of one guest whose status is remembered. */
const mostStatuses = 64

/**
 * What tells two requests of one identity apart, in 128 bits: all that ends in the certificate, and what its record says
 * of the evidence. Of two guests that were started with the same, the one whose platform is worse gets no certificate
 * that says the better.
 */
export function requestDigest({ profile, spiffe, dns, ip, lifeMs, publicKey }: Wish, caller: Caller): string {
  const asked = {
    profile: profile.name,
    usages: [...profile.usages],
    spiffe: spiffe ?? null,
    dns: [...dns],
    ip: [...ip],
    lifeMs,
    keyId: publicKey?.id ?? null,
    evidence: evidenceSummary(caller),
  }
  return createHash('sha256').update(canonicalJson(asked)).digest('hex').slice(0, 32)
}

/**
 * A certificate as it was wished for, with a key that is made here where the guest has none.
 *
 * @param crlUrl where the list of the issuer is found
 */
export async function issueCertificate(
  { id, authority }: TrustedIntermediate,
  wish: Wish,
  keys: AuthorityPlan['keys'],
  caller: Caller,
  at: Date,
  crlUrl: string | undefined,
): Promise<IssuedRecord> {
  const made = wish.publicKey ? undefined : await makeKey(keys)
  const publicKey = wish.publicKey ?? made!.publicKey
  const { notBefore: first, notAfter: last } = authority.validity
  const notBefore = wholeSeconds(Math.max(at.getTime() - slackMs, first.getTime()))
  const notAfter = wholeSeconds(Math.min(at.getTime() + wish.lifeMs, last.getTime()))
  const { serial, der } = await authority.issue({
    publicKey,
    usages: wish.profile.usages,
    dnsNames: wish.dns,
    ipAddresses: wish.ip,
    ...(wish.spiffe !== undefined && { uris: [wish.spiffe] }),
    ...(crlUrl !== undefined && { crlUrls: [crlUrl] }),
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
  })
  return {
    serial,
    issuer: id,
    identity: wish.identity,
    profile: wish.profile.name,
    spiffe: wish.spiffe ?? null,
    dns: [...wish.dns],
    ip: [...wish.ip],
    notBefore,
    notAfter,
    keyId: publicKey.id,
    certificate: Buffer.from(der).toString('base64'),
    key: made ? pkcs8Of(made.privateKey) : null,
    attested: { at: at.toISOString(), ...evidenceSummary(caller) },
  }
}

/** What a policy may want to know later of the evidence that a certificate was issued for, in a few words. */
function evidenceSummary(caller: Caller): { readonly [name: string]: Json } {
  const submods = caller.kind === 'guest' ? jsonAt(caller.claims, '/submods') : undefined
  const isObject = typeof submods === 'object' && submods !== null && !Array.isArray(submods)
  const status: Record<string, Json> = {}
  for (const [name, submod] of isObject ? Object.entries(submods).slice(0, mostStatuses) : []) {
    const tier = jsonAt(submod, '/ear.status')
    if (typeof tier === 'string' && tier.length <= 32 && name.length <= 64) status[name] = tier
  }
  const initData = isObject ? jsonAt(submods, '/cpu0/ear.veraison.annotated-evidence/init_data') : undefined
  const digest = typeof initData === 'string' && initData.length <= 256 ? initData : null
  return { status, init_data: digest }
}

const wholeSeconds = (ms: number): number => Math.floor(ms / 1000) * 1000
