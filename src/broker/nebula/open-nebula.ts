import { jsonAt } from '#base/index.ts'
import type { NebulaConfiguration } from '../configuration/types.ts'
import type { AdminHandlers } from '../face.ts'
import { Leases } from '../leases/index.ts'
import type { Caller, IdentityOf, Plugin, SecretStore } from '../types.ts'
import { nebulaAdministration } from './admin.ts'
import { NebulaAuthorities } from './authorities.ts'
import { skewMs } from './authority-schedule.ts'
import { nebulaPlugin } from './plugin.ts'
import { nebulaTerms } from './terms.ts'

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

/** What ended is removed from the state so often. */
const sweepMs = 3_600_000

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
  const { pool, ...terms } = nebulaTerms(configuration)
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
