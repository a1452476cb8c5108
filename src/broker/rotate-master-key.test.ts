import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { generateTeeKey, guestClient } from '#attestation/index.ts'
import { nodeFileSystem } from '#base/index.ts'
import { type BrokerScene, brokerScene, fetchOf } from '../../test/support/broker-scene.ts'
import { openKeyring } from './open-keyring.ts'
import { rotateMasterKey } from './rotate-master-key.ts'
import { openSqliteStore } from './stores/index.ts'

const secret = Buffer.from('what is sealed anew')
const configured = { file: 'keyring.json', keyFile: 'keyring.key' }
const pair = await generateTeeKey('P-256')

async function trusting(): Promise<BrokerScene> {
  const scene = await brokerScene()
  for (const [name, value] of Object.entries({ svn: ['1'], launch_digest: ['abcde'] }))
    assert.equal((await scene.admin('PUT', `references/${name}`, { value })).status, 200)
  assert.equal((await scene.admin('POST', 'kbs:resource/default/key/one', secret)).status, 200)
  return scene
}

const read = async ({ face }: BrokerScene, path = 'resource/default/key/one') => {
  const guest = guestClient({ url: 'http://broker.test', keyPair: pair, fetch: fetchOf(face) })
  return Buffer.from(await guest.get(path))
}

// Each waits most of its time, until servers have seen a keyring.
describe('rotating the master key', { concurrency: true }, () => {
  test('a broker goes on while its master key is rotated, and while the old one is dropped', async () => {
    await using scene = await trusting()
    const { directory } = scene
    const [first] = [...(await openKeyring(directory, configured)).keys.keys()]
    const rotated = await rotateMasterKey(directory)
    assert.notEqual(rotated.activeId, first)
    assert.deepEqual([rotated.keys, rotated.dropped], [2, 0])
    const [state, main] = rotated.stores
    assert.equal(state?.store, 'state')
    assert.ok(state.resealed >= 6 && state.refused.length === 0, JSON.stringify(state))
    assert.deepEqual(main, { store: 'main', resealed: 1, current: 0, refused: [] })
    // The open broker has the keyring of before, and sees at what it cannot open that there is another one.
    assert.deepEqual(await read(scene), secret)
    assert.equal((await scene.admin('POST', 'kbs:resource/default/key/two', secret)).status, 200)
    const dropped = await rotateMasterKey(directory, { dropOld: true })
    assert.deepEqual([dropped.keys, dropped.dropped, dropped.activeId], [1, 1, rotated.activeId])
    assert.deepEqual([...(await openKeyring(directory, configured)).keys.keys()], [rotated.activeId])
    assert.deepEqual(await read(scene, 'resource/default/key/two'), secret)
    assert.equal((await scene.admin('POST', 'kbs:resource/default/key/three', secret)).status, 200)
    assert.deepEqual(await read(scene, 'resource/default/key/three'), secret)
  })

  test('a key that is prepared seals nothing until it is rotated to', async () => {
    await using scene = await trusting()
    const { directory } = scene
    const prepared = await rotateMasterKey(directory, { prepare: true })
    const again = await rotateMasterKey(directory, { prepare: true })
    assert.deepEqual([prepared.keys, again.keys, again.activeId], [2, 2, prepared.activeId])
    const [first, next] = (await openKeyring(directory, configured)).keys.keys()
    assert.equal(prepared.activeId, first)
    const kept = await rotateMasterKey(directory, { dropOld: true })
    assert.deepEqual([kept.keys, kept.dropped, kept.activeId], [2, 0, first])
    const rotated = await rotateMasterKey(directory)
    assert.deepEqual([rotated.keys, rotated.activeId], [2, next])
    assert.deepEqual(await read(scene), secret)
  })

  test('two that rotate at once take turns, and no key is lost', async () => {
    await using scene = await trusting()
    const { directory } = scene
    const rotated = await Promise.all([rotateMasterKey(directory), rotateMasterKey(directory)])
    const { activeId, keys } = await openKeyring(directory, configured)
    for (const one of rotated) assert.ok(keys.has(one.activeId))
    assert.deepEqual([keys.size, rotated.some((one) => one.activeId === activeId)], [3, true])
    assert.deepEqual(await read(scene), secret)
  })

  test('no key is dropped while something is sealed by it that cannot be sealed anew', async () => {
    await using scene = await trusting()
    const { directory } = scene
    {
      await using store = await openSqliteStore(join(directory, 'secrets.sqlite'))
      await store.compareAndSet('resource/default/key/bad', undefined, Buffer.from('not sealed at all'))
    }
    await rotateMasterKey(directory)
    const { dropped, keys, stores } = await rotateMasterKey(directory, { dropOld: true })
    assert.deepEqual([dropped, keys], [0, 2])
    const main = stores.find(({ store }) => store === 'main')
    assert.deepEqual(main?.refused, [{ key: 'resource/default/key/bad', code: 'SECRET_NOT_SEALED' }])
  })

  test('killed before all was sealed anew, the next call finishes it', async () => {
    await using scene = await trusting()
    const { directory } = scene
    const stop = new AbortController()
    const fs = {
      ...nodeFileSystem,
      async rename(from: string, to: string) {
        await nodeFileSystem.rename(from, to)
        stop.abort()
      },
    }
    await assert.rejects(rotateMasterKey(directory, { fs, signal: stop.signal }), { name: 'AbortError' })
    assert.deepEqual(await read(scene), secret)
    const { dropped, stores } = await rotateMasterKey(directory, { dropOld: true })
    assert.equal(dropped, 1)
    assert.deepEqual(
      stores.map(({ store, current }) => [store, current]),
      [
        ['state', 0],
        ['main', 0],
      ],
    )
    assert.deepEqual(await read(scene), secret)
  })

  test('a keyring file that is no keyring changes nothing for a broker that is open', async () => {
    await using scene = await trusting()
    const path = join(scene.directory, 'keyring.json')
    writeFileSync(path, 'no keyring')
    await new Promise((resolve) => setTimeout(resolve, 600))
    assert.equal((await scene.admin('POST', 'kbs:resource/default/key/two', secret)).status, 200)
    rmSync(path)
    assert.deepEqual(await read(scene, 'resource/default/key/two'), secret)
  })
})
