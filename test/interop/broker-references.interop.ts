// A statement that the real cosign signs about a blob becomes reference values of a broker, and opens the way to a
// secret; one by another key does not.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { generateTeeKey, guestClient } from '#attestation/index.ts'
import { referenceValuesType } from '#broker/index.ts'
import { type BrokerScene, brokerScene, fetchOf } from '../support/broker-scene.ts'
import { needs } from './peers.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

const secret = Buffer.from('what was built is what may run')
const image = 'the image of a VM'
const env = { COSIGN_PASSWORD: '' }
const json = ({ body }: { readonly body: Uint8Array }) => JSON.parse(Buffer.from(body).toString())

/** A bundle by cosign, without a log: the key alone is trusted. */
async function attested(key: string, type: string, predicate: object): Promise<Uint8Array> {
  writeFileSync(bench.path('predicate.json'), JSON.stringify(predicate))
  const offline = ['--yes', '--tlog-upload=false', '--use-signing-config=false', '--new-bundle-format=true']
  const what = ['--predicate', 'predicate.json', '--type', type, '--bundle', 'statement.json', 'image.raw']
  await bench.run('cosign', ['attest-blob', ...offline, '--key', `${key}.key`, ...what], { env })
  return readFileSync(bench.path('statement.json'))
}

async function get({ face }: BrokerScene): Promise<Buffer> {
  const keyPair = await generateTeeKey('P-256')
  const guest = guestClient({ url: 'http://broker.test', keyPair, fetch: fetchOf(face) })
  return Buffer.from(await guest.get('resource/default/key/one'))
}

describe('reference values out of statements by cosign', needs('cosign'), () => {
  const slsa = 'https://slsa.dev/provenance/v1'
  let configure: (yaml: string) => string

  before(async () => {
    writeFileSync(bench.path('image.raw'), image)
    for (const name of ['build', 'stranger'])
      await bench.run('cosign', ['generate-key-pair', '--output-key-prefix', name], { env })
    const statements = {
      keys: { build: bench.path('build.pub') },
      rules: [
        { from: [{ key: 'build' }], names: ['svn', 'launch_digest'] },
        {
          from: [{ key: 'build' }],
          type: slsa,
          values: { images: { subjects: 'sha256' }, builder: '/predicate/runDetails/builder/id' },
        },
      ],
    }
    configure = (yaml) => `${yaml}\nreferences: ${JSON.stringify({ statements })}\n`
  })

  test('open the way to a secret, where the key is trusted', async () => {
    await using scene = await brokerScene(configure)
    await scene.admin('POST', 'kbs:resource/default/key/one', secret)
    const said = { values: { svn: ['1'], launch_digest: ['abcde'] } }
    const strangers = await attested('stranger', referenceValuesType, said)
    const refused = await scene.admin('POST', 'references/import', strangers)
    assert.deepEqual([refused.status, refused.outcome.code], [403, 'REFERENCE_STATEMENT_REFUSED'])
    await assert.rejects(get(scene), { code: 'RCAR_REFUSED' })
    const own = await attested('build', referenceValuesType, said)
    const taken = await scene.admin('POST', 'references/import', own)
    assert.equal(taken.status, 200, Buffer.from(taken.body).toString())
    assert.deepEqual(await get(scene), secret)
  })

  test('come out of provenance as well', async () => {
    await using scene = await brokerScene(configure)
    const provenance = {
      buildDefinition: { buildType: 'https://build.example/v1', externalParameters: {} },
      runDetails: { builder: { id: 'https://build.example/runner' } },
    }
    const taken = await scene.admin('POST', 'references/import', await attested('build', slsa, provenance))
    assert.equal(taken.status, 200, Buffer.from(taken.body).toString())
    const [images, builder] = await Promise.all([
      scene.admin('GET', 'references/images'),
      scene.admin('GET', 'references/builder'),
    ])
    assert.deepEqual(json(images).value, [createHash('sha256').update(image).digest('hex')])
    assert.equal(json(builder).value, 'https://build.example/runner')
    assert.match(json(images).origin, /^user:ada, statement sha256:[0-9a-f]{64} by key build$/)
  })
})
