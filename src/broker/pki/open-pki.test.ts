import assert from 'node:assert/strict'
import { type KeyObject, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { admin, configuration, identity, made, open, start, text } from '../../../test/support/pki-scene.ts'
import type { PkiConfiguration } from '../configuration/types.ts'
import { MemorySecretStore } from '../stores/index.ts'
import { openPki } from './index.ts'

test('a configuration that cannot be kept is refused', () => {
  const profile = (change: object) => ({ profiles: { a: { use: ['client'] as const, ...change } } })
  const bad: Record<string, Partial<PkiConfiguration>> = {
    'a trust domain in upper case': { trustDomain: 'Shop.example' },
    'a trust domain with a path': { trustDomain: 'shop.example/a' },
    'no trust domain': { trustDomain: '' },
    'no address of lists': { crlAddress: 'kbs.example' },
    'an address of lists with more': { crlAddress: 'http://kbs.example/?a=b' },
    'an address of lists with a password': { crlAddress: 'http://a:b@kbs.example' },
    'an intermediate that is too short': { intermediateDays: 2 },
    'a root that is too short': { rootDays: 1000 },
    'a name of a profile': { profiles: { 'a/b': { use: ['client'] } } },
    'no use': profile({ use: [] }),
    'hours over the longest': profile({ hours: 2, longestHours: 1 }),
    'no hours': profile({ hours: 0 }),
    'hours that are no number': profile({ hours: Number.NaN }),
    'longer than may be': profile({ longestHours: 9000 }),
    'nobody at all': profile({ spiffe: false }),
    'a star over all': profile({ dns: ['*'] }),
    'a star in a label': profile({ dns: ['a*.shop.example'] }),
    'a pattern in upper case': profile({ dns: ['A.shop.example'] }),
    'an address as a name': profile({ dns: ['10.0.0.1'] }),
    'no range': profile({ ip: ['10.0.0.0/33'] }),
    'too many patterns': profile({ dns: Array.from({ length: 257 }, (_, n) => `a${n}.example`) }),
    'too many profiles': {
      profiles: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`a${n}`, { use: ['client'] }])),
    },
  }
  for (const [what, change] of Object.entries(bad))
    assert.throws(() => open(undefined, change), { code: 'PKI_CONFIGURATION_INVALID' }, what)
  const { profiles: _, ...least } = configuration
  assert.ok(openPki(new MemorySecretStore(), least, { identity }))
})

test('the SPIFFE bundle has one key for each root', async () => {
  const store = new MemorySecretStore()
  const pki = open(store)
  const bundle = async () => JSON.parse(await text(pki, 'bundle'))
  const { keys, spiffe_sequence: sequence } = await bundle()
  assert.equal(keys.length, 1)
  const { x5c, use, kty, crv, x, y, ...others } = keys[0]
  assert.deepEqual([use, kty, crv, x5c.length, others], ['x509-svid', 'EC', 'P-256', 1, {}])
  const root = new X509Certificate(Buffer.from(x5c[0], 'base64'))
  assert.ok(root.verify(root.publicKey))
  assert.deepEqual(root.publicKey.export({ format: 'jwk' }), { kty, crv, x, y })
  assert.equal(root.subjectAltName, 'URI:spiffe://shop.example')
  await pki.rotate({ root: true }, start)
  const next = await bundle()
  assert.equal(next.keys.length, 2)
  assert.ok(next.spiffe_sequence > sequence)
})

test('private keys are in the state alone', async () => {
  const store = new MemorySecretStore()
  const pki = open(store)
  const secrets: KeyObject[] = []
  await made(pki, { profile: 'guest' })
  await admin(pki, 'POST', 'pki/rotate', { body: Buffer.from('{"root":true}') })
  const { roots, intermediates } = await pki.authorities(start)
  for (const { key } of [...roots, ...intermediates]) secrets.push(key)
  const told = JSON.stringify([
    await admin(pki, 'GET', 'pki/authorities'),
    await admin(pki, 'GET', 'pki/issued'),
    await admin(pki, 'GET', 'pki/holders/ada'),
    await text(pki, 'ca'),
    await text(pki, 'bundle'),
  ])
  for (const secret of secrets) {
    const { d } = secret.export({ format: 'jwk' })
    const pkcs8 = secret.export({ format: 'der', type: 'pkcs8' }).toString('base64')
    assert.ok(!told.includes(d!) && !told.includes(pkcs8.slice(40, 80)))
  }
})
