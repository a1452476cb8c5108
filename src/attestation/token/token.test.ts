import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto'
import { before, test } from 'node:test'
import fc from 'fast-check'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { attestationLimits, isFailure, type Json } from '#base/index.ts'
import { createAuthority, publicKeyOf } from '#keys/index.ts'
import type { JsonObject } from '../members.ts'
import {
  type ClassedAppraisal,
  earClaims,
  formatJwkSet,
  parseJwkSet,
  statusOfVector,
  type TokenTrust,
  type TrustVector,
  tierOf,
  tokenSigner,
  trustClaims,
  trusteeProfile,
  verifyToken,
} from './index.ts'

const code = (name: string) => (error: unknown) => isFailure(error, name)
const at = new Date('2026-11-21T12:00:00Z')
const later = (seconds: number) => new Date(at.getTime() + seconds * 1000)
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const signer = tokenSigner(privateKey)
const terms = { issuer: 'harbour', build: 'sealift', developer: 'https://example.org' }
const vector = (changes: Partial<TrustVector> = {}): TrustVector => ({
  ...(Object.fromEntries(trustClaims.map((claim) => [claim, 0])) as TrustVector),
  ...changes,
})
const appraisal = (changes: Partial<ClassedAppraisal> = {}): ClassedAppraisal => ({
  class: 'cpu',
  policyId: 'default',
  vector: vector({ hardware: 2 }),
  annotatedEvidence: { sample: { svn: '1' } },
  extensions: {},
  ...changes,
})
const claims = earClaims([appraisal()], terms, at)
const trust: TokenTrust = { keys: parseJwkSet(formatJwkSet([signer])) }

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const es256 = (key: KeyObject) => (input: string) =>
  sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
function forged(
  header: object,
  payload: object = claims,
  how: (input: string) => Buffer = es256(privateKey),
) {
  const input = `${part(header)}.${part(payload)}`
  return `${input}.${how(input).toString('base64url')}`
}

let chain: Uint8Array[] = []
let anchor: X509Certificate
before(async () => {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const validity = { notBefore: later(-3600), notAfter: later(3600) }
  const authority = await createAuthority({ ...validity, subject: { commonName: 'Tokens' }, key })
  const leaf = await authority.issue({
    ...validity,
    subject: { commonName: 'broker' },
    publicKey: publicKeyOf(privateKey),
    usages: ['code-signing'],
  })
  anchor = new X509Certificate(authority.certificate.der)
  chain = [leaf.der, authority.certificate.der]
})

test('tiers are those of AR4SI, and the status is the worst of them', () => {
  const expected: [number, string][] = [
    [0, 'none'],
    [1, 'none'],
    [-1, 'none'],
    [2, 'affirming'],
    [31, 'affirming'],
    [-32, 'affirming'],
    [32, 'warning'],
    [95, 'warning'],
    [-33, 'warning'],
    [-96, 'warning'],
    [96, 'contraindicated'],
    [127, 'contraindicated'],
    [-97, 'contraindicated'],
    [-128, 'contraindicated'],
  ]
  for (const [value, tier] of expected) assert.equal(tierOf(value), tier, String(value))
  assert.equal(statusOfVector(vector()), 'none')
  assert.equal(statusOfVector(vector({ hardware: 2, executables: 33 })), 'warning')
  assert.equal(statusOfVector(vector({ hardware: 97, executables: 33, configuration: 2 })), 'contraindicated')
})

test('claims are those of Trustee, in its order', () => {
  assert.deepEqual(Object.keys(claims), ['eat_profile', 'iat', 'ear.verifier-id', 'submods', 'exp', 'iss'])
  assert.equal(claims.eat_profile, 'tag:github.com,2024:confidential-containers/Trustee')
  assert.equal(claims.exp, claims.iat + 300)
  const extended = earClaims(
    [appraisal({ extensions: { 'ear.trustee.identifiers': { validated: {} } } })],
    terms,
    at,
  )
  assert.deepEqual(Object.keys(extended.submods.cpu0!), [
    'ear.status',
    'ear.trustworthiness-vector',
    'ear.appraisal-policy-id',
    'ear.veraison.annotated-evidence',
    'ear.trustee.identifiers',
  ])
  assert.deepEqual(Object.keys(extended.submods.cpu0!['ear.trustworthiness-vector']), trustClaims)
})

test('TEEs are numbered within their class', () => {
  const many = earClaims([appraisal(), appraisal({ class: 'gpu' }), appraisal({ class: 'gpu' })], terms, at)
  assert.deepEqual(Object.keys(many.submods), ['cpu0', 'gpu0', 'gpu1'])
})

test('a token ends with the first thing that it rests on', () => {
  const short = [appraisal({ validUntil: later(60.9) }), appraisal({ validUntil: later(90) })]
  assert.equal(earClaims(short, terms, at).exp, claims.iat + 60)
  assert.equal(earClaims([appraisal({ validUntil: later(900) })], terms, at).exp, claims.iat + 300)
  assert.equal(earClaims([appraisal()], { ...terms, validSeconds: 30 }, at).exp, claims.iat + 30)
})

test('a token is taken under the JWK set of its signer, here and by jose', async () => {
  const token = signer.sign(claims)
  const verified = verifyToken(token, trust, at)
  assert.deepEqual(verified.claims, JSON.parse(JSON.stringify(claims)))
  assert.equal(verified.expires.getTime(), later(300).getTime())
  const set = JSON.parse(Buffer.from(formatJwkSet([signer])).toString()) as JSONWebKeySet
  const { payload } = await jwtVerify(token, createLocalJWKSet(set), { currentDate: at, issuer: 'harbour' })
  assert.deepEqual(payload, JSON.parse(JSON.stringify(claims)))
})

test('a header has the form of Trustee, and no private part', () => {
  const header = JSON.parse(
    Buffer.from(signer.sign(claims).split('.')[0]!, 'base64url').toString(),
  ) as JsonObject
  assert.deepEqual(Object.keys(header), ['typ', 'alg', 'kid', 'jwk'])
  assert.deepEqual(Object.keys(header.jwk as object), ['alg', 'kty', 'crv', 'x', 'y'])
  const bare = tokenSigner(privateKey, { embedKey: false }).sign(claims)
  assert.ok(!('jwk' in JSON.parse(Buffer.from(bare.split('.')[0]!, 'base64url').toString())))
  verifyToken(bare, trust, at)
})

test('the same key signs after a restart, and an old one is taken while its set says so', () => {
  assert.equal(tokenSigner(privateKey).kid, signer.kid)
  const next = tokenSigner(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
  const both = { keys: parseJwkSet(formatJwkSet([next, signer])) }
  verifyToken(signer.sign(claims), both, at)
  verifyToken(next.sign(claims), both, at)
  const after = { keys: parseJwkSet(formatJwkSet([next])) }
  assert.throws(() => verifyToken(signer.sign(claims), after, at), code('TOKEN_UNTRUSTED'))
})

test('a key in the header alone is worth nothing', () => {
  assert.throws(() => verifyToken(signer.sign(claims), {}, at), code('TOKEN_UNTRUSTED'))
  const other = tokenSigner(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
  assert.throws(() => verifyToken(other.sign(claims), trust, at), code('TOKEN_UNTRUSTED'))
  assert.throws(
    () => verifyToken(other.sign(claims), { certificates: [anchor] }, at),
    code('TOKEN_UNTRUSTED'),
  )
})

test('a chain to a trusted certificate makes the key in the header one', () => {
  const certificates = [anchor]
  for (const long of [chain, chain.slice(0, 1)]) {
    verifyToken(tokenSigner(privateKey, { chain: long }).sign(claims), { certificates }, at)
  }
  const token = tokenSigner(privateKey, { chain }).sign(claims)
  const leafTrusted = { certificates: [new X509Certificate(chain[0]!)] }
  verifyToken(token, leafTrusted, at)
})

test('a chain that does not hold is refused', async () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const jwk = { ...tokenSigner(other).jwk, x5c: chain.map((der) => Buffer.from(der).toString('base64')) }
  const stolen = forged({ typ: 'JWT', alg: 'ES256', jwk }, claims, es256(other))
  assert.throws(() => verifyToken(stolen, { certificates: [anchor] }, at), code('TOKEN_UNTRUSTED'))
  const token = tokenSigner(privateKey, { chain }).sign({ ...claims, exp: claims.exp + 100_000 })
  assert.throws(() => verifyToken(token, { certificates: [anchor] }, later(7200)), code('TOKEN_UNTRUSTED'))
  const stranger = await createAuthority({
    subject: { commonName: 'Tokens' },
    key: other,
    notBefore: later(-3600),
    notAfter: later(3600),
  })
  const certificates = [new X509Certificate(stranger.certificate.der)]
  assert.throws(() => verifyToken(token, { certificates }, at), code('TOKEN_UNTRUSTED'))
  for (const x5c of [[], ['AA=='], [1], 'x', Array(9).fill(jwk.x5c[0])]) {
    const bad = forged({ alg: 'ES256', jwk: { ...tokenSigner(other).jwk, x5c } }, claims, es256(other))
    assert.throws(() => verifyToken(bad, { certificates: [anchor] }, at), code('TOKEN_INVALID'))
  }
})

test('a leaf that is no authority issues nothing', async () => {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const rogue = await createAuthority({
    subject: { commonName: 'broker' },
    key: privateKey,
    notBefore: later(-60),
    notAfter: later(60),
  })
  const below = await rogue.issue({
    subject: { commonName: 'deeper' },
    publicKey: publicKeyOf(own),
    usages: ['client'],
    notBefore: later(-60),
    notAfter: later(60),
  })
  const token = tokenSigner(own, { chain: [below.der, ...chain] }).sign(claims)
  assert.throws(() => verifyToken(token, { certificates: [anchor] }, at), code('TOKEN_UNTRUSTED'))
})

test('the algorithm is that of the key, whatever the header says', () => {
  const { kid } = signer
  for (const alg of ['none', 'HS256', 'ES384', 'RS256', undefined]) {
    assert.throws(() => verifyToken(forged({ kid, alg }), trust, at), code('TOKEN_INVALID'))
  }
  // The public key as a secret: the oldest trick.
  const spki = publicKeyOf(privateKey).spki
  const mac = (input: string) => createHmac('sha256', spki).update(input).digest()
  assert.throws(
    () => verifyToken(forged({ kid, alg: 'HS256' }, claims, mac), trust, at),
    code('TOKEN_INVALID'),
  )
  assert.throws(() =>
    verifyToken(
      forged({ kid, alg: 'none' }, claims, () => Buffer.alloc(0)),
      trust,
      at,
    ),
  )
  const der = (input: string) => sign('sha256', Buffer.from(input), privateKey)
  assert.throws(
    () => verifyToken(forged({ kid, alg: 'ES256' }, claims, der), trust, at),
    code('TOKEN_INVALID'),
  )
  const zeros = () => Buffer.alloc(64)
  assert.throws(
    () => verifyToken(forged({ kid, alg: 'ES256' }, claims, zeros), trust, at),
    code('TOKEN_INVALID'),
  )
})

test('other algorithms of trusted sets are checked too', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const ed = generateKeyPairSync('ed25519')
  const keys = [
    { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'r', alg: 'RS256' },
    { ...ed.publicKey.export({ format: 'jwk' }), kid: 'e' },
    { kty: 'oct', k: 'c2VjcmV0', kid: 'o' },
    { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'enc', use: 'enc' },
  ]
  const set = { keys: parseJwkSet(Buffer.from(JSON.stringify({ keys }))) }
  assert.deepEqual(
    set.keys.map(({ algorithm }) => algorithm),
    ['RS256', 'EdDSA'],
  )
  const rs256 = (input: string) => sign('sha256', Buffer.from(input), rsa.privateKey)
  const eddsa = (input: string) => sign(null, Buffer.from(input), ed.privateKey)
  verifyToken(forged({ kid: 'r', alg: 'RS256' }, claims, rs256), set, at)
  verifyToken(forged({ kid: 'e', alg: 'EdDSA' }, claims, eddsa), set, at)
  assert.throws(
    () => verifyToken(forged({ kid: 'r', alg: 'PS256' }, claims, rs256), set, at),
    code('TOKEN_INVALID'),
  )
  assert.throws(
    () => verifyToken(forged({ kid: 'o', alg: 'HS256' }, claims, rs256), set, at),
    code('TOKEN_UNTRUSTED'),
  )
})

test('times are kept to the second, and clocks may differ a little where nothing hangs on it', () => {
  const token = signer.sign(claims)
  verifyToken(token, trust, later(299.9))
  assert.throws(() => verifyToken(token, trust, later(300)), code('TOKEN_EXPIRED'))
  verifyToken(token, trust, later(-60))
  assert.throws(() => verifyToken(token, trust, later(-61)), code('TOKEN_EXPIRED'))
  const { exp: _, ...endless } = claims
  assert.throws(() => verifyToken(signer.sign(endless), trust, at), code('TOKEN_INVALID'))
  for (const exp of ['2099', null, -1, 1e300]) {
    assert.throws(() => verifyToken(signer.sign({ ...claims, exp }), trust, at), code('TOKEN_INVALID'))
  }
})

test('issuer and profile are held against what is expected', () => {
  const token = signer.sign(claims)
  verifyToken(token, { ...trust, issuer: 'harbour', profile: trusteeProfile }, at)
  assert.throws(() => verifyToken(token, { ...trust, issuer: 'other' }, at), code('TOKEN_UNTRUSTED'))
  assert.throws(() => verifyToken(token, { ...trust, profile: 'other' }, at), code('TOKEN_INVALID'))
})

test('malformed tokens are refused', () => {
  const [header, payload, signature] = signer.sign(claims).split('.') as [string, string, string]
  const twice = Buffer.from('{"kid":"a","kid":"b","alg":"ES256"}').toString('base64url')
  for (const bad of [
    '',
    'a.b',
    `${header}.${payload}`,
    `${header}.${payload}.${signature}.x`,
    `${header}.${payload}.${signature}=`,
    `${header}.${payload} .${signature}`,
    `${twice}.${payload}.${signature}`,
    forged({ kid: signer.kid, alg: 'ES256', crit: ['b64'], b64: false }),
  ]) {
    assert.throws(() => verifyToken(bad, trust, at), code('TOKEN_INVALID'), bad)
  }
  const changed = part({ ...claims, iss: 'mallory' })
  assert.throws(() => verifyToken(`${header}.${changed}.${signature}`, trust, at), code('TOKEN_INVALID'))
  const token = signer.sign(claims)
  verifyToken(token, trust, at, { ...attestationLimits, tokenLength: token.length })
  assert.throws(
    () => verifyToken(token, trust, at, { ...attestationLimits, tokenLength: token.length - 1 }),
    code('TOKEN_INVALID'),
  )
})

test('no text makes the reading of tokens and JWK sets do anything but answer or refuse', () => {
  const object = fc.dictionary(
    fc.constantFrom('kid', 'alg', 'jwk', 'x5c', 'kty', 'crv', 'keys'),
    fc.jsonValue(),
  )
  const text = fc.oneof(
    fc.string(),
    fc.tuple(object, object).map(([a, b]) => `${part(a)}.${part(b)}.AA`),
  )
  fc.assert(
    fc.property(text, object, (token, set) => {
      for (const step of [
        () => verifyToken(token, { ...trust, certificates: [anchor] }, at),
        () => parseJwkSet(Buffer.from(JSON.stringify(set))),
      ]) {
        try {
          step()
        } catch (error) {
          assert.ok(isFailure(error), String(error))
        }
      }
    }),
    { numRuns: 200 },
  )
})

test('JWK sets without a key of use, or with too many, are refused', () => {
  const set = (keys: Json) => Buffer.from(JSON.stringify({ keys }))
  for (const keys of [[], {}, null, [{ kty: 'oct', k: 'AA' }], ['x'], Array(65).fill({})] as Json[]) {
    assert.throws(() => parseJwkSet(set(keys)), code('TOKEN_KEY_INVALID'))
  }
})

test('only P-256 signs, with a chain over the same key', () => {
  for (const key of [
    generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
    generateKeyPairSync('ed25519').privateKey,
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey,
  ]) {
    assert.throws(() => tokenSigner(key), code('TOKEN_KEY_INVALID'))
  }
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  assert.throws(() => tokenSigner(other, { chain }), code('TOKEN_KEY_INVALID'))
  assert.throws(() => tokenSigner(other, { chain: [] }), code('TOKEN_KEY_INVALID'))
})
