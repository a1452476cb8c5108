import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { generateTeeKey, guestClient } from '#attestation/index.ts'
import { digestOf } from '#oci/index.ts'
import { formatStatement, sealStatement } from '#trust/index.ts'
import { type BrokerScene, brokerScene, fetchOf } from '../../../test/support/broker-scene.ts'
import { keyHolder } from '../../../test/support/sigstore-world.ts'
import { referenceValuesType } from '../references/index.ts'

const secret = Buffer.from('what only an attested guest is given')
const keyPair = await generateTeeKey('P-256')
const get = ({ face }: BrokerScene) =>
  guestClient({ url: 'http://broker.test', keyPair, fetch: fetchOf(face) }).get('resource/default/key/one')
const json = ({ body }: { readonly body: Uint8Array }) => JSON.parse(Buffer.from(body).toString())

describe('policies and reference values in a whole broker', () => {
  test('an attestation policy is tried against what guests showed, with the values of today', async () => {
    await using scene = await brokerScene()
    await scene.admin('POST', 'kbs:resource/default/key/one', secret)
    await scene.admin('PUT', 'references/svn', { value: ['1'] })
    await scene.admin('PUT', 'references/launch_digest', { value: ['abcde'] })
    await get(scene)
    const name = 'policies/attestation/default_cpu'
    const { files } = json(await scene.admin('GET', name))
    const tried = async (text: string) => {
      const path = files[0].path
      const { changes: _, ...counts } = json(
        await scene.admin('POST', `${name}/try`, { files: [{ path, text }] }),
      )
      return counts
    }
    const { text } = files[0]
    const counts = { tried: 1, same: 0, newlyAllowed: 0, newlyDenied: 0, different: 0, failed: 0 }
    assert.deepEqual(await tried(text), { ...counts, same: 1 })
    // What the policy of then did not ask for is known all the same.
    const major = 'input.sample.platform_version.major == query_reference_value("major")'
    const strict = text.replace(/^executables := 3 if (.*)$/m, `executables := 3 if {\n\t$1\n\t${major}\n}`)
    assert.notEqual(strict, text)
    assert.deepEqual(await tried(strict), { ...counts, different: 1 })
    await scene.admin('PUT', 'references/major', { value: 1 })
    assert.deepEqual(await tried(strict), { ...counts, same: 1 })
  })

  test('what was built is what may run: a statement of a trusted key opens the way, until it ends', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sealift-build-'))
    try {
      const [build, stranger] = [keyHolder(), keyHolder()]
      const path = join(directory, 'build.pub')
      writeFileSync(path, build.pem)
      const trust = `keys: {build: ${JSON.stringify(path)}}, rules: [{from: [{key: build}], names: [svn, launch_digest]}]`
      await using scene = await brokerScene((yaml) => `${yaml}\nreferences: {statements: {${trust}}}\n`)
      await scene.admin('POST', 'kbs:resource/default/key/one', secret)
      const end = new Date(scene.clock.at.getTime() + 60_000)
      const statement = formatStatement([{ digest: digestOf(Buffer.from('vm')) }], referenceValuesType, {
        values: { svn: ['1'], launch_digest: ['abcde'] },
        expires: end.toISOString(),
      })
      const importBy = async ({ signatory }: typeof build) =>
        scene.admin(
          'POST',
          'references/import',
          (await sealStatement(statement, { signatory, witnesses: [] })).bundle,
        )
      const refused = await importBy(stranger)
      assert.deepEqual([refused.status, refused.outcome.code], [403, 'REFERENCE_STATEMENT_REFUSED'])
      await assert.rejects(get(scene), { code: 'RCAR_REFUSED' })
      const { imported, origin } = json(await importBy(build))
      assert.deepEqual(imported.sort(), ['launch_digest', 'svn'])
      assert.match(origin, /^user:ada, statement sha256:[0-9a-f]{64} by key build$/)
      assert.deepEqual(Buffer.from(await get(scene)), secret)
      scene.clock.at = end
      await assert.rejects(get(scene), { code: 'RCAR_REFUSED' })
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
