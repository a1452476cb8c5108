import assert from 'node:assert/strict'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { formatJwkSet, parseJwkSet, tokenSigner, verifyToken } from '#attestation/index.ts'
import { brokerLimits, isFailure } from '#base/index.ts'
import { MemorySecretStore, newKeyring, sealedStore } from '../stores/index.ts'
import type { SecretStore } from '../types.ts'
import { openTokenKeys, readTrustedTokens, tokenKeysAdministration } from './index.ts'
import { firstRecord, formatKeyRecord, mostKeys, newEntry, parseKeyRecord } from './key-record.ts'

const issuer = 'https://broker.example'
const start = new Date('2026-11-21T12:00:00Z')
const at = (seconds: number) => new Date(start.getTime() + seconds * 1000)
const place = 'token-keys/keys'
const failsWith = (code: string) => (error: unknown) => isFailure(error, code)
const open = (store: SecretStore, more = {}) =>
  openTokenKeys(store, { issuer, refreshMs: 0, now: () => start, ...more })
const claims = (now: Date, seconds = 300) => ({
  iss: issuer,
  iat: now.getTime() / 1000,
  exp: now.getTime() / 1000 + seconds,
})

describe('keys of tokens', () => {
  test('a token is taken by others: by its kid in the JWK set, and by the chain in its header', async () => {
    const keys = await open(new MemorySecretStore())
    const token = (await keys.signer(start)).sign(claims(start))
    assert.equal(verifyToken(token, await keys.trust(start), start).claims.iss, issuer)
    const set = createLocalJWKSet(JSON.parse(Buffer.from(await keys.jwkSet(start)).toString()))
    const { protectedHeader } = await jwtVerify(token, set, { issuer, currentDate: start })
    assert.equal(protectedHeader.alg, 'ES256')
    const [root, leaf, ...more] = (await keys.certificates(start)).split(/(?<=-----END CERTIFICATE-----\n)/)
    assert.equal(more.length, 0)
    const certificates = [new X509Certificate(root!)]
    assert.ok(new X509Certificate(leaf!).checkIssued(certificates[0]!))
    for (const now of [start, at(299)])
      assert.equal(verifyToken(token, { certificates, issuer }, now).claims.iss, issuer)
    const another = await open(new MemorySecretStore())
    assert.throws(() => verifyToken(token, { certificates: [] }, start), failsWith('TOKEN_UNTRUSTED'))
    const others = await another.trust(start)
    assert.throws(() => verifyToken(token, others, start), failsWith('TOKEN_UNTRUSTED'))
  })

  test('replicas that start at once have one key, and it outlives them', async () => {
    const store = new MemorySecretStore()
    const replicas = await Promise.all(Array.from({ length: 5 }, () => open(store)))
    const kids = new Set<string>()
    for (const keys of [...replicas, await open(store)]) kids.add((await keys.signer(start)).kid)
    assert.equal(kids.size, 1)
  })

  test('the next key is announced before it signs, and the old one counts until its last token has ended', async () => {
    const store = new MemorySecretStore()
    const [keys, other] = [await open(store), await open(store)]
    const announced = async (now: Date) => parseJwkSet(await other.jwkSet(now)).map(({ kid }) => kid)
    const first = await keys.signer(at(0))
    await keys.rotate(at(10))
    const [, next] = await announced(at(10))
    assert.ok(next && next !== first.kid)
    for (const now of [at(10), at(309)]) {
      assert.equal((await keys.signer(now)).kid, first.kid)
      assert.equal((await other.signer(now)).kid, first.kid)
    }
    for (const now of [at(11), at(309)]) await assert.rejects(other.rotate(now), failsWith('TOKEN_KEYS_BUSY'))
    const last = first.sign(claims(at(310)))
    for (const keysOf of [keys, other]) {
      assert.equal((await keysOf.signer(at(310))).kid, next)
      for (const now of [at(310), at(609)]) verifyToken(last, await keysOf.trust(now), now)
    }
    // A minute longer, as clocks of replicas differ.
    assert.deepEqual(await announced(at(669)), [first.kid, next])
    assert.deepEqual(await announced(at(670)), [next])
    await keys.rotate(at(700))
    const record = parseKeyRecord((await store.read(place))!.value)
    assert.equal(record.keys.length, 2, 'what nobody has a token of is gone')
    // The root vouches for all of them.
    const certificates = [new X509Certificate(record.root.certificate)]
    const token = (await other.signer(at(1001))).sign(claims(at(1001)))
    verifyToken(token, { certificates, issuer }, at(1001))
  })

  test('as long as nothing changed the trust is the same object, and another replica’s change is seen', async () => {
    const store = new MemorySecretStore()
    let reads = 0
    const counted: SecretStore = {
      read: (key) => {
        reads++
        return store.read(key)
      },
      list: (prefix) => store.list(prefix),
      compareAndSet: (...given) => store.compareAndSet(...given),
    }
    const slow = await openTokenKeys(counted, { issuer, refreshMs: 3_600_000, now: () => start })
    const quick = await open(counted)
    reads = 0
    const trust = await slow.trust(at(0))
    await Promise.all(Array.from({ length: 20 }, async () => assert.equal(await slow.trust(at(1)), trust)))
    assert.equal(reads, 0)
    const before = await quick.trust(at(0))
    assert.equal(await quick.trust(at(1)), before)
    await (await open(store)).rotate(at(2))
    const after = await quick.trust(at(3))
    assert.notEqual(after, before)
    assert.deepEqual(
      [before.keys?.length, after.keys?.length, (await slow.trust(at(3))).keys?.length],
      [1, 2, 1],
    )
  })

  test('of two that rotate at once one makes the next key', async () => {
    const store = new MemorySecretStore()
    const replicas = await Promise.all([open(store), open(store), open(store)])
    const outcomes = await Promise.allSettled(replicas.map((keys) => keys.rotate(at(1))))
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') assert.ok(isFailure(outcome.reason, 'TOKEN_KEYS_BUSY'))
    assert.equal(parseJwkSet(await replicas[0]!.jwkSet(at(1))).length, 2)
  })

  test('no rotation makes a record that cannot be read: with long tokens the limit refuses', async () => {
    const store = new MemorySecretStore()
    const keys = await open(store, { tokenMs: 86_400_000, announceMs: 1000 })
    for (let made = 1; made < mostKeys; made++) await keys.rotate(at(made * 2))
    await assert.rejects(keys.rotate(at(100)), failsWith('TOKEN_KEYS_BUSY'))
    const again = await open(store, { tokenMs: 86_400_000 })
    assert.equal(parseJwkSet(await again.jwkSet(at(100))).length, mostKeys)
    await keys.rotate(at(2 * 86_400))
  })

  test('a clock that ran ahead, or behind, leaves a key that signs', async () => {
    const store = new MemorySecretStore()
    const keys = await open(store)
    for (const now of [at(-1_000_000), at(0)]) assert.ok(await keys.signer(now))
    // Made by a clock that was a little ahead, the first key waits for nothing.
    const behind = await open(new MemorySecretStore())
    await behind.rotate(at(-1))
    assert.equal(parseJwkSet(await behind.jwkSet(at(-1))).length, 2)
    await keys.rotate(at(10_000_000))
    // Back again: what signs in the far future is not waited for.
    await keys.rotate(at(100))
    const kids = parseJwkSet(await keys.jwkSet(at(101))).map(({ kid }) => kid)
    assert.equal(kids.length, 3)
    assert.equal((await keys.signer(at(101))).kid, kids[0])
    assert.equal((await keys.signer(at(401))).kid, kids[2])
    assert.equal((await keys.signer(at(10_000_301))).kid, kids[2])
  })

  test('keys that others may have are replaced: no token of before counts', async () => {
    const store = new MemorySecretStore()
    const [keys, other] = [await open(store), await open(store)]
    const token = (await keys.signer(start)).sign(claims(start))
    const certificates = await keys.certificates(start)
    await keys.replace(at(1))
    for (const one of [keys, other]) {
      const trust = await one.trust(at(1))
      assert.throws(() => verifyToken(token, trust, at(1)), failsWith('TOKEN_UNTRUSTED'))
      verifyToken((await one.signer(at(1))).sign(claims(at(1))), trust, at(1))
    }
    assert.notEqual(await other.certificates(at(1)), certificates)
  })

  test('tokens of others count beside its own where they are configured, each under its own issuer', async () => {
    const theirs = tokenSigner(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
    const chained = await open(new MemorySecretStore(), { issuer: 'https://chained.example' })
    const files: Record<string, string> = {
      'keys.json': Buffer.from(formatJwkSet([theirs])).toString(),
      'root.pem': await chained.certificates(start),
      broken: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      large: 'x'.repeat(brokerLimits.trustedTokenBytes + 1),
    }
    const read = async (path: string, most: number) => Buffer.from(files[path]!).subarray(0, most)
    const others = await readTrustedTokens(
      [
        { issuer: 'https://other.example', keys: 'keys.json' },
        { issuer: 'https://chained.example', certificates: 'root.pem' },
      ],
      read,
    )
    const keys = await open(new MemorySecretStore(), { others })
    const trust = await keys.trust(start)
    const own = (await keys.signer(start)).sign(claims(start))
    const other = { ...claims(start), iss: 'https://other.example' }
    const inChain = { ...claims(start), iss: 'https://chained.example' }
    for (const token of [own, theirs.sign(other), (await chained.signer(start)).sign(inChain)])
      verifyToken(token, trust, start)
    // Neither says that it is us, nor that it is the other.
    for (const token of [
      theirs.sign(claims(start)),
      theirs.sign(inChain),
      (await chained.signer(start)).sign(other),
      (await keys.signer(start)).sign(other),
    ])
      assert.throws(() => verifyToken(token, trust, start), failsWith('TOKEN_UNTRUSTED'))
    assert.equal(parseJwkSet(await keys.jwkSet(start)).length, 1, 'keys of others are not announced as ours')
    for (const wrong of [
      { keys: 'broken' },
      { keys: 'large' },
      { certificates: 'broken' },
      { certificates: 'keys.json' },
    ])
      await assert.rejects(
        readTrustedTokens([{ issuer: 'https://other.example', ...wrong }], read),
        failsWith('TOKEN_TRUST_INVALID'),
      )
  })
})

describe('the record of the keys', () => {
  test('is read back as it was written, and sealed in the state', async () => {
    const record = await firstRecord(start)
    const more = { ...record, keys: [...record.keys, await newEntry(record.root, at(5), at(300).getTime())] }
    assert.deepEqual(parseKeyRecord(formatKeyRecord(more)), more)
    const beneath = new MemorySecretStore()
    const state = sealedStore(beneath, newKeyring(), { name: 'state' })
    const { kid } = await (await open(state)).signer(start)
    assert.equal((await (await open(state)).signer(start)).kid, kid)
    const lying = Buffer.concat(
      await Promise.all(
        (await beneath.list('')).map(async (key) => Buffer.from((await beneath.read(key))!.value)),
      ),
    )
    assert.ok(lying.length > 500 && !lying.includes('BEGIN'))
  })

  test('is refused where it is damaged, without a word of what is in it', async () => {
    const good = Buffer.from(formatKeyRecord(await firstRecord(start)))
    const text = good.toString()
    const other = parseKeyRecord(formatKeyRecord(await firstRecord(start)))
    const swapped = {
      ...parseKeyRecord(good),
      keys: [{ ...other.keys[0]!, certificate: parseKeyRecord(good).root.certificate }],
    }
    for (const damaged of [
      '',
      '{}',
      text.slice(0, -1),
      text.replace('"version":1', '"version":2'),
      text.replace(/"keys":\[.*?\],/, '"keys":[],'),
      text.replaceAll('PRIVATE KEY', 'PRIVATE  KEY'),
      text.replaceAll('BEGIN CERTIFICATE', 'BEGIN SOMETHING'),
      Buffer.from(formatKeyRecord(swapped)).toString(),
    ]) {
      const store = new MemorySecretStore()
      await store.compareAndSet(place, undefined, Buffer.from(damaged))
      await assert.rejects(open(store), (error: unknown) => {
        assert.ok(isFailure(error, 'TOKEN_KEYS_INVALID'), `${error}`)
        assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)} ${error.cause}`, /MIG|BEGIN/)
        return true
      })
    }
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(Buffer.from)), (bytes) => {
        assert.throws(() => parseKeyRecord(bytes), failsWith('TOKEN_KEYS_INVALID'))
      }),
    )
  })
})

test('admins look at the keys, rotate and replace them, and nothing else', async () => {
  const keys = await open(new MemorySecretStore())
  const { handlers, problems } = tokenKeysAdministration(keys)
  const signal = new AbortController().signal
  const ask = async (method: 'GET' | 'POST' | 'DELETE', ...path: string[]) => {
    const principal = { kind: 'user', name: 'ada' } as const
    const request = { method, path, query: {}, body: new Uint8Array(), principal, api: 'admin' } as const
    return parseJwkSet((await handlers['token-keys']!(request, start, signal)).body).map(({ kid }) => kid)
  }
  const [first] = await ask('GET', 'token-keys')
  const both = await ask('POST', 'token-keys', 'rotate')
  assert.deepEqual([both.length, both[0]], [2, first])
  await assert.rejects(ask('POST', 'token-keys', 'rotate'), failsWith('TOKEN_KEYS_BUSY'))
  assert.equal(problems.TOKEN_KEYS_BUSY?.status, 409)
  const [another, ...more] = await ask('POST', 'token-keys', 'replace')
  assert.ok(!both.includes(another) && more.length === 0)
  for (const [method, ...path] of [
    ['GET', 'token-keys', 'rotate'],
    ['POST', 'token-keys'],
    ['POST', 'token-keys', 'rotate', 'now'],
    ['DELETE', 'token-keys'],
  ] as const)
    await assert.rejects(ask(method, ...path), failsWith('BROKER_PATH_UNKNOWN'))
})
