import { type PkiLimits, pkiLimits } from '#base/index.ts'
import type { CertificateUsage } from '#keys/index.ts'
import type { PkiConfiguration, PkiProfile } from '../configuration/types.ts'
import { failure } from './codes.ts'
import { addressPattern, type HostPattern, hostPattern } from './name-patterns.ts'

/** A profile of the configuration, ready to be asked. */
export interface Profile {
  readonly name: string
  readonly usages: readonly CertificateUsage[]
  readonly defaultMs: number
  readonly longestMs: number
  readonly spiffe: boolean
  readonly exclusiveNames: boolean
  permitsHost(name: string, identity: string): boolean
  permitsAddress(address: string): boolean
}

const hourMs = 3_600_000
const defaultProfiles: Readonly<Record<string, PkiProfile>> = { guest: { use: ['client'] } }

/** The profiles by name; `guest` where the configuration has none. @throws PKI_CONFIGURATION_INVALID */
export function readProfiles(
  { profiles = defaultProfiles }: Pick<PkiConfiguration, 'profiles'>,
  limits: PkiLimits = pkiLimits,
): ReadonlyMap<string, Profile> {
  const entries = Object.entries(profiles)
  if (entries.length > limits.profiles) throw invalid(`more than ${limits.profiles} profiles`)
  return new Map(entries.map(([name, profile]) => [name, readProfile(name, profile, limits)]))
}

function readProfile(name: string, profile: PkiProfile, limits: PkiLimits): Profile {
  const { use, hours = 1, longestHours = Math.max(24, hours), dns = [], ip = [] } = profile
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/.test(name)) {
    throw invalid(`${JSON.stringify(name.slice(0, 64))} is no name of a profile`)
  }
  const [defaultMs, longestMs] = [hours * hourMs, longestHours * hourMs]
  const isInOrder = defaultMs >= limits.shortestMs && defaultMs <= longestMs && longestMs <= limits.longestMs
  if (!isInOrder) {
    throw invalid(
      `the profile ${name} lasts neither ${limits.shortestMs / 60_000} min at least nor up to its longestHours`,
    )
  }
  if (dns.length + ip.length > limits.patterns)
    throw invalid(`more than ${limits.patterns} patterns in ${name}`)
  if (use.length === 0) throw invalid(`the profile ${name} is for nothing: "use" is client, server or both`)
  const spiffe = profile.spiffe ?? true
  if (!spiffe && dns.length + ip.length === 0) throw invalid(`certificates of ${name} would be for nobody`)
  const hosts: readonly HostPattern[] = dns.map(hostPattern)
  const addresses = ip.map(addressPattern)
  return {
    name,
    usages: [...new Set(use)].sort(),
    defaultMs,
    longestMs,
    spiffe,
    exclusiveNames: profile.exclusiveNames ?? false,
    permitsHost: (host, identity) => hosts.some((permits) => permits(host, identity)),
    permitsAddress: (address) => addresses.some((permits) => permits(address)),
  }
}

const invalid = (why: string) => failure('PKI_CONFIGURATION_INVALID', why)
