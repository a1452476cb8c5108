// The certificates over the keys of tokens before openssl, whose verifier Trustee's own is made of; and brokers that
// start at once over one PostgreSQL.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { verifyToken } from '#attestation/index.ts'
import { MemorySecretStore } from '../../src/broker/stores/memory-store.ts'
import { openPostgresStore } from '../../src/broker/stores/postgres-store.ts'
import { openTokenKeys } from '../../src/broker/token-keys/index.ts'
import { needs } from './peers.ts'
import { startPostgres } from './postgres.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())
const issuer = 'https://broker.example'

describe('keys of tokens', () => {
  test(
    'openssl follows the chain of a token to the root, before and after a rotation',
    needs('openssl'),
    async () => {
      const now = new Date()
      const later = new Date(now.getTime() + 300_000)
      const keys = await openTokenKeys(new MemorySecretStore(), { issuer, refreshMs: 0 })
      await keys.rotate(now)
      const [root = ''] = (await keys.certificates(now)).split(/(?<=-----END CERTIFICATE-----\n)/)
      const rootFile = bench.path('root.pem')
      writeFileSync(rootFile, root)
      const leaves = new Set<string>()
      for (const at of [now, later]) {
        const token = (await keys.signer(at)).sign({ iss: issuer, exp: at.getTime() / 1000 + 300 })
        const header = JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString())
        const leaf = new X509Certificate(Buffer.from(header.jwk.x5c[0], 'base64'))
        const leafFile = bench.path(`leaf-${leaves.size}.pem`)
        writeFileSync(leafFile, leaf.toString())
        leaves.add(leaf.fingerprint256)
        const args = ['verify', '-x509_strict', '-CAfile', rootFile, leafFile]
        assert.match(execFileSync('openssl', args).toString(), /: OK$/m)
        verifyToken(token, { certificates: [new X509Certificate(root)], issuer }, at)
      }
      assert.equal(leaves.size, 2)
    },
  )

  test(
    'brokers that start at once over one database have one key, and one next key',
    needs('pg_ctl'),
    async () => {
      await using server = await startPostgres()
      await using stack = new AsyncDisposableStack()
      const stores = await Promise.all(
        [1, 2, 3, 4].map(() => openPostgresStore(server.url, { name: 'state' })),
      )
      for (const store of stores) stack.use(store)
      const replicas = await Promise.all(
        stores.map((store) => openTokenKeys(store, { issuer, refreshMs: 0 })),
      )
      const now = new Date()
      const kidsAt = async (at: Date) =>
        new Set(await Promise.all(replicas.map(async (keys) => (await keys.signer(at)).kid)))
      assert.equal((await kidsAt(now)).size, 1)
      const rotated = await Promise.allSettled(replicas.map((keys) => keys.rotate(now)))
      assert.equal(rotated.filter(({ status }) => status === 'fulfilled').length, 1)
      const next = await kidsAt(new Date(now.getTime() + 300_000))
      assert.equal(next.size, 1)
      assert.equal(next.isDisjointFrom(await kidsAt(now)), true)
    },
  )
})
