import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import {
  challengeFor,
  decryptResponse,
  formatAttestationRequest,
  formatAuthRequest,
  generateTeeKey,
  guestClient,
  parseJwkSet,
  primaryReportData,
  protocolVersions,
  sampleEvidence,
  type TeeKeyPair,
  verifyToken,
} from '#attestation/index.ts'
import { type AuditRecord, replay } from '#gate/index.ts'
import { type BrokerScene, brokerScene, fetchOf, never } from '../../test/support/broker-scene.ts'

const secret = Buffer.from('a secret of 32 bytes, which it is')
const base = 'http://broker.test'
const pair = await generateTeeKey('P-256')

/** A broker that holds the sample TEE good, with one secret. */
async function trusting(configure?: (yaml: string) => string): Promise<BrokerScene> {
  const scene = await brokerScene(configure)
  for (const [name, value] of Object.entries({ svn: ['1'], launch_digest: ['abcde'] }))
    assert.equal((await scene.admin('PUT', `references/${name}`, { value })).status, 200)
  assert.equal((await scene.admin('POST', 'kbs:resource/default/key/one', secret)).status, 200)
  return scene
}

const guestOf = ({ face }: BrokerScene, keyPair: TeeKeyPair = pair, more: object = {}) =>
  guestClient({ url: base, keyPair, fetch: fetchOf(face), ...more })

const call = (scene: BrokerScene, method: 'GET' | 'POST', path: string, more: object = {}) =>
  scene.face.guest({ method, path: path.split('/'), query: {}, body: new Uint8Array(), ...more }, never)

const typeOf = (body: Uint8Array) =>
  (JSON.parse(Buffer.from(body).toString()) as { type: string }).type.split('/').at(-1)

describe('a key broker', () => {
  test('releases a secret to an attested guest, and records what it decided', async () => {
    await using scene = await trusting()
    assert.deepEqual(Buffer.from(await guestOf(scene).get('resource/default/key/one')), secret)
    const records = (await Array.fromAsync(scene.audit.records())).map(({ record }) => record)
    const kinds = records.map((record: AuditRecord) =>
      record.type === 'evaluation' ? record.purpose : record.type,
    )
    assert.deepEqual(kinds.slice(-2), ['appraisal', 'release'])
    for await (const { differences } of replay(scene.audit)) assert.deepEqual(differences, [])
  })

  test('a new broker denies: no reference value says what is good', async () => {
    await using scene = await brokerScene()
    await scene.admin('POST', 'kbs:resource/default/key/one', secret)
    await assert.rejects(
      guestOf(scene).get('resource/default/key/one'),
      (error: { code: string; detail: { status: number } }) => {
        assert.deepEqual([error.code, error.detail.status], ['RCAR_REFUSED', 403])
        return true
      },
    )
  })

  test('guests of every version get it in their own form', async () => {
    await using scene = await trusting((yaml) => `${yaml}\nrsa1_5: true\n`)
    const rsa = await generateTeeKey('RSA1_5')
    for (const version of protocolVersions) {
      const keyPair = version.startsWith('0.1') ? rsa : pair
      const guest = guestOf(scene, keyPair, { version })
      assert.deepEqual(Buffer.from(await guest.get('resource/default/key/one')), secret, version)
      // In passport mode nothing but the token's key tells the version.
      const shown = { bearer: await guest.attest() }
      const { body } = await call(scene, 'GET', 'resource/default/key/one', shown)
      assert.deepEqual(Buffer.from(decryptResponse(keyPair, body, version)), secret, version)
    }
    await using strict = await trusting()
    await assert.rejects(guestOf(strict, rsa, { version: '0.1.1' }).get('resource/default/key/one'), {
      code: 'RCAR_FAILED',
    })
  })

  test('401 where attesting again helps, 403 for a no, 404 for what is not there', async () => {
    await using scene = await trusting()
    const stranger = await call(scene, 'GET', 'resource/default/key/one')
    assert.deepEqual([stranger.status, typeOf(stranger.body)], [401, 'TokenNotFound'])
    const nothing = await call(scene, 'GET', 'no-such-plugin/x')
    assert.deepEqual([nothing.status, typeOf(nothing.body)], [404, 'PluginNotFound'])
    const admins = await call(scene, 'POST', 'resource-policy')
    assert.deepEqual([admins.status, typeOf(admins.body)], [401, 'AdminAuthAccess'])
    const put = await call(scene, 'POST', 'resource/default/key/one', { body: secret })
    assert.equal(put.status, 401)
    await assert.rejects(guestOf(scene).get('resource/default/key/none'), { code: 'RCAR_NOT_FOUND' })
    await assert.rejects(guestOf(scene).get('resource/default/key'), { code: 'RCAR_NOT_FOUND' })
  })

  test('a session ends, and the guest attests again by itself', async () => {
    await using scene = await trusting()
    const guest = guestOf(scene)
    await guest.get('resource/default/key/one')
    scene.clock.at = new Date(scene.clock.at.getTime() + 301_000)
    assert.deepEqual(Buffer.from(await guest.get('resource/default/key/one')), secret)
    assert.equal(scene.face.gauges().attested_total, 2)
  })

  test('a nonce is for one session and one key; an attested session gives its token again', async () => {
    await using scene = await trusting()
    const first = await begin(scene)
    const second = await begin(scene)
    const good = evidenceFor(first.nonce, pair)
    const crossed = await call(scene, 'POST', 'attest', { sessionId: second.id, body: good })
    assert.deepEqual([crossed.status, crossed.outcome.code], [401, 'EVIDENCE_MISBOUND'])
    const other = await generateTeeKey('P-256')
    const stolen = formatAttestationRequest({ ...parts(first.nonce, pair), teePubkey: other.jwk }, '0.4.0')
    const rebound = await call(scene, 'POST', 'attest', { sessionId: first.id, body: stolen })
    assert.deepEqual([rebound.status, rebound.outcome.code], [401, 'EVIDENCE_MISBOUND'])
    const token = await call(scene, 'POST', 'attest', { sessionId: first.id, body: good })
    const again = await call(scene, 'POST', 'attest', { sessionId: first.id, body: evidenceFor('x', other) })
    assert.equal(token.status, 200)
    assert.deepEqual(again.body, token.body)
    const unknown = await call(scene, 'POST', 'attest', { sessionId: 'f'.repeat(32), body: good })
    assert.deepEqual([unknown.status, unknown.outcome.code], [401, 'BROKER_SESSION_UNKNOWN'])
    const notYet = await call(scene, 'GET', 'resource/default/key/one', { sessionId: second.id })
    assert.equal(notYet.status, 401)
  })

  test('its token stands elsewhere: as a bearer here, and under the JWK set', async () => {
    await using scene = await trusting()
    const token = await guestOf(scene).attest()
    const reply = await call(scene, 'GET', 'resource/default/key/one', { bearer: token })
    assert.equal(reply.status, 200)
    const forged = await call(scene, 'GET', 'resource/default/key/one', { bearer: `${token.slice(0, -2)}AA` })
    assert.deepEqual([forged.status, typeOf(forged.body)], [401, 'TokenVerifierError'])
    const keys = parseJwkSet((await call(scene, 'GET', 'token-keys')).body)
    assert.equal(verifyToken(token, { keys }, scene.clock.at).claims.iss, 'https://broker.example')
    const { status } = await scene.admin('POST', 'token-keys/rotate')
    assert.equal(status, 200)
    scene.clock.at = new Date(scene.clock.at.getTime() + 299_000)
    assert.equal((await call(scene, 'GET', 'resource/default/key/one', { bearer: token })).status, 200)
    const both = parseJwkSet((await call(scene, 'GET', 'token-keys')).body)
    assert.equal(both.length, 2)
  })

  test('a policy is tried against what was asked, set, and rolled back', async () => {
    await using scene = await trusting()
    await guestOf(scene).get('resource/default/key/one')
    const none = 'package policy\nimport rego.v1\ndefault allow := false\n'
    const files = [{ path: 'none.rego', text: none }]
    const tried = await scene.admin('POST', 'policies/resource/try', { files })
    const told = JSON.parse(Buffer.from(tried.body).toString())
    assert.deepEqual(
      [told.tried, told.newlyDenied, told.changes[0].resource],
      [1, 1, 'resource/default/key/one'],
    )
    assert.equal((await scene.admin('PUT', 'policies/resource', { files })).status, 200)
    await assert.rejects(guestOf(scene).get('resource/default/key/one'), { code: 'RCAR_REFUSED' })
    assert.equal((await scene.admin('POST', 'policies/resource/rollback')).status, 200)
    await guestOf(scene).get('resource/default/key/one')
    const wrong = await scene.admin('PUT', 'policies/resource', {
      files: [{ path: 'x.rego', text: 'package' }],
    })
    assert.deepEqual([wrong.status, wrong.outcome.code], [400, 'POLICY_SYNTAX'])
    const encoded = Buffer.from(none).toString('base64url')
    assert.equal((await scene.admin('POST', 'kbs:resource-policy', { policy: encoded })).status, 200)
    await assert.rejects(guestOf(scene).get('resource/default/key/one'), { code: 'RCAR_REFUSED' })
  })

  test('an admin without a grant is refused, and that is written down', async () => {
    await using scene = await trusting()
    const eve = await scene.face.admin(
      {
        method: 'GET',
        path: ['policies'],
        query: {},
        body: new Uint8Array(),
        api: 'admin',
        principal: { kind: 'user', name: 'eve' },
      },
      never,
    )
    assert.deepEqual([eve.status, eve.outcome.code], [403, 'BROKER_ADMIN_DENIED'])
    const last = (await Array.fromAsync(scene.audit.records())).at(-1)!.record
    assert.ok(last.type === 'access' && !last.allowed && last.principal.name === 'eve')
  })

  test('a change of the access rules counts while it runs, and rules that are none let nobody in', async () => {
    await using scene = await trusting()
    const path = join(scene.directory, 'access.yaml')
    const rules = readFileSync(path, 'utf8')
    const status = async (wanted: number) => {
      for (let attempt = 0; ; attempt++) {
        const reply = await scene.admin('GET', 'policies')
        if (reply.status === wanted || attempt === 100) return assert.equal(reply.status, wanted)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    await status(200)
    writeFileSync(path, rules.replace('user:ada', 'user:eve'))
    await status(403)
    writeFileSync(path, 'version: 1\ngrants: [')
    await status(503)
    writeFileSync(path, rules)
    await status(200)
  })

  test('nothing that is planted stands in a refusal, an outcome, the log, or a file', async () => {
    await using scene = await trusting()
    const planted = 'PLANTED-5ec4e7'
    await scene.admin('POST', 'kbs:resource/default/key/planted', Buffer.from(planted))
    await guestOf(scene).get('resource/default/key/planted')
    const seen: string[] = []
    for (const path of ['resource/default/key/none', 'auth', 'attest', 'x/y']) {
      const reply = await call(scene, 'POST', path, { body: Buffer.from(planted), bearer: planted })
      seen.push(Buffer.from(reply.body).toString(), JSON.stringify(reply.outcome))
    }
    for await (const { record } of scene.audit.records()) seen.push(JSON.stringify(record))
    for (const name of readdirSync(scene.directory, { recursive: true, encoding: 'utf8' })) {
      const path = join(scene.directory, name)
      try {
        seen.push(readFileSync(path, 'latin1'))
      } catch {
        // A directory.
      }
    }
    const base64 = Buffer.from(planted).toString('base64').slice(0, -2)
    for (const text of seen) assert.ok(!text.includes(planted) && !text.includes(base64))
  })
})

async function begin(scene: BrokerScene): Promise<{ id: string; nonce: string }> {
  const reply = await call(scene, 'POST', 'auth', {
    body: formatAuthRequest({ version: '0.4.0', tee: 'sample' }),
  })
  const { nonce } = JSON.parse(Buffer.from(reply.body).toString()) as { nonce: string }
  assert.equal(nonce.length, challengeFor('sample').nonce.length)
  return { id: reply.cookie!.value, nonce }
}

function parts(nonce: string, { jwk }: TeeKeyPair) {
  const data = { nonce, teePubkey: jwk, additionalEvidence: '' }
  return { ...data, primaryEvidence: sampleEvidence(primaryReportData('0.4.0', 'sample', data)) }
}

const evidenceFor = (nonce: string, keyPair: TeeKeyPair) =>
  formatAttestationRequest(parts(nonce, keyPair), '0.4.0')
