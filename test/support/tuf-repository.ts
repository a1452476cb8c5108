import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { canonicalJson, type Json } from '../../src/base/index.ts'

/** What one state of the repository holds; by default everything is good for a day. */
export interface TufState {
  readonly version: number
  readonly target: Uint8Array
  /** Milliseconds from now; negative for what has expired. */
  readonly lifeMs?: number
  readonly snapshotVersion?: number
  /** Signs timestamp.json in place of the repository's key. */
  readonly forger?: boolean
}

/** A repository of The Update Framework on loopback, with one key for every role. */
export async function tufRepository() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const files = new Map<string, Uint8Array>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    const bytes = files.get((request.url ?? '').slice(1))
    response.writeHead(bytes ? 200 : 404).end(bytes)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const publicHex = (key: KeyObject) =>
    (key.export({ format: 'der', type: 'spki' }) as Buffer).subarray(-32).toString('hex')
  const key = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: publicHex(publicKey) } }
  const keyid = createHash('sha256').update(canonicalJson(key)).digest('hex')
  const expires = (lifeMs: number) => `${new Date(Date.now() + lifeMs).toISOString().slice(0, 19)}Z`
  const day = 86_400_000

  const signed = (body: { readonly [name: string]: Json }, by = privateKey): Uint8Array => {
    const sig = sign(null, canonicalJson(body), by).toString('hex')
    return Buffer.from(JSON.stringify({ signed: body, signatures: [{ keyid, sig }] }))
  }
  const common = (type: string, version: number, lifeMs: number) => ({
    _type: type,
    spec_version: '1.0.31',
    version,
    expires: expires(lifeMs),
  })
  const role = { keyids: [keyid], threshold: 1 }
  const rootOf = (version: number, by = privateKey) =>
    signed(
      {
        ...common('root', version, 30 * day),
        consistent_snapshot: true,
        keys: { [keyid]: key },
        roles: { root: role, timestamp: role, snapshot: role, targets: role },
      },
      by,
    )
  const about = (bytes: Uint8Array, version?: number) => ({
    ...(version !== undefined && { version }),
    length: bytes.length,
    hashes: { sha256: createHash('sha256').update(bytes).digest('hex') },
  })

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    files,
    /** What a person gives to begin with. */
    root: Buffer.from(rootOf(1)).toString(),
    rootOf,
    forgedRootOf: (version: number) => rootOf(version, generateKeyPairSync('ed25519').privateKey),
    put({ version, target, lifeMs = day, snapshotVersion = version, forger = false }: TufState) {
      const targets = signed({
        ...common('targets', version, lifeMs),
        targets: { 'trusted_root.json': about(target) },
      })
      const snapshot = signed({
        ...common('snapshot', snapshotVersion, lifeMs),
        meta: { 'targets.json': about(targets, version) },
      })
      const by = forger ? generateKeyPairSync('ed25519').privateKey : privateKey
      const timestamp = signed(
        {
          ...common('timestamp', version, lifeMs),
          meta: { 'snapshot.json': about(snapshot, snapshotVersion) },
        },
        by,
      )
      const name = `${createHash('sha256').update(target).digest('hex')}.trusted_root.json`
      files.set(`${version}.targets.json`, targets)
      files.set(`${snapshotVersion}.snapshot.json`, snapshot)
      files.set('timestamp.json', timestamp)
      files.set(`targets/${name}`, target)
      return { targetFile: `targets/${name}` }
    },
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
