// The examples of docs/broker-extensions.md, loaded as anybody's.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { documentedPackage, PackageFolder } from '../../../test/support/package-files.ts'
import { MemorySecretStore } from '../stores/index.ts'
import { secretStoreTests } from '../stores/secret-store.suite.ts'
import type { Caller, PluginRequest } from '../types.ts'
import { loadPackage } from './index.ts'

const grants = { state: new MemorySecretStore(), identity: () => 'ada' }
const signal = new AbortController().signal

secretStoreTests('that of docs/broker-extensions.md', {
  runs: 20,
  open: async () => {
    using folder = new PackageFolder()
    const file = folder.put('shelf.mjs', documentedPackage('shelf.mjs'))
    const loaded = await loadPackage({ ...file, kind: 'store', name: 'shelf' }, folder.path, grants)
    assert.ok(loaded.kind === 'store')
    return { handles: [loaded.store], close: () => loaded.store[Symbol.asyncDispose]() }
  },
})

test('the plugin of docs/broker-extensions.md counts in its part of the state', async () => {
  using folder = new PackageFolder()
  const file = folder.put('visits.mjs', documentedPackage('visits.mjs'))
  const loaded = await loadPackage({ ...file, kind: 'plugin', name: 'visits' }, folder.path, grants)
  assert.ok(loaded.kind === 'plugin')
  const { plugin } = loaded
  const caller: Caller = { kind: 'guest', claims: {}, teeKey: {} }
  const asked = {
    plugin: 'visits',
    method: 'GET',
    path: ['a', 'b'],
    query: { q: '1' },
    body: new Uint8Array(),
  }
  const request = { ...asked, caller } as PluginRequest
  assert.equal(plugin.access(request), 'attested')
  assert.equal(plugin.access({ ...request, method: 'DELETE' }), 'admin')
  assert.equal(plugin.encrypted(request), true)
  assert.deepEqual(plugin.policyData(request), {
    plugin: 'visits',
    'resource-path': ['a', 'b'],
    query: { q: '1' },
    visits: { depth: 2 },
  })
  assert.deepEqual(Object.keys(plugin.problems), ['X_VISITS_BUSY'])
  for (const visits of [1, 2, 3]) {
    const { body, noStore } = await plugin.handle(request, new Date(), signal)
    assert.deepEqual(JSON.parse(Buffer.from(body).toString()), { visits })
    assert.equal(noStore, true)
  }
  assert.deepEqual(await grants.state.list(''), ['packages/visits/of/616461'])
})
