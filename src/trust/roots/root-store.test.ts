import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure, SealiftError } from '#base/index.ts'
import { crashEverywhere } from '../../../test/support/crash-everywhere.ts'
import { checkRootName, formatRoot, parseRoot, type StoredRoot } from './root-record.ts'
import { RootStore } from './root-store.ts'

const mediaType = 'application/vnd.dev.sigstore.trustedroot+json;version=0.1'
const carried = (version: number, more = ''): StoredRoot => ({
  name: 'vendor',
  root: { mediaType, ...(more && { more }) },
  origin: { kind: 'carried', version, keyId: 'ab'.repeat(32) },
  fetchedAt: '2026-11-21T00:00:00.000Z',
  updateKeys: [],
})
const refused = (code: string) => (error: unknown) => isFailure(error, code)

test('of many updates at once the highest stays, whatever the order', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sealift-roots-'))
  try {
    const versions = [3, 1, 5, 2, 4]
    const updates = versions.map((version) =>
      new RootStore(directory)
        .update('vendor', async () => carried(version))
        .catch((error: unknown) => {
          assert.ok(isFailure(error, 'TRUST_ROOT_ROLLED_BACK'), String(error))
        }),
    )
    await Promise.all(updates)
    const store = new RootStore(directory)
    assert.deepEqual(await store.find('vendor'), carried(5))
    assert.deepEqual(await store.material(), { keys: [], roots: [{ name: 'vendor', root: { mediaType } }] })
    await store.update('vendor', async () => carried(5))
    await assert.rejects(
      store.update('vendor', async () => carried(5, 'x')),
      refused('TRUST_ROOT_ROLLED_BACK'),
    )
    const file: StoredRoot = { ...carried(1), origin: { kind: 'file' } }
    await assert.rejects(
      store.update('vendor', async () => file),
      refused('TRUST_ROOT_EXISTS'),
    )
    await store.update('vendor', async () => file, { mayGoBack: true })
    assert.equal((await store.find('vendor'))?.origin.kind, 'file')
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('a power cut at any moment leaves the root that was or the one that is to be, whole', async () => {
  await crashEverywhere(
    {
      before: async (fs) => {
        await new RootStore('/trust', fs).update('vendor', async () => carried(1))
      },
      run: async (fs) => {
        await new RootStore('/trust', fs).update('vendor', async () => carried(2))
      },
      check: async (fs, isDone) => {
        const found = await new RootStore('/trust', fs).find('vendor')
        const version = found?.origin.kind === 'carried' ? found.origin.version : undefined
        assert.ok(version === 2 || (version === 1 && !isDone), `version ${version}`)
      },
    },
    { seed: 5, points: 20 },
  )
})

test('a record that was changed is read as it is or is damaged; names stay in their folder', () => {
  const good = Buffer.from(formatRoot(carried(1)))
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }), (place, byte) => {
      const changed = Buffer.from(good)
      changed[place] = byte
      try {
        assert.equal(parseRoot(changed, 'vendor').name, 'vendor')
      } catch (error) {
        assert.ok(isFailure(error, 'TRUST_STORE_DAMAGED'), String(error))
      }
    }),
  )
  for (const text of [
    'null',
    '1',
    '[]',
    '{}',
    '{"name":"vendor","origin":null}',
    '{"origin":{"kind":"tuf"}}',
  ]) {
    assert.throws(() => parseRoot(Buffer.from(text), 'vendor'), refused('TRUST_STORE_DAMAGED'), text)
  }
  fc.assert(
    fc.property(fc.string(), (name) => {
      try {
        assert.doesNotMatch(checkRootName(name), /[/\\]|^\.|[A-Z\0]/)
      } catch (error) {
        assert.ok(error instanceof SealiftError)
      }
    }),
  )
})
