// Leases: a name and an address belong to one holder until the lease ends.
export { isHostName } from './host-name.ts'
export type { IssuedRecord } from './lease-records.ts'
export { type Lease, type LeaseRequest, Leases, type LeasesTerms } from './leases.ts'
export {
  addressBits,
  compareNetworks,
  contains,
  formatAddress,
  formatNetwork,
  isMapped,
  type Network,
  parseAddress,
  parseNetwork,
} from './network.ts'
export { type AddressPool, createPool, type PoolTerms } from './pool.ts'
export { RevocationList } from './revocation-list.ts'
