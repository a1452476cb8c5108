import assert from 'node:assert/strict'
import { createPublicKey, type JsonWebKeyInput, type KeyObject } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure, type Json } from '#base/index.ts'
import { generateKeyPair, privateKeySigner } from '#keys/index.ts'
import { MemorySecretStore } from '../../../test/support/memory-secret-store.ts'
import { createPool, formatNetwork, Leases, parseNetwork } from '../leases/index.ts'
import type { Caller, PluginRequest } from '../types.ts'
import { createNebulaAuthority } from './authority.ts'
import { fingerprintsOf, parseNebulaPem } from './certificate.ts'
import { parseCredentialRequest, parseDuration } from './credential-request.ts'
import { makeNodeKey, type NebulaCurve } from './node-key.ts'
import { nebulaPlugin } from './plugin.ts'
import { nodeKeyDigest, possessionKey, proveNodeKey } from './possession.ts'
import { verifyNebulaCertificate } from './verify.ts'

const refused = (code: string) => (error: unknown) => isFailure(error, code)
const at = (seconds: number) => new Date(1_800_000_000_000 + seconds * 1000)
const signal = new AbortController().signal
const hour = 3_600_000

const guest = (id: string, more: { [key: string]: Json } = {}): Caller => ({
  kind: 'guest',
  claims: { id, ...more },
  teeKey: { kty: 'EC', of: id },
})
const claim = (caller: Caller, name: string) => {
  const value = caller.kind === 'guest' ? (caller.claims as { [key: string]: Json })[name] : undefined
  return typeof value === 'string' ? value : undefined
}

async function open(curve: NebulaCurve = 'CURVE25519') {
  const possession: KeyObject[] = []
  const make = async (name: string) => {
    const { privateKey } = await generateKeyPair(curve === 'P256' ? 'ecdsa-p256' : 'ed25519')
    const life = { notBefore: at(-1000), notAfter: at(100 * 3600) }
    if (curve === 'CURVE25519') possession.push(possessionKey(privateKey))
    return await createNebulaAuthority({ version: 2, name, ...life, signer: privateKeySigner(privateKey) })
  }
  const [first, second] = [await make('first'), await make('second')]
  const state = { issuing: first }
  const store = new MemorySecretStore()
  const pool = createPool({ name: 'p', range: parseNetwork('10.0.0.0/24') })
  const leases = new Leases({ store, prefix: 'nebula', pool, graceMs: 0 })
  // A plugin of its own for each request: nothing is kept but in the store.
  const ask = async (
    query: Record<string, string>,
    caller: Caller = guest('g'),
    seconds = 0,
    more: Partial<PluginRequest> = {},
  ) => {
    const plugin = nebulaPlugin({
      leases: new Leases({ store, prefix: 'nebula', pool, graceMs: 0 }),
      authorities: async () => ({
        issuing: state.issuing,
        trusted: [first.certificate, second.certificate],
        possession,
      }),
      identity: (of) => claim(of, 'id'),
      attestedKeyDigest: (of) => claim(of, 'key'),
      defaultMs: hour,
      longestMs: 24 * hour,
    })
    const empty = {
      plugin: 'nebula-ca',
      method: 'GET',
      path: ['credential'],
      body: new Uint8Array(),
    } as const
    return await plugin.handle({ ...empty, query, caller, ...more }, at(seconds), signal)
  }
  const read = async (...of: Parameters<typeof ask>) => {
    const reply = await ask(...of)
    assert.deepEqual([reply.noStore, reply.mediaType], [true, 'application/json'])
    const fields = JSON.parse(Buffer.from(reply.body).toString()) as Record<string, number[]>
    const text = (name: string) => Buffer.from(fields[name] ?? []).toString()
    const [certificate] = parseNebulaPem(text('node_crt'))
    return {
      reply,
      certificate: certificate!,
      key: text('node_key'),
      trusted: parseNebulaPem(text('ca_crt')),
    }
  }
  const blocklist = async (seconds: number) => {
    const { body } = await ask({}, { kind: 'anonymous' }, seconds, { path: ['blocklist'] })
    return (JSON.parse(Buffer.from(body).toString()) as { pki: { blocklist: string[] } }).pki.blocklist
  }
  return { ask, read, blocklist, first, second, state, store, leases, possession }
}

describe('the plugin nebula-ca', () => {
  test('gives Trustee’s reply: certificate, key and authorities as bytes of their PEM', async () => {
    const { read } = await open()
    const query = { name: 'web', ip: '10.0.0.9/24', groups: 'b,a', subnets: '192.168.0.0/24', duration: '2h' }
    const { certificate, key, trusted } = await read(query)
    verifyNebulaCertificate(certificate, trusted, at(0))
    assert.match(key, /^-----BEGIN NEBULA X25519 PRIVATE KEY-----\n/)
    assert.deepEqual(certificate.networks.map(formatNetwork), ['10.0.0.9/24'])
    assert.deepEqual([certificate.name, certificate.groups], ['web', ['a', 'b']])
    assert.equal(certificate.notAfter * 1000, at(7200).getTime())
    assert.equal((await read({ name: 'old', version: '1' })).certificate.version, 1)
  })

  test('the same question has the same answer until half of its time is over', async () => {
    const { read } = await open()
    const { reply } = await read({ name: 'web' })
    assert.deepEqual((await read({ name: 'web' }, guest('g'), 1800)).reply, reply)
    const later = await read({ name: 'web' }, guest('g'), 1801)
    assert.notDeepEqual(later.reply, reply)
    assert.equal(later.certificate.notAfter * 1000, at(1801 + 3600).getTime())
  })

  test('name and address are one holder’s', async () => {
    const { ask } = await open()
    await ask({ name: 'web', ip: '10.0.0.9' })
    await assert.rejects(ask({ name: 'web' }, guest('other')), refused('LEASE_NAME_TAKEN'))
    await assert.rejects(ask({ name: 'x', ip: '10.0.0.9' }, guest('other')), refused('LEASE_ADDRESS_TAKEN'))
    await ask({ name: 'web' }, guest('other'), 3600)
  })

  test('while an authority follows another both are told, and the new one issues', async () => {
    const { read, state, second, first } = await open()
    const before = await read({ name: 'web' })
    state.issuing = second
    const after = await read({ name: 'web' })
    assert.equal(before.certificate.issuer, first.fingerprint)
    assert.equal(after.certificate.issuer, second.fingerprint)
    for (const { certificate } of [before, after]) verifyNebulaCertificate(certificate, after.trusted, at(0))
  })

  test('what is given back or revoked is on the blocklist until it ends', async () => {
    const { ask, read, blocklist, leases } = await open('P256')
    const [web, db] = [await read({ name: 'web' }), await read({ name: 'db' })]
    await ask({ name: 'web' }, guest('g'), 1, { method: 'DELETE' })
    assert.deepEqual(await blocklist(2), fingerprintsOf(web.certificate).sort())
    await assert.rejects(
      ask({ name: 'db' }, guest('other'), 1, { method: 'DELETE' }),
      refused('LEASE_NOT_FOUND'),
    )
    await leases.revokeName('db', at(1))
    const both = [web, db].flatMap(({ certificate }) => fingerprintsOf(certificate)).sort()
    assert.deepEqual([both.length, await blocklist(2)], [4, both])
    assert.deepEqual(await blocklist(3600), [])
  })

  test('a key of the guest’s own is certified where its TEE reported it, and no key is sent', async () => {
    const { read, ask } = await open()
    const { publicKey } = makeNodeKey('CURVE25519')
    const query = { name: 'web', 'public-key': Buffer.from(publicKey).toString('base64url') }
    const digest = nodeKeyDigest('CURVE25519', publicKey)
    const { certificate, key } = await read(query, guest('g', { key: digest }))
    assert.deepEqual([Buffer.from(certificate.publicKey), key], [Buffer.from(publicKey), ''])
    for (const wrong of [{}, { key: '' }, { key: nodeKeyDigest('P256', publicKey) }, { key: `${digest}0` }]) {
      await assert.rejects(ask(query, guest('g', wrong)), refused('NEBULA_POSSESSION_UNPROVED'))
    }
  })

  test('a P-256 key signs for itself, for this session and request alone', async () => {
    const { read, ask } = await open('P256')
    const node = makeNodeKey('P256')
    const publicKey = Buffer.from(node.publicKey)
    const query = { name: 'web', 'public-key': publicKey.toString('base64url') }
    const caller = guest('g') as Extract<Caller, { kind: 'guest' }>
    const signature = proveNodeKey(node, query, caller.teeKey)
    assert.deepEqual(Buffer.from((await read({ ...query, signature })).certificate.publicKey), publicKey)
    const unproved = refused('NEBULA_POSSESSION_UNPROVED')
    await assert.rejects(ask({ ...query, signature }, guest('other')), unproved)
    await assert.rejects(ask({ ...query, signature, groups: 'admin' }), unproved)
    await assert.rejects(ask({ ...query, signature: 'AAAA' }), unproved)
    await assert.rejects(ask(query), unproved)
  })

  test('an X25519 key shows that it is the guest’s by agreeing with the authority’s, for this session and request alone', async () => {
    const { read, ask, possession } = await open()
    const told = await ask({}, { kind: 'anonymous' }, 0, { path: ['possession-key'] })
    const authority = JSON.parse(Buffer.from(told.body).toString()) as JsonWebKeyInput['key']
    const node = makeNodeKey('CURVE25519')
    const query = { name: 'web', 'public-key': Buffer.from(node.publicKey).toString('base64url') }
    const { teeKey } = guest('g') as Extract<Caller, { kind: 'guest' }>
    const signature = proveNodeKey(node, query, teeKey, authority)
    const { certificate, key } = await read({ ...query, signature })
    assert.deepEqual([Buffer.from(certificate.publicKey), key], [Buffer.from(node.publicKey), ''])
    // While one authority follows another a guest may have asked for the key of either.
    const other = createPublicKey(possession[1]!).export({ format: 'jwk' })
    await read({ ...query, signature: proveNodeKey(node, query, teeKey, other) })
    const unproved = refused('NEBULA_POSSESSION_UNPROVED')
    await assert.rejects(ask({ ...query, signature }, guest('other')), unproved)
    await assert.rejects(ask({ ...query, signature, groups: 'admin' }), unproved)
    await assert.rejects(ask({ ...query, signature: 'AAAA' }), unproved)
    const another = { ...makeNodeKey('CURVE25519'), publicKey: node.publicKey }
    await assert.rejects(
      ask({ ...query, signature: proveNodeKey(another, query, teeKey, authority) }),
      unproved,
    )
    // With a key of small order all agree on zero, whoever asks.
    const zero = { ...query, 'public-key': Buffer.alloc(32).toString('base64url') }
    await assert.rejects(ask({ ...zero, signature }), unproved)
    const { ask: askP256 } = await open('P256')
    await assert.rejects(
      askP256({}, { kind: 'anonymous' }, 0, { path: ['possession-key'] }),
      refused('NEBULA_PATH_UNKNOWN'),
    )
  })

  test('who may ask what, and what is encrypted', () => {
    const plugin = nebulaPlugin({} as never)
    const of = (method: PluginRequest['method'], ...path: string[]) => {
      const request = { plugin: 'nebula-ca', method, path, query: {}, body: new Uint8Array() }
      return [plugin.access(request), plugin.encrypted(request)]
    }
    assert.deepEqual(of('GET', 'credential'), ['attested', true])
    assert.deepEqual(of('DELETE', 'credential'), ['attested', false])
    assert.deepEqual(of('GET', 'ca'), ['public', false])
    assert.deepEqual(of('GET', 'blocklist'), ['public', false])
    assert.deepEqual(of('GET', 'possession-key'), ['public', false])
    for (const path of [['revoke'], [], ['ca', 'x'], ['..']]) assert.equal(of('POST', ...path)[0], 'admin')
  })

  test('callers without an identity, and requests that cannot be, are refused', async () => {
    const { ask, store } = await open()
    for (const caller of [{ kind: 'anonymous' } as const, guest('')]) {
      await assert.rejects(ask({ name: 'web' }, caller), refused('NEBULA_CALLER_REFUSED'))
    }
    const bad = [
      { ip: '10.0.0.1/16' },
      { ip: 'fd00::1/64' },
      { ip: 'x' },
      { duration: '25h' },
      { duration: '0s' },
    ]
    for (const query of [
      { name: '' },
      ...bad,
      { version: '3' },
      { group: 'a' },
      { subnets: 'x' },
      { groups: 'a,,b' },
      { groups: Array.from({ length: 65 }, (_, i) => `g${i}`).join() },
      { groups: 'x'.repeat(129) },
      { groups: 'a\nb' },
      { 'public-key': '!' },
    ]) {
      await assert.rejects(
        ask({ name: 'web', ...query }),
        refused('NEBULA_REQUEST_INVALID'),
        JSON.stringify(query),
      )
    }
    await assert.rejects(
      ask({ name: 'web' }, guest('g'), 0, { path: ['other'] }),
      refused('NEBULA_PATH_UNKNOWN'),
    )
    assert.equal(store.entries.size, 0)
    // Found only by the authority, with a name and an address already at hand.
    await assert.rejects(ask({ name: 'web', subnets: 'fd00::/64' }), refused('NEBULA_TERMS_INVALID'))
    assert.equal(store.entries.size, 0)
  })

  test('any query is a request or refused', () => {
    const value = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789.,:/hms') }))
    const name = fc.constantFrom(
      'name',
      'ip',
      'duration',
      'groups',
      'subnets',
      'version',
      'public-key',
      '__proto__',
    )
    fc.assert(
      fc.property(fc.dictionary(name, value), (query) => {
        try {
          parseCredentialRequest(query)
        } catch (error) {
          assert.ok(isFailure(error, 'NEBULA_REQUEST_INVALID'), String(error))
        }
      }),
    )
    assert.equal(parseDuration('1h30m5s'), 5_405_000)
    for (const text of ['', '1', '1d', '-1h', '1.5h', '5s1h', `${'9'.repeat(30)}h`]) {
      assert.throws(() => parseDuration(text), refused('NEBULA_REQUEST_INVALID'))
    }
  })
})
