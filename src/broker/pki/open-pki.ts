import { randomBytes } from 'node:crypto'
import { type PkiLimits, pkiLimits } from '#base/index.ts'
import type { Randomness } from '#keys/index.ts'
import type { PkiConfiguration } from '../configuration/types.ts'
import type { AdminHandlers } from '../face.ts'
import type { Caller, IdentityOf, Plugin, SecretStore } from '../types.ts'
import { pkiAdministration } from './admin.ts'
import { Authorities, type AuthoritySet, type Rotation } from './authorities.ts'
import { dayMs } from './authority-certificates.ts'
import { checkTrustDomain } from './caller-names.ts'
import { CertificateCallers } from './certificate-caller.ts'
import { failure } from './codes.ts'
import { ExclusiveNames } from './exclusive-names.ts'
import { IssuedCertificates } from './issued-certificates.ts'
import { pkiPlugin } from './plugin.ts'
import { readProfiles } from './profiles.ts'
import { Records } from './records.ts'
import { Revocations } from './revocations.ts'

export interface PkiOptions {
  /** Who a caller is by what stays the same from one attestation to the next. */
  readonly identity: IdentityOf
  /** For so long a change by another replica may not be seen here yet. Default 5 s. */
  readonly refreshMs?: number
  readonly random?: Randomness
  readonly limits?: PkiLimits
}

/** A PKI in a broker's state: what answers guests, what answers admins, and whose a client certificate is. */
export interface Pki {
  readonly plugin: Plugin
  readonly administration: AdminHandlers
  /**
   * Whose client certificate this is (DER), where this PKI issued it and it counts; undefined for any other, and
   * where the configuration does not take client certificates. That the peer holds the key, TLS has proved.
   */
  certificateCaller(
    der: Uint8Array,
    at: Date,
    signal?: AbortSignal,
  ): Promise<Extract<Caller, { kind: 'certificate' }> | undefined>
  /** The authorities that are trusted, the newest of each kind first; made where there are none yet. */
  authorities(at: Date, signal?: AbortSignal): Promise<AuthoritySet>
  /** @throws PKI_TOO_MANY, PKI_BUSY */
  rotate(rotation: Rotation, at: Date, signal?: AbortSignal): Promise<void>
  /** Removes some of what has ended; issuing does that too, now and then. @returns how many certificates */
  sweep(at: Date, signal?: AbortSignal): Promise<number>
  /** About how many certificates have not ended, as far as this process knows. */
  readonly count: number
}

/**
 * Opens the PKI in a broker's state. Nothing is read or made before its first use; then one of all replicas makes
 * root and intermediate.
 *
 * @param store the sealed state: it holds the authorities' keys, all under `pki/`
 * @throws PKI_CONFIGURATION_INVALID
 */
export function openPki(store: SecretStore, configuration: PkiConfiguration, options: PkiOptions): Pki {
  const { identity, refreshMs = 5000, random = randomBytes, limits = pkiLimits } = options
  const { keys = 'ecdsa-p256', rootDays = 3650, intermediateDays = 365, crlAddress } = configuration
  const trustDomain = checkTrustDomain(configuration.trustDomain)
  if (crlAddress !== undefined && !isWebAddress(crlAddress))
    throw invalid('crlAddress is no address for http or https, with neither query nor fragment')
  const profiles = readProfiles(configuration, limits)
  const longestMs = Math.max(0, ...[...profiles.values()].map((profile) => profile.longestMs))
  // Each follows another when a third of its time is left: what it issues then must not outlast it.
  if (intermediateDays * dayMs < 3 * longestMs)
    throw invalid('an intermediate has to last three times as long as the longest certificate')
  if (rootDays < 3 * intermediateDays)
    throw invalid('a root has to last three times as long as an intermediate')
  const plan = {
    trustDomain,
    keys,
    rootMs: rootDays * dayMs,
    intermediateMs: intermediateDays * dayMs,
    random,
  }
  const records = new Records(store, limits)
  const authorities = new Authorities(records, plan, longestMs, refreshMs, limits)
  const names = new ExclusiveNames(records)
  const revocations = new Revocations(records, refreshMs, limits)
  const issued = new IssuedCertificates({ records, names, revocations, limits })
  const callers = new CertificateCallers({
    trustDomain,
    authorities,
    issued,
    revocations,
    refreshMs,
    limits,
  })

  const rotate: Pki['rotate'] = async (rotation, at, signal) => {
    const { retired, dropped } = await authorities.rotate(rotation, at, signal)
    for (const id of dropped) await revocations.forget(id, signal)
    if (!rotation.distrust) return
    const { certificate, validity } = retired.authority
    const entry = { serial: certificate.serial, until: validity.notAfter.getTime() }
    await revocations.add(retired.root, entry, 'key-compromise', at, signal)
  }

  const parts = { trustDomain, profiles, identity, limits, keys, authorities, issued, names, revocations }
  return {
    plugin: pkiPlugin({ ...parts, ...(crlAddress !== undefined && { crlAddress }) }),
    administration: pkiAdministration({ authorities, issued, revocations, rotate, limits }),
    certificateCaller: async (der, at, signal) =>
      configuration.clientCertificates === true ? await callers.find(der, at, signal) : undefined,
    authorities: (at, signal) => authorities.at(at, signal),
    rotate,
    sweep: (at, signal) => issued.sweep(at, signal),
    get count() {
      return issued.count
    },
  }
}

function isWebAddress(text: string): boolean {
  if (!/^https?:[!-~]+$/.test(text) || !URL.canParse(text)) return false
  const { username, password, search, hash } = new URL(text)
  return username + password + search + hash === ''
}

const invalid = (why: string) => failure('PKI_CONFIGURATION_INVALID', why)
