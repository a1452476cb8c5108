// Stores and plugins of others, and tokens of others, in a whole broker.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import {
  formatJwkSet,
  generateTeeKey,
  guestClient,
  type JsonObject,
  tokenSigner,
} from '#attestation/index.ts'
import { isFailure } from '#base/index.ts'
import { brokerScene, fetchOf, never } from '../../test/support/broker-scene.ts'
import { documentedPackage, PackageFolder } from '../../test/support/package-files.ts'

const pair = await generateTeeKey('P-256')
const url = 'http://broker.test'
const good = { svn: ['1'], launch_digest: ['abcde'] }

/** The two examples of docs/broker-extensions.md, configured: all resources lie in the store. */
function configured(folder: PackageFolder, more: { readonly digest?: string } = {}) {
  const entries = [
    { ...folder.put('shelf.mjs', documentedPackage('shelf.mjs')), kind: 'store', name: 'main' },
    { ...folder.put('visits.mjs', documentedPackage('visits.mjs')), kind: 'plugin', name: 'visits', ...more },
  ]
  const packages = entries.map((entry) => ({ ...entry, path: join(folder.path, entry.path) }))
  return (yaml: string) => {
    const changed = yaml.replace('{ kind: sqlite, path: secrets.sqlite }', '{ kind: given }')
    assert.notEqual(changed, yaml)
    return `${changed}\npackages: ${JSON.stringify(packages)}\n`
  }
}

describe('a key broker with packages', () => {
  test('keeps resources in the store and answers with the plugin, as the policy says', async () => {
    using folder = new PackageFolder()
    await using scene = await brokerScene(configured(folder))
    for (const [name, value] of Object.entries(good))
      await scene.admin('PUT', `references/${name}`, { value })
    const secret = Buffer.from('a secret')
    assert.equal((await scene.admin('POST', 'kbs:resource/default/key/one', secret)).status, 200)
    const guest = guestClient({ url, keyPair: pair, fetch: fetchOf(scene.face) })
    assert.deepEqual(Buffer.from(await guest.get('resource/default/key/one')), secret)
    const allow = `package policy\nimport rego.v1\ndefault allow := false
allow if { data.plugin == "visits"; data.request.visits.depth == 1; data["resource-path"] == ["mine"] }\n`
    const files = [{ path: 'visits.rego', text: allow }]
    assert.equal((await scene.admin('PUT', 'policies/resource', { files })).status, 200)
    for (const visits of [1, 2])
      assert.deepEqual(JSON.parse(Buffer.from(await guest.get('visits/mine')).toString()), { visits })
    await assert.rejects(guest.get('visits/other'), (error) => isFailure(error, 'RCAR_REFUSED'))
    const nobody = { method: 'GET', path: ['visits', 'mine'], query: {}, body: new Uint8Array() } as const
    assert.equal((await scene.face.guest(nobody, never)).status, 401)
  })

  test('does not start with one that differs', async () => {
    using folder = new PackageFolder()
    const digest = `sha256:${'0'.repeat(64)}`
    await assert.rejects(brokerScene(configured(folder, { digest })), (error) =>
      isFailure(error, 'PACKAGE_DIGEST_DIFFERS'),
    )
  })
})

test('a token of a trusted service is taken without a session, and none that it may not issue', async () => {
  using folder = new PackageFolder()
  const theirs = tokenSigner(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
  folder.put('keys.json', formatJwkSet([theirs]))
  const trusted = [{ issuer: 'https://other.example', keys: join(folder.path, 'keys.json') }]
  await using scene = await brokerScene((yaml) => `${yaml}\ntrustedTokens: ${JSON.stringify(trusted)}\n`)
  for (const [name, value] of Object.entries(good)) await scene.admin('PUT', `references/${name}`, { value })
  assert.equal((await scene.admin('POST', 'kbs:resource/default/key/one', Buffer.from('x'))).status, 200)
  const own = await guestClient({ url, keyPair: pair, fetch: fetchOf(scene.face) }).attest()
  const claims = JSON.parse(Buffer.from(own.split('.')[1]!, 'base64url').toString()) as JsonObject
  const ask = async (bearer: string) => {
    const path = ['resource', 'default', 'key', 'one']
    const reply = await scene.face.guest(
      { method: 'GET', path, query: {}, body: new Uint8Array(), bearer },
      never,
    )
    return [reply.status, reply.outcome.code]
  }
  assert.deepEqual(await ask(theirs.sign({ ...claims, iss: 'https://other.example' })), [200, undefined])
  assert.deepEqual(await ask(theirs.sign(claims)), [401, 'TOKEN_UNTRUSTED'])
  const stranger = tokenSigner(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
  const strange = stranger.sign({ ...claims, iss: 'https://other.example' })
  assert.deepEqual(await ask(strange), [401, 'TOKEN_UNTRUSTED'])
})
