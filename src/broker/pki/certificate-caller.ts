import { createHash, timingSafeEqual, X509Certificate } from 'node:crypto'
import { type Json, Lru, limits, type PkiLimits } from '#base/index.ts'
import type { Caller } from '../types.ts'
import type { Authorities } from './authorities.ts'
import type { IssuedCertificates } from './issued-certificates.ts'
import type { IssuedRecord } from './records.ts'
import type { Revocations } from './revocations.ts'

type CertificateCaller = Extract<Caller, { kind: 'certificate' }>

export interface CertificateCallersTerms {
  readonly trustDomain: string
  readonly authorities: Authorities
  readonly issued: IssuedCertificates
  readonly revocations: Revocations
  readonly refreshMs: number
  readonly limits: PkiLimits
}

interface Known {
  readonly caller: CertificateCaller
  readonly issuer: string
  readonly serial: string
  readonly notBefore: number
  readonly notAfter: number
  readonly at: number
}

/** Extended key usage `id-kp-clientAuth` (RFC 5280 section 4.2.1.12). */
const clientAuth = '1.3.6.1.5.5.7.3.2'

/** Guests by the certificates that this PKI gave them. */
export class CertificateCallers {
  readonly #terms: CertificateCallersTerms
  readonly #known: Lru<string, Known>

  constructor(terms: CertificateCallersTerms) {
    this.#terms = terms
    this.#known = new Lru(terms.limits.callers)
  }

  /**
   * Whose certificate this is, where it was issued here for clients, with a SPIFFE ID of our domain, counts at this
   * moment and was not revoked; undefined for any other, whatever its bytes are. That the peer holds its key has been
   * proved before, by TLS. A revocation by another replica counts within `refreshMs`.
   */
  async find(der: Uint8Array, at: Date, signal?: AbortSignal): Promise<CertificateCaller | undefined> {
    if (der.length > limits.derBytes) return undefined
    const digest = createHash('sha256').update(der).digest('base64')
    const before = this.#known.get(digest)
    const isFresh = before && Math.abs(at.getTime() - before.at) < this.#terms.refreshMs
    const known = isFresh ? before : await this.#verify(der, at, signal)
    if (!known || !(await this.#counts(known, at, signal))) return undefined
    if (!isFresh) this.#known.set(digest, known)
    return known.caller
  }

  async #counts({ notBefore, notAfter, issuer, serial }: Known, at: Date, signal?: AbortSignal) {
    if (at.getTime() < notBefore || at.getTime() > notAfter) return false
    const { intermediates } = await this.#terms.authorities.at(at, signal)
    if (!intermediates.some(({ id }) => id === issuer)) return false
    return !(await this.#terms.revocations.serials(issuer, at)).has(serial)
  }

  async #verify(der: Uint8Array, at: Date, signal?: AbortSignal): Promise<Known | undefined> {
    const certificate = parse(der)
    if (!certificate || certificate.ca || !certificate.keyUsage?.includes(clientAuth)) return undefined
    const { intermediates } = await this.#terms.authorities.at(at, signal)
    const issuer = intermediates.find(({ authority }) => certificate.verify(authority.publicKey.key))
    if (!issuer) return undefined
    const serial = certificate.serialNumber.toLowerCase()
    const record = await this.#terms.issued.read(serial, certificate.validToDate.getTime(), signal)
    // The record says whom it is for, and what our authorities signed without a record was not given out.
    if (record?.issuer !== issuer.id || !isSame(der, record) || !this.#isOurs(record)) return undefined
    const { notBefore, notAfter } = record
    return { caller: callerOf(record), issuer: issuer.id, serial, notBefore, notAfter, at: at.getTime() }
  }

  #isOurs = ({ spiffe }: IssuedRecord): boolean =>
    spiffe?.startsWith(`spiffe://${this.#terms.trustDomain}/guest/`) ?? false
}

function parse(der: Uint8Array): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(der)
    // Node passes over what stands behind a certificate: those bytes would be another name for the same.
    return certificate.raw.equals(der) ? certificate : undefined
  } catch {
    return undefined
  }
}

function isSame(der: Uint8Array, { certificate }: IssuedRecord): boolean {
  const recorded = Buffer.from(certificate, 'base64')
  return recorded.length === der.length && timingSafeEqual(recorded, der)
}

function callerOf(record: IssuedRecord): CertificateCaller {
  const { identity, spiffe, profile, serial, notBefore, notAfter, dns, ip, attested } = record
  const certificate = {
    spiffe,
    profile,
    serial,
    notBefore: new Date(notBefore).toISOString(),
    notAfter: new Date(notAfter).toISOString(),
    dns,
    ip,
  }
  return { kind: 'certificate', identity, claims: { certificate, attested: attested as Json } }
}
