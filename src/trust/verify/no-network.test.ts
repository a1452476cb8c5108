import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { digestOf } from '#oci/index.ts'
import { keyHolder, sigstoreWorld } from '../../../test/support/sigstore-world.ts'
import { sealMessage } from '../sign/seal.ts'

test('judging opens no connection and asks for no name: by a key, by certificates of either kind', async () => {
  const world = await sigstoreWorld()
  const { signatory, pem } = keyHolder()
  const bytes = Buffer.from('content')
  const digest = digestOf(bytes)
  const bundles = [
    await sealMessage(bytes, { signatory, witnesses: [] }),
    await world.statement(digest, 1),
    await world.message(bytes, 2),
  ]
  const material = {
    keys: [{ name: 'ours', pem }],
    roots: [{ name: 'world', root: world.trustedRoot }],
  }
  const worker = new Worker(new URL('../../../test/support/no-network-worker.ts', import.meta.url), {
    workerData: { bundles, digest, bytes, material },
  })
  const said = await new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`the worker ended with ${code} and said nothing`)))
  })
  assert.deepEqual(said, { kinds: ['key', 'certificate', 'certificate'], asked: [], isTrapped: true })
})
