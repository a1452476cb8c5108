import assert from 'node:assert/strict'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { generateTeeKey, guestClient } from '#attestation/index.ts'
import { type BrokerScene, brokerScene, fetchOf, never } from '../../../test/support/broker-scene.ts'
import { certificateRequest } from '../../../test/support/certificate-request.ts'

const secret = Buffer.from('a secret of 32 bytes, which it is')
const policy = `package policy

import rego.v1

default allow := false

allow if {
	data.plugin == "pki"
	input.submods.cpu0["ear.status"] == "affirming"
	every name in data.request.pki.dns { startswith(name, "a") }
	not contains(data.query.dns, "b")
}

allow if {
	data.plugin == "pki"
	input.submods.cpu0["ear.status"] == "affirming"
	not data.query.dns
}

allow if {
	data.plugin == "resource"
	input.certificate.profile == "guest"
	input.attested.status.cpu0 == "affirming"
}
`
const pki = `
pki:
  trustDomain: shop.example
  clientCertificates: true
  profiles:
    guest: { use: [client] }
    web: { use: [client, server], dns: ['*.shop.example'] }
`

async function startBroker(): Promise<BrokerScene> {
  const place = 'place: { kind: sqlite, path: secrets.sqlite }'
  // Whether certificates stand for guests is for the store to say, and then for the policy.
  const verbs = 'verbs: { read: [guest, certificate] }'
  const scene = await brokerScene((yaml) => yaml.replace(place, `${place}\n      ${verbs}`) + pki)
  const ok = async (...asked: Parameters<BrokerScene['admin']>) => {
    const { status, body } = await scene.admin(...asked)
    assert.equal(status, 200, Buffer.from(body).toString())
  }
  for (const [name, value] of Object.entries({ svn: ['1'], launch_digest: ['abcde'] }))
    await ok('PUT', `references/${name}`, { value })
  await ok('POST', 'kbs:resource/default/key/one', secret)
  await ok('PUT', 'policies/resource', { files: [{ path: 'policy.rego', text: policy }] })
  return scene
}

const guestOf = async ({ face }: BrokerScene, crew = 'night') => {
  const body = `version = "0.1.0"\nalgorithm = "sha256"\n[data]\n"crew" = "${crew}"\n`
  const keyPair = await generateTeeKey('P-256')
  const initData = { format: 'toml', body } as const
  return guestClient({ url: 'http://broker.test', keyPair, initData, fetch: fetchOf(face) })
}

const call = (scene: BrokerScene, method: 'GET' | 'POST', path: string, more: object = {}) =>
  scene.face.guest({ method, path: path.split('/'), query: {}, body: new Uint8Array(), ...more }, never)

const json = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString())

test('an attested guest gets a certificate, and with it a secret without a session', async () => {
  await using scene = await startBroker()
  const guest = await guestOf(scene)
  const answer = json(await guest.get('pki/certificate?profile=guest'))
  const again = await (await guestOf(scene)).get('pki/certificate?profile=guest')
  assert.deepEqual(json(again), answer, 'who started the same is the same')
  const { raw: certificate, subjectAltName = '' } = new X509Certificate(answer.certificate)
  assert.match(subjectAltName, /^URI:spiffe:\/\/shop\.example\/guest\/[0-9a-f]{64}$/)
  const other = json(await (await guestOf(scene, 'day')).get('pki/certificate?profile=guest'))
  assert.notEqual(new X509Certificate(other.certificate).subjectAltName, subjectAltName)

  const released = await call(scene, 'GET', 'resource/default/key/one', { certificate })
  assert.equal(released.status, 200)
  assert.deepEqual(Buffer.from(released.body), secret)
  // A session alone is not what this policy asks for.
  await assert.rejects(guest.get('resource/default/key/one'), { code: 'RCAR_REFUSED' })
  const strange = await call(scene, 'GET', 'resource/default/key/one', {
    certificate: certificate.subarray(1),
  })
  assert.equal(strange.status, 401)
  // No certificate for a certificate: who is not attested any more comes to an end.
  const more = await call(scene, 'GET', 'pki/certificate', { certificate, query: { profile: 'guest' } })
  assert.deepEqual([more.status, more.outcome.code], [403, 'PKI_CALLER_REFUSED'])

  const identity = subjectAltName.split('/').at(-1)
  assert.equal((await scene.admin('PUT', `pki/holders/${identity}`)).status, 200)
  const revoked = await call(scene, 'GET', 'resource/default/key/one', { certificate })
  assert.equal(revoked.status, 401)
  await assert.rejects(guest.get('pki/certificate?profile=guest'), { code: 'RCAR_REFUSED' })
  const records = (await Array.fromAsync(scene.audit.records())).map(({ record }) => JSON.stringify(record))
  assert.ok(!records.some((record) => record.includes('PRIVATE KEY')))
})

test('a policy sees the names of a request wherever they stand', async () => {
  await using scene = await startBroker()
  const guest = await guestOf(scene)
  const bearer = await guest.attest()
  const { privateKey } = generateKeyPairSync('ed25519')
  const post = (dns: readonly string[], query: object = {}) =>
    call(scene, 'POST', 'pki/certificate', {
      bearer,
      query: { profile: 'web', ...query },
      body: certificateRequest(privateKey, { dns }),
    })
  const good = await post(['a1.shop.example'], { dns: 'a2.shop.example' })
  assert.equal(good.status, 200)
  // The guest's key never left it: there is nothing to encrypt.
  const { certificate, key } = json(good.body)
  assert.equal(key, undefined)
  assert.ok(new X509Certificate(certificate).checkPrivateKey(privateKey))
  for (const refused of [
    await post(['b.shop.example']),
    await post(['a.shop.example', 'B.shop.example']),
    await post(['a.shop.example'], { dns: 'b.shop.example' }),
  ])
    assert.deepEqual([refused.status, refused.outcome.code], [403, 'BROKER_POLICY_DENIED'])
  const outside = await post(['a.other.example'])
  assert.deepEqual([outside.status, outside.outcome.code], [403, 'PKI_NAME_REFUSED'])
  const broken = await call(scene, 'POST', 'pki/certificate', { bearer, query: { profile: 'web' } })
  assert.deepEqual([broken.status, broken.outcome.code], [400, 'CERTIFICATE_REQUEST_INVALID'])
})

test('what is for everybody asks nobody', async () => {
  await using scene = await startBroker()
  for (const path of ['ca', 'crl', 'crl.pem', 'bundle']) {
    const { status, noStore } = await call(scene, 'GET', `pki/${path}`)
    assert.deepEqual([status, noStore], [200, false])
  }
  assert.equal((await call(scene, 'GET', 'pki/crl/0000000000000000')).status, 404)
  assert.equal((await call(scene, 'GET', 'pki/certificate')).status, 401)
  assert.equal((await call(scene, 'POST', 'pki/rotate')).status, 401)
})
