import assert from 'node:assert/strict'
import { createCipheriv, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { before, test } from 'node:test'
import fc from 'fast-check'
import { FlattenedEncrypt, flattenedDecrypt } from 'jose'
import { isFailure, type Json } from '#base/index.ts'
import type { JsonObject } from '../members.ts'
import type { ProtocolVersion } from '../messages/index.ts'
import {
  decryptResponse,
  encryptTo,
  generateTeeKey,
  parseTeeKey,
  type TeeKeyKind,
  type TeeKeyPair,
} from './index.ts'

const code = (name: string) => (error: unknown) => isFailure(error, name)
const secret = Buffer.from('harbour')
const kinds: readonly TeeKeyKind[] = ['P-256', 'P-521', 'RSA-OAEP-256', 'RSA1_5', 'ML-KEM-768']
const pairs = new Map<TeeKeyKind, TeeKeyPair>()
const pair = (kind: TeeKeyKind) => pairs.get(kind)!
const versionOf = (kind: TeeKeyKind): ProtocolVersion => (kind === 'RSA1_5' ? '0.1.1' : '0.4.0')

before(async () => {
  for (const kind of kinds) pairs.set(kind, await generateTeeKey(kind))
})

const sent = (kind: TeeKeyKind, version = versionOf(kind)) =>
  JSON.parse(Buffer.from(encryptTo(pair(kind).teeKey, secret, version)).toString()) as Record<string, string>
const open = (kind: TeeKeyKind, reply: object, version = versionOf(kind)) =>
  decryptResponse(pair(kind), Buffer.from(JSON.stringify(reply)), version)
const headerOf = (reply: Record<string, string>) => Buffer.from(reply.protected!, 'base64url').toString()

test('what is encrypted to a key is opened with it', () => {
  for (const kind of kinds) {
    assert.deepEqual(Buffer.from(open(kind, sent(kind))), secret)
    const empty = encryptTo(pair(kind).teeKey, Buffer.alloc(0), versionOf(kind))
    assert.equal(decryptResponse(pair(kind), empty, versionOf(kind)).length, 0)
  }
})

test('jose opens what is encrypted here', async () => {
  for (const kind of ['P-256', 'P-521', 'RSA-OAEP-256'] as const) {
    const { plaintext, protectedHeader } = await flattenedDecrypt(sent(kind) as never, pair(kind).privateKey)
    assert.deepEqual(Buffer.from(plaintext), secret)
    assert.equal(protectedHeader?.enc, 'A256GCM')
  }
})

test('what jose encrypts is opened here', async () => {
  for (const kind of ['P-256', 'P-521', 'RSA-OAEP-256'] as const) {
    const { alg } = pair(kind).jwk as { alg: string }
    const reply = await new FlattenedEncrypt(secret)
      .setProtectedHeader({ alg, enc: 'A256GCM' })
      .encrypt(createPublicKey(pair(kind).privateKey))
    assert.deepEqual(Buffer.from(open(kind, reply)), secret)
  }
})

test('members stand in the order in which guests write them anew', () => {
  for (const kind of kinds) {
    assert.deepEqual(Object.keys(sent(kind)), ['protected', 'encrypted_key', 'iv', 'ciphertext', 'tag'])
  }
  assert.match(
    headerOf(sent('P-256')),
    /^\{"alg":"ECDH-ES\+A256KW","enc":"A256GCM","epk":\{"crv":"P-256","kty":"EC","x":"[\w-]{43}","y":"[\w-]{43}"\}\}$/,
  )
  assert.match(
    headerOf(sent('P-521')),
    /"epk":\{"crv":"P-521","kty":"EC","x":"[\w-]{88}","y":"[\w-]{88}"\}\}$/,
  )
  assert.equal(headerOf(sent('RSA-OAEP-256')), '{"alg":"RSA-OAEP-256","enc":"A256GCM"}')
  assert.match(
    headerOf(sent('ML-KEM-768')),
    /^\{"alg":"ML-KEM-768\+A192KW","enc":"A256GCM","ek":"[\w-]{1451}"\}$/,
  )
})

test('replies of 0.1.x have a plain header, and the tag behind the ciphertext', () => {
  const reply = sent('RSA1_5', '0.1.0')
  assert.equal(reply.protected, '{"alg":"RSA1_5","enc":"A256GCM"}')
  assert.equal(reply.tag, '')
  assert.equal(Buffer.from(reply.ciphertext!, 'base64url').length, secret.length + 16)
  assert.deepEqual(Buffer.from(open('RSA1_5', reply, '0.1.0')), secret)
})

test('each reply has a key and an iv of its own', () => {
  const [one, two] = [sent('P-256'), sent('P-256')]
  for (const name of ['encrypted_key', 'iv', 'ciphertext', 'protected']) assert.notEqual(one[name], two[name])
})

test('a reply that was changed anywhere is not opened', () => {
  for (const kind of kinds) {
    const reply = sent(kind)
    for (const name of ['encrypted_key', 'iv', 'ciphertext', 'tag']) {
      if (reply[name] === '') continue
      const changed = Buffer.from(reply[name]!, 'base64url')
      changed[0]! ^= 1
      const bad = { ...reply, [name]: changed.toString('base64url') }
      assert.throws(() => open(kind, bad), code('RESPONSE_UNREADABLE'), `${kind} ${name}`)
    }
  }
  const reply = sent('P-256')
  const spaced = Buffer.from(headerOf(reply).replace(',', ', ')).toString('base64url')
  assert.throws(() => open('P-256', { ...reply, protected: spaced }), code('RESPONSE_UNREADABLE'))
})

test('a reply cannot choose another algorithm than that of the key', () => {
  const lower = (header: object) => Buffer.from(JSON.stringify(header)).toString('base64url')
  const reply = sent('RSA-OAEP-256')
  for (const header of [
    { alg: 'RSA1_5', enc: 'A256GCM' },
    { alg: 'dir', enc: 'A256GCM' },
    { alg: 'RSA-OAEP-256', enc: 'A128CBC-HS256' },
    { enc: 'A256GCM' },
  ]) {
    assert.throws(
      () => open('RSA-OAEP-256', { ...reply, protected: lower(header) }),
      code('RESPONSE_UNREADABLE'),
    )
  }
  const other = headerOf(sent('P-521')).replace('"epk"', '"ignored":1,"epk"')
  assert.throws(
    () => open('P-256', { ...sent('P-256'), protected: Buffer.from(other).toString('base64url') }),
    code('RESPONSE_UNREADABLE'),
  )
})

test('a reply for one key is not opened with another', async () => {
  const other = await generateTeeKey('P-256')
  const reply = encryptTo(other.teeKey, secret, '0.4.0')
  assert.throws(() => decryptResponse(pair('P-256'), reply, '0.4.0'), code('RESPONSE_UNREADABLE'))
})

test('a short tag is not taken for a whole one', () => {
  const key = randomBytes(32)
  const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12), { authTagLength: 12 })
  cipher.final()
  const reply = { ...sent('P-256'), ciphertext: '', tag: cipher.getAuthTag().toString('base64url') }
  assert.throws(() => open('P-256', reply), code('RESPONSE_UNREADABLE'))
})

test('keys of guests are read again from their own JWK', () => {
  for (const kind of kinds) {
    const read = parseTeeKey(pair(kind).jwk, versionOf(kind), { allowRsa15: true })
    assert.ok(read.key.equals(pair(kind).teeKey.key))
  }
})

test('each version takes its own algorithms, and RSA1_5 only where it is switched on', () => {
  const takes: Record<ProtocolVersion, readonly TeeKeyKind[]> = {
    '0.1.0': ['RSA1_5'],
    '0.1.1': ['RSA1_5'],
    '0.2.0': ['P-256', 'P-521', 'RSA-OAEP-256'],
    '0.4.0': ['P-256', 'P-521', 'RSA-OAEP-256', 'ML-KEM-768'],
  }
  for (const [version, taken] of Object.entries(takes) as [ProtocolVersion, readonly TeeKeyKind[]][]) {
    for (const kind of kinds) {
      const parse = () => parseTeeKey(pair(kind).jwk, version, { allowRsa15: true })
      if (taken.includes(kind)) parse()
      else assert.throws(parse, code('TEE_KEY_REFUSED'), `${kind} in ${version}`)
    }
  }
  assert.throws(() => parseTeeKey(pair('RSA1_5').jwk, '0.1.0'), code('TEE_KEY_REFUSED'))
})

const refused = (jwk: Record<string, Json | undefined>) =>
  assert.throws(() => parseTeeKey(jwk as JsonObject, '0.4.0'), code('TEE_KEY_INVALID'), JSON.stringify(jwk))

test('points that are not on their curve, and curves that are not the named ones, are refused', () => {
  const point = pair('P-256').jwk as Record<string, string>
  const big = pair('P-521').jwk as Record<string, string>
  const zero = Buffer.alloc(32).toString('base64url')
  refused({ ...point, y: point.x! })
  refused({ ...point, x: zero, y: zero })
  refused({ ...point, x: Buffer.alloc(32, 0xff).toString('base64url') })
  refused({ ...point, crv: 'P-521' })
  refused({ ...point, crv: 'P-384' })
  refused({ ...point, crv: 'secp256k1' })
  refused({ ...point, crv: undefined })
  refused({ ...big, crv: 'P-256' })
  refused({ ...point, kty: 'OKP' })
  refused({ ...point, x: `${point.x}=` })
  refused({ ...point, x: Buffer.from(point.x!, 'base64url').subarray(1).toString('base64url') })
  refused({ ...point, x: `AAAA${point.x}` })
  refused({ ...point, x: 5 })
})

test('a key with members that do not belong there is refused, and they are not told', () => {
  const jwk = pair('P-256').jwk
  const d = 'c2VjcmV0LXNlY3JldC1zZWNyZXQ'
  assert.throws(
    () => parseTeeKey({ ...jwk, d }, '0.4.0'),
    (error) => isFailure(error, 'TEE_KEY_INVALID') && !error.message.includes(d),
  )
})

test('RSA keys that are small, large or odd are refused', () => {
  const good = pair('RSA-OAEP-256').jwk as Record<string, string>
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })
  const n = Buffer.from(good.n!, 'base64url')
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
  refused({ ...good, n: small.n! })
  refused({ ...good, n: text(Buffer.concat([Buffer.alloc(1), n])) })
  refused({ ...good, n: text(Buffer.concat([Buffer.alloc(1024, 0xff), n])) })
  refused({ ...good, n: text(Buffer.concat([n.subarray(0, -1), Buffer.from([0x10])])) })
  refused({ ...good, n: '' })
  for (const e of ['AQ', 'Aw', 'AQAA', 'AAEAAQ', '', 'AQAAAAAB']) refused({ ...good, e })
})

test('ML-KEM keys of a wrong length, or with numbers that are not reduced, are refused', () => {
  const good = pair('ML-KEM-768').jwk as Record<string, string>
  const bytes = Buffer.from(good.pub!, 'base64url')
  refused({ ...good, pub: bytes.subarray(1).toString('base64url') })
  refused({ ...good, pub: Buffer.concat([bytes, Buffer.alloc(1)]).toString('base64url') })
  refused({ ...good, pub: Buffer.alloc(1184, 0xff).toString('base64url') })
})

test('no JSON makes the reading of keys and replies do anything but answer or refuse', () => {
  const names = [
    'kty',
    'crv',
    'alg',
    'x',
    'y',
    'n',
    'e',
    'pub',
    'protected',
    'iv',
    'tag',
    'ciphertext',
    'encrypted_key',
  ]
  const text = fc.oneof(
    fc.constantFrom(
      'EC',
      'RSA',
      'AKP',
      'P-256',
      'P-521',
      'ECDH-ES+A256KW',
      'RSA-OAEP-256',
      'ML-KEM-768+A192KW',
    ),
    fc.base64String(),
    fc.string(),
  )
  const jwk = fc.dictionary(fc.constantFrom(...names), fc.oneof(text, fc.jsonValue()))
  const quiet = (step: () => unknown) => {
    try {
      step()
    } catch (error) {
      assert.ok(isFailure(error), String(error))
    }
  }
  fc.assert(
    fc.property(jwk, fc.constantFrom('0.1.0', '0.2.0', '0.4.0' as const), (object, version) => {
      quiet(() => parseTeeKey(object as JsonObject, version as ProtocolVersion, { allowRsa15: true }))
      quiet(() => open('P-256', { ...sent('P-256'), ...object }))
    }),
    { numRuns: 200 },
  )
})
