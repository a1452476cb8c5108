import { isFailure, leaseLimits } from '#base/index.ts'
import type { NebulaConfiguration } from '../configuration/types.ts'
import { type AddressPool, contains, createPool, type Network, parseNetwork } from '../leases/index.ts'
import { failure } from './codes.ts'

const hourMs = 3_600_000

/** What a configuration comes to, with the defaults. @throws NEBULA_CONFIGURATION_INVALID */
export function nebulaTerms(configuration: NebulaConfiguration) {
  const { name, curve = 'CURVE25519', authorityDays = 1095, announceHours = 24 } = configuration
  const pool = poolOf(configuration)
  // Version 1 is read by every Nebula, and knows IPv4 alone.
  const { version = pool.range.family === 4 ? 1 : 2 } = configuration
  const networks = configuration.networks ? networksOf('networks', configuration.networks) : [pool.range]
  const longestMs = Math.round((configuration.longestHours ?? 8760) * hourMs)
  const defaultMs = Math.min(Math.round((configuration.defaultHours ?? 24) * hourMs), longestMs)
  const announceMs = Math.round(announceHours * hourMs)
  const authorityMs = authorityDays * 24 * hourMs
  if (name === '' || Buffer.byteLength(name) > 253)
    throw invalid('the name of the authority has 1 to 253 bytes')
  if (networks.some(({ address }) => address === 0n)) throw invalid('no network begins at the zero address')
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
