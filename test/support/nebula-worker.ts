// One of several brokers over one PostgreSQL: URL KEYRING GUEST COUNT. It opens Nebula in the state there and asks, as a
// guest, for COUNT names that all processes want and COUNT of its own; it writes a line for each credential.
import { readFileSync, writeSync } from 'node:fs'
import { isFailure } from '#base/index.ts'
import { formatNetwork } from '#broker/leases/index.ts'
import { openNebula, parseNebulaPem } from '#broker/nebula/index.ts'
import { openPostgresStore, parseKeyring, sealedStore } from '../../src/broker/stores/index.ts'

/** Opens the keyring of the test that starts this: there is nothing to protect. */
export const testKeyFile = { kind: 'key-file', bytes: Buffer.alloc(32, 7) } as const

/** One line of what a worker writes. */
export interface WorkerLine {
  readonly name: string
  readonly guest: string
  readonly address: string
  readonly issuer: string
}

if (import.meta.main) {
  const [url = '', keyringFile = '', guest = '', count = ''] = process.argv.slice(2)
  const keyring = await parseKeyring(readFileSync(keyringFile), testKeyFile)
  await using store = await openPostgresStore(url, { name: 'state' })
  const configuration = { name: 'overlay', pool: { range: '10.88.0.0/24' } }
  await using nebula = await openNebula(sealedStore(store, keyring), configuration, { identity: () => guest })
  const numbers = Array.from({ length: Number(count) }, (_, number) => number)
  const names = numbers.flatMap((number) => [`all-${number}`, `${guest}-${number}`])
  await Promise.all(
    names.map(async (name) => {
      try {
        const request = { plugin: 'nebula-ca', method: 'GET', path: ['credential'], query: { name } } as const
        const caller = { kind: 'guest', claims: {}, teeKey: {} } as const
        const { body } = await nebula.plugin.handle(
          { ...request, body: new Uint8Array(), caller },
          new Date(),
          AbortSignal.timeout(60_000),
        )
        const { node_crt } = JSON.parse(Buffer.from(body).toString()) as { node_crt: number[] }
        const [certificate] = parseNebulaPem(Buffer.from(node_crt).toString())
        const address = formatNetwork(certificate!.networks[0]!)
        const line: WorkerLine = { name, guest, address, issuer: certificate!.issuer! }
        writeSync(1, `${JSON.stringify(line)}\n`)
      } catch (error) {
        if (!isFailure(error, 'LEASE_NAME_TAKEN')) throw error
      }
    }),
  )
}
