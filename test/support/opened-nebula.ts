// A Nebula of a broker, opened over a store in memory, and what guests and admins ask it.
import type { Json } from '#base/index.ts'
import type { AdminRequest, Caller, NebulaConfiguration, PluginRequest } from '#broker/index.ts'
import { openNebula, parseNebulaPem } from '#broker/nebula/index.ts'
import { identityOf } from '../../src/broker/identity.ts'
import { MemorySecretStore } from './memory-secret-store.ts'

export const hour = 3600
export const day = 24 * hour
export const at = (seconds: number) => new Date(1_800_000_000_000 + seconds * 1000)
export const signal = new AbortController().signal
const configuration: NebulaConfiguration = {
  name: 'overlay',
  pool: { range: '10.0.0.0/24', exclude: ['10.0.0.1'] },
  authorityDays: 10,
  longestHours: 48,
  announceHours: 2,
}

export const guest = (digest: string, initData: { [name: string]: Json } = {}): Caller => ({
  kind: 'guest',
  claims: {
    submods: {
      cpu0: { 'ear.veraison.annotated-evidence': { init_data: digest, init_data_claims: initData } },
    },
  },
  teeKey: { kty: 'EC' },
})

export async function open(
  store: MemorySecretStore = new MemorySecretStore(),
  more: Partial<NebulaConfiguration> = {},
  seconds = 0,
) {
  const nebula = await openNebula(
    store,
    { ...configuration, ...more },
    { identity: identityOf(), now: () => at(seconds), refreshMs: 0 },
  )
  const request = (query: Record<string, string>, caller: Caller, rest: Partial<PluginRequest> = {}) =>
    ({
      plugin: 'nebula-ca',
      method: 'GET',
      path: ['credential'],
      body: new Uint8Array(),
      query,
      caller,
      ...rest,
    }) as const
  const credential = async (query: Record<string, string>, when = 0, caller: Caller = guest('g')) => {
    const { body } = await nebula.plugin.handle(request(query, caller), at(when), signal)
    const fields = JSON.parse(Buffer.from(body).toString()) as Record<string, number[]>
    const read = (name: string) => parseNebulaPem(Buffer.from(fields[name]!).toString())
    const [certificate] = read('node_crt')
    return { certificate: certificate!, trusted: read('ca_crt') }
  }
  const ca = async (when: number) => {
    const { body } = await nebula.plugin.handle(
      request({}, { kind: 'anonymous' }, { path: ['ca'] }),
      at(when),
      signal,
    )
    return parseNebulaPem(Buffer.from(body).toString())
  }
  const admin = async (call: string, when: number, query: Record<string, string> = {}, body = '') => {
    const [method, path = ''] = call.split(' ')
    const names = path.split('/')
    const handler = nebula.administration.handlers[names[0]!]!
    const asked = {
      method,
      path: names,
      query,
      body: Buffer.from(body),
      api: 'admin',
    } as unknown as AdminRequest
    return JSON.parse(Buffer.from((await handler(asked, at(when), signal)).body).toString()) as {
      authorities: { fingerprint: string; phase: string; trustedUntil: string; certificate: string }[]
      leases: { name: string; address: string; holder: string }[]
      next?: string
    }
  }
  return { nebula, store, request, credential, ca, admin }
}
