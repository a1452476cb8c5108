import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { exportJWK, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'
import { brokerServerLimits } from '#base/index.ts'
import { adminToken } from '#broker/index.ts'
import { publicKeyOf, publicKeyPem } from '#keys/index.ts'
import { adminTrustPaths, parseAdminTrust } from './admin-trust.ts'
import { adminAuthentication } from './authenticate-admin.ts'

const now = new Date('2026-11-21T09:00:00Z')
const seconds = Math.floor(now.getTime() / 1000)
const audience = 'https://broker.example'
const nobody = { address: '127.0.0.1', peer: '127.0.0.1', authorized: false }

const pairs = {
  ed25519: generateKeyPairSync('ed25519'),
  p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  p521: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
}
const stranger = generateKeyPairSync('ed25519')
const pem = (key: KeyObject) => Buffer.from(publicKeyPem(publicKeyOf(key)))

/** Everyone of `pairs` is registered as `user:NAME`, and the Ed25519 key as one for kbs-client too. */
const keys = Object.keys(pairs).map((name) => ({
  principal: `user:${name}`,
  publicKey: `${name}.pem`,
  ...(name === 'ed25519' && { kbsClient: true }),
}))
const contents = Object.values(pairs).map(({ publicKey }) => pem(publicKey))

const authenticate = adminAuthentication({
  trust: () => parseAdminTrust({ keys }, contents),
  audiences: () => [audience, 'https://broker.example:8443'],
  certificates: false,
  now: () => now,
})
const ask = (token: string) => authenticate(`Bearer ${token}`, nobody)

const claims = { aud: audience, iat: seconds, exp: seconds + 60 }
const signed = (payload: JWTPayload, key: KeyObject = pairs.p256.privateKey, alg = 'ES256', header = {}) =>
  new SignJWT(payload).setProtectedHeader({ alg, ...header }).sign(key)

const refused = { code: 'BROKER_ADMIN_UNKNOWN' }

test('a token of ours is taken from every kind of key, and names its principal', async () => {
  for (const [name, { privateKey }] of Object.entries(pairs)) {
    assert.deepEqual(await ask(adminToken({ privateKey, audience, now })), { kind: 'user', name })
    const principal = { kind: 'user', name } as const
    const port = 'https://broker.example:8443'
    assert.deepEqual(
      await ask(adminToken({ privateKey, audience: port, principal, seconds: 3600, now })),
      principal,
    )
    const other = { kind: 'user', name: 'somebody' } as const
    await assert.rejects(ask(adminToken({ privateKey, audience, principal: other, now })), refused)
  }
})

test('an RSA key signs in each way that RSA has, and in no other', async () => {
  for (const alg of ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']) {
    assert.equal((await ask(await signed(claims, pairs.rsa.privateKey, alg))).name, 'rsa')
  }
})

test('the algorithm is that of the key, whatever the header says', async () => {
  const token = adminToken({ privateKey: pairs.p256.privateKey, audience, now })
  const [, payload = '', signature = ''] = token.split('.')
  const { id } = publicKeyOf(pairs.p256.publicKey)
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  for (const alg of ['none', 'None', 'HS256', 'RS256', 'ES384', 'EdDSA', 'ES256K', '', 7, null, ['ES256']]) {
    await assert.rejects(ask(`${part({ alg, kid: id })}.${payload}.${signature}`), refused, String(alg))
  }
  await assert.rejects(ask(new UnsecuredJWT(claims).encode()), refused)
  // The public key as a shared secret: the oldest trick.
  for (const secret of [pem(pairs.p256.publicKey), publicKeyOf(pairs.p256.publicKey).spki]) {
    const head = `${part({ alg: 'HS256', kid: id })}.${part(claims)}`
    await assert.rejects(
      ask(`${head}.${createHmac('sha256', secret).update(head).digest('base64url')}`),
      refused,
    )
  }
  const crit = { crit: ['b64'], b64: false }
  const flagged = `${part({ alg: 'ES256', kid: id, ...crit })}.${payload}.${signature}`
  await assert.rejects(ask(flagged), refused)
})

test('a key that a token brings along is not believed', async () => {
  const jwk = await exportJWK(stranger.publicKey)
  for (const header of [{ jwk }, { jku: 'https://evil.example' }, { x5u: 'https://evil.example' }, {}]) {
    await assert.rejects(ask(await signed(claims, stranger.privateKey, 'EdDSA', header)), refused)
  }
  const { id } = publicKeyOf(pairs.ed25519.publicKey)
  await assert.rejects(ask(await signed(claims, stranger.privateKey, 'EdDSA', { kid: id })), refused)
  await assert.rejects(
    ask(await signed(claims, pairs.ed25519.privateKey, 'EdDSA', { kid: 'another' })),
    refused,
  )
})

test('a token is for this broker, ends, and has begun', async () => {
  const taken: JWTPayload[] = [
    claims,
    { ...claims, aud: ['https://other.example', audience] },
    { ...claims, exp: seconds + 3600 },
    { ...claims, exp: seconds + 1 },
    { ...claims, nbf: seconds + 60, iat: seconds + 60 },
    { aud: audience, exp: seconds + 5 },
  ]
  for (const payload of taken) assert.equal((await ask(await signed(payload))).name, 'p256')
  const not: JWTPayload[] = [
    { iat: seconds, exp: seconds + 60 },
    { ...claims, aud: 'https://other.example' },
    { ...claims, aud: [] },
    { ...claims, aud: `${audience}.evil.example` },
    { aud: audience, iat: seconds },
    { ...claims, exp: seconds },
    { ...claims, exp: seconds - 30 },
    { ...claims, exp: seconds + 3661 },
    { ...claims, exp: 1e300 },
    { ...claims, nbf: seconds + 61 },
    { ...claims, iat: seconds + 61 },
    { ...claims, sub: 'user:ed25519' },
    { ...claims, exp: '9999999999' as unknown as number },
  ]
  for (const payload of not)
    await assert.rejects(ask(await signed(payload)), refused, JSON.stringify(payload))
})

test("a token of Trustee's kbs-client is taken where that is switched on", async () => {
  // As jwt-simple makes them: iat, nbf, exp after two hours, and no audience.
  const made = { iat: seconds, nbf: seconds, exp: seconds + 7200 }
  assert.equal((await ask(await signed(made, pairs.ed25519.privateKey, 'EdDSA'))).name, 'ed25519')
  await assert.rejects(ask(await signed(made)), refused)
  const elsewhere = { ...made, aud: 'https://other.example' }
  await assert.rejects(ask(await signed(elsewhere, pairs.ed25519.privateKey, 'EdDSA')), refused)
  const long = { ...made, exp: seconds + 7261 }
  await assert.rejects(ask(await signed(long, pairs.ed25519.privateKey, 'EdDSA')), refused)
})

test('what is no token is refused, however it looks', async () => {
  const token = adminToken({ privateKey: pairs.p256.privateKey, audience, now })
  const flipped = `${token.slice(0, -3)}${token.at(-3) === 'A' ? 'B' : 'A'}${token.slice(-2)}`
  for (const text of [
    '',
    'a',
    '..',
    'a.b.c',
    `${token}.`,
    `${token}.x`,
    flipped,
    'e30.e30.e30',
    'bnVsbA.bnVsbA.',
    `${token} x`,
  ]) {
    await assert.rejects(ask(text), refused, text)
  }
  await assert.rejects(authenticate(undefined, nobody), refused)
  await assert.rejects(authenticate('Basic YTpi', nobody), refused)
  await assert.rejects(authenticate(`Basic ${token}`, nobody), refused)
  const huge = await signed({ ...claims, x: 'x'.repeat(brokerServerLimits.tokenLength) })
  await assert.rejects(ask(huge), refused)
})

test('a refusal says why, and nothing of the token', async () => {
  const secret = randomUUID()
  const payload = { aud: `https://${secret}`, iat: seconds, exp: seconds + 60, sub: secret }
  for (const token of [
    await signed(payload),
    await signed(payload, stranger.privateKey, 'EdDSA', { kid: secret }),
  ]) {
    const error = await ask(token).then(
      () => assert.fail(),
      (error: Error) => error,
    )
    assert.match(error.message, /the token is not taken: ./)
    assert.ok(!error.message.includes(secret) && !error.message.includes(token))
  }
})

const provider = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const issuer = 'https://id.example'

async function issued(payload: JWTPayload, groupsClaim?: string, change: object = {}) {
  const jwk = { ...(await exportJWK(provider.publicKey)), kid: 'k1', alg: 'ES256', ...change }
  const shared = { kty: 'oct', k: Buffer.from('shared').toString('base64url'), kid: 'k2', alg: 'HS256' }
  const issuers = [{ issuer, audience: 'sealift', keys: 'set.json', ...(groupsClaim && { groupsClaim }) }]
  const bytes = Buffer.from(JSON.stringify({ keys: [jwk, shared] }))
  return adminAuthentication({
    trust: () => parseAdminTrust({ issuers }, [bytes]),
    audiences: () => [audience],
    certificates: false,
    now: () => now,
  })(`Bearer ${await signed(payload, provider.privateKey, 'ES256', { kid: 'k1' })}`, nobody)
}

const idToken = { iss: issuer, aud: 'sealift', sub: 'ada', iat: seconds, exp: seconds + 86_400 }

test('an identity provider names a user and groups', async () => {
  assert.deepEqual(await issued(idToken), { kind: 'user', name: 'ada' })
  assert.deepEqual(await issued({ ...idToken, groups: ['ops', 'dev'], role: 'admin' }), {
    kind: 'user',
    name: 'ada',
    groups: ['ops', 'dev', 'admin'],
  })
  const nested = { ...idToken, realm_access: { roles: ['ops'] }, groups: ['no'] }
  assert.deepEqual((await issued(nested, '/realm_access/roles')).groups, ['ops'])
  assert.deepEqual((await issued({ ...idToken, teams: 'ops', role: ['a', 7] }, 'teams')).groups, ['ops', 'a'])
})

test('an identity provider is believed within its bounds', async () => {
  const not: JWTPayload[] = [
    { ...idToken, aud: audience },
    { ...idToken, iss: 'https://id.example/' },
    { ...idToken, exp: seconds },
    { iss: issuer, aud: 'sealift', sub: 'ada' },
    { ...idToken, sub: '' },
    { ...idToken, sub: ' ada' },
    { ...idToken, sub: 'a\nb' },
    { iss: issuer, aud: 'sealift', exp: seconds + 60 },
    { ...idToken, groups: ['a\u202eb'] },
    { ...idToken, groups: Array.from({ length: brokerServerLimits.groups + 1 }, (_, at) => `g${at}`) },
  ]
  for (const payload of not)
    await assert.rejects(issued(payload), refused, JSON.stringify(payload).slice(0, 200))
  await assert.rejects(issued(idToken, undefined, { alg: 'ES384' }), refused)
  await assert.rejects(issued(idToken, undefined, { use: 'enc' }), refused)
  await assert.rejects(issued(idToken, undefined, { kid: 'k3' }), refused)
  // A key that is registered for somebody is not the provider's.
  const forged = await signed(idToken, pairs.p256.privateKey)
  await assert.rejects(ask(forged), refused)
})

test('trust that cannot be is refused when it is read', async () => {
  const [first] = keys
  const good = contents[0]!
  const invalid = { code: 'BROKER_ADMIN_KEYS_INVALID' }
  const set = (value: unknown) => Buffer.from(JSON.stringify(value))
  const issuers = [{ issuer, audience: 'sealift', keys: 'set.json' }]
  assert.deepEqual(adminTrustPaths({ keys: [first!], issuers }), ['ed25519.pem', 'set.json'])
  assert.deepEqual(adminTrustPaths({}), [])
  assert.throws(() => parseAdminTrust({ keys: [first!, first!] }, [good, good]), invalid)
  assert.throws(() => parseAdminTrust({ keys: [first!] }, [Buffer.from('x')]), invalid)
  for (const principal of ['ada', 'anonymous', 'group:ops', '']) {
    assert.throws(() => parseAdminTrust({ keys: [{ ...first!, principal }] }, [good]), invalid, principal)
  }
  const many = Array.from({ length: brokerServerLimits.adminKeys + 1 }, () => first!)
  assert.throws(() => parseAdminTrust({ keys: many }, []), invalid)
  for (const value of [
    null,
    [],
    {},
    { keys: {} },
    { keys: [] },
    { keys: [null, 1, 'x'] },
    { keys: [{ kty: 'oct', k: 'AAAA' }] },
  ]) {
    assert.throws(() => parseAdminTrust({ issuers }, [set(value)]), invalid, JSON.stringify(value))
  }
  const jwk = await exportJWK(provider.privateKey)
  const [read] = parseAdminTrust({ issuers }, [set({ keys: [jwk] })]).issuers
  assert.equal(read?.keys.keys[0]?.d, undefined)
  const twice = [issuers[0]!, issuers[0]!]
  assert.throws(
    () => parseAdminTrust({ issuers: twice }, [set({ keys: [jwk] }), set({ keys: [jwk] })]),
    invalid,
  )
})
