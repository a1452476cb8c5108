import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { BrokerConfiguration } from '#broker/index.ts'
import { testCertificates } from '../../../test/support/test-certificates.ts'
import { checkListeners } from './check-listeners.ts'

let directory = ''
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'sealift-listeners-'))
  const { publicKey } = generateKeyPairSync('ed25519')
  const { ca, server, serverKey } = testCertificates
  const files = { ca, server, serverKey, key: publicKey.export({ format: 'pem', type: 'spki' }) as string }
  for (const [name, text] of Object.entries({ ...files, nonsense: 'no key' }))
    writeFileSync(join(directory, name), text)
})
after(() => rmSync(directory, { recursive: true }))

type Terms = Pick<BrokerConfiguration, 'listen' | 'tls' | 'admin'>
const problems = async (terms: Terms, at = new Date()) =>
  (await checkListeners(terms, directory, at)).flatMap(({ what, ok, code }) => (ok ? [] : `${what} ${code}`))

const tls = { certificate: 'server', key: 'serverKey' }
const keys = [{ principal: 'user:ada', publicKey: 'key' }]

test('listeners that can listen have no problem', async () => {
  assert.deepEqual(await problems({}), [])
  assert.deepEqual(await problems({ tls, admin: { listen: '0.0.0.0:8081', tls, keys, clientCa: 'ca' } }), [])
  const [guests] = await checkListeners({ tls }, directory, new Date())
  assert.match(guests!.message, /^127\.0\.0\.1:8080; the certificate counts until \d{4}-/)
})

test('a certificate has to count now', async () => {
  const admin = { listen: '127.0.0.1:8081', tls, keys }
  const ended = ['listen BROKER_CERTIFICATE_ENDED', 'admin/listen BROKER_CERTIFICATE_ENDED']
  assert.deepEqual(await problems({ tls, admin }, new Date('2199-01-01')), ended)
  assert.deepEqual(await problems({ tls, admin }, new Date('1999-01-01')), ended)
})

test('what cannot be used is told of each listener', async () => {
  assert.deepEqual(await problems({ tls: { certificate: 'server', key: 'gone' } }), ['listen FILE_SYSTEM'])
  assert.deepEqual(await problems({ tls: { certificate: 'ca', key: 'serverKey' } }), [
    'listen TLS_FILES_INVALID',
  ])
  assert.deepEqual(await problems({ admin: { listen: '0.0.0.0:8081', keys } }), [
    'admin/listen BROKER_ADMIN_UNPROTECTED',
  ])
  const admin = { listen: '127.0.0.1:8081' }
  const nonsense = [{ principal: 'user:ada', publicKey: 'nonsense' }]
  const invalid = ['admin/keys BROKER_ADMIN_KEYS_INVALID']
  assert.deepEqual(await problems({ admin: { ...admin, keys: nonsense } }), invalid)
  assert.deepEqual(await problems({ admin: { ...admin, clientCa: 'key' } }), invalid)
})
