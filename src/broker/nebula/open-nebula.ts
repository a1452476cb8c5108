import { isFailure, jsonAt, leaseLimits } from '#base/index.ts'
import type { NebulaConfiguration } from '../configuration/types.ts'
import type { AdminHandlers } from '../face.ts'
import {
  type AddressPool,
  contains,
  createPool,
  Leases,
  type Network,
  parseNetwork,
} from '../leases/index.ts'
import type { Caller, IdentityOf, Plugin, SecretStore } from '../types.ts'
import { nebulaAdministration } from './admin.ts'
import { NebulaAuthorities } from './authorities.ts'
import { skewMs } from './authority-schedule.ts'
import { failure } from './codes.ts'
import { nebulaPlugin } from './plugin.ts'

export interface NebulaOptions {
  readonly identity: IdentityOf
  /** The digest of a node key that a guest's evidence carries (`nodeKeyDigest`). Default: `attestedKeyDigest`. */
  readonly attestedKeyDigest?: (caller: Caller) => string | undefined
  readonly now?: () => Date
  /** For so long authorities and revocations by other replicas may not be seen here yet. Default 5 s, at most a minute. */
  readonly refreshMs?: number
}

/** The overlay network of a broker: what answers guests, and what answers admins. */
export interface Nebula extends AsyncDisposable {
  readonly plugin: Plugin
  readonly leases: Leases
  readonly authorities: NebulaAuthorities
  readonly administration: AdminHandlers
}

/** Where init-data says which node key is the guest's: a file of this name with the digest in hex. */
const keyDigestClaim = '/submods/cpu0/ear.veraison.annotated-evidence/init_data_claims/nebula.node-key'

/** The digest of a node key in what a guest was started with (its init-data), where its evidence vouches for that. */
export function attestedKeyDigest(caller: Caller): string | undefined {
  const digest = caller.kind === 'guest' ? jsonAt(caller.claims, keyDigestClaim) : undefined
  return typeof digest === 'string' ? digest.trim() : undefined
}

const hourMs = 3_600_000
/** What ended is removed from the state so often. */
const sweepMs = hourMs

/**
 * Opens the Nebula authorities, leases and revocations in a broker's state; the first authority is made where there is
 * none, by one of all replicas.
 *
 * @param store the sealed state: it holds the authorities' keys, under `nebula/`
 * @throws NEBULA_CONFIGURATION_INVALID, NEBULA_STATE_INVALID, NEBULA_BUSY, and what the store does
 */
export async function openNebula(
  store: SecretStore,
  configuration: NebulaConfiguration,
  {
    identity,
    attestedKeyDigest: digestOf = attestedKeyDigest,
    now = () => new Date(),
    ...options
  }: NebulaOptions,
): Promise<Nebula> {
  const { pool, ...terms } = termsOf(configuration)
  const refreshMs = Math.min(options.refreshMs ?? 5000, skewMs)
  const leases = new Leases({ store, prefix: 'nebula/leases', pool, refreshMs })
  const authorities = new NebulaAuthorities({ ...terms, store, key: 'nebula/authorities', refreshMs })
  await authorities.at(now())
  const plugin = nebulaPlugin({
    leases,
    authorities: (at, signal) => authorities.at(at, signal),
    identity,
    attestedKeyDigest: digestOf,
    defaultMs: terms.defaultMs,
    longestMs: terms.longestMs,
  })
  let lastSweep = performance.now()
  let sweeping: Promise<unknown> | undefined
  const sweep = (at: Date) => {
    if (sweeping || performance.now() - lastSweep < sweepMs) return
    lastSweep = performance.now()
    // What could not be removed now is removed the next time.
    sweeping = leases
      .sweep(at)
      .catch(() => {})
      .finally(() => {
        sweeping = undefined
      })
  }
  return {
    plugin: {
      ...plugin,
      async handle(request, at, signal) {
        const reply = await plugin.handle(request, at, signal)
        sweep(at)
        return reply
      },
    },
    leases,
    authorities,
    administration: nebulaAdministration(leases, authorities),
    async [Symbol.asyncDispose]() {
      await sweeping
    },
  }
}

/** @throws NEBULA_CONFIGURATION_INVALID */
function termsOf(configuration: NebulaConfiguration) {
  const { name, curve = 'CURVE25519', authorityDays = 1095, announceHours = 24 } = configuration
  const pool = poolOf(configuration)
  // Version 1 is read by every Nebula, and knows IPv4 alone.
  const { version = pool.range.family === 4 ? 1 : 2 } = configuration
  const networks = configuration.networks ? networksOf('networks', configuration.networks) : [pool.range]
  const longestMs = Math.round((configuration.longestHours ?? 8760) * hourMs)
  const defaultMs = Math.min(Math.round((configuration.defaultHours ?? 24) * hourMs), longestMs)
  const announceMs = Math.round(announceHours * hourMs)
  const authorityMs = authorityDays * 24 * hourMs
  if (!networks.some((network) => contains(network, pool.range)))
    throw invalid('the pool is in none of the networks of the authority')
  if (version === 1 && [pool.range, ...networks].some(({ family }) => family === 6))
    throw invalid('certificates of version 1 have no IPv6: use version 2')
  if (!(defaultMs >= 1000) || !(longestMs <= leaseLimits.leaseMs) || !(announceMs >= 0))
    throw invalid(`a credential lasts a second to ${leaseLimits.leaseMs / hourMs} hours`)
  if (!(authorityMs > longestMs + announceMs + 24 * hourMs)) {
    throw invalid(
      'an authority has to last a day longer than the longest credential and the time for which it is announced',
    )
  }
  return { name, version, curve, networks, pool, longestMs, defaultMs, announceMs, authorityMs }
}

function poolOf({ pool: { range, exclude = [] } }: NebulaConfiguration): AddressPool {
  const [whole] = networksOf('pool', [range])
  try {
    return createPool({ name: 'pool', range: whole!, exclude: networksOf('pool', exclude.map(withLength)) })
  } catch (error) {
    if (isFailure(error, 'POOL_INVALID')) throw invalid(error.message)
    throw error
  }
}

/** One address can be excluded without a length. */
const withLength = (text: string) => (text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`)

function networksOf(where: string, texts: readonly string[]): readonly Network[] {
  return texts.map((text) => {
    try {
      return parseNetwork(text)
    } catch (error) {
      if (isFailure(error, 'NETWORK_INVALID')) throw invalid(`${where}: ${error.message}`)
      throw error
    }
  })
}

const invalid = (reason: string) => failure('NEBULA_CONFIGURATION_INVALID', reason)
