import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { attestationLimits, isFailure } from '#base/index.ts'
import { attestationGuard } from './guard.ts'
import { formatJwkSet } from './jwk-set.ts'
import { fetchJwkSet, remoteKeys } from './remote-keys.ts'
import { tokenSigner } from './signer.ts'

const code = (name: string) => (error: unknown) => isFailure(error, name)
const newSigner = () => tokenSigner(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
const first = newSigner()
const second = newSigner()
const issuer = 'https://kbs.example'
const address = 'https://kbs.example/.well-known/jwks.json'

/** An issuer whose keys, answers and clock a test sets. */
function scene() {
  const state = { fetched: 0, signers: [first], status: 200, seconds: 1_800_000_000 }
  const now = () => new Date(state.seconds * 1000)
  const trust = remoteKeys(address, issuer, {
    fetch: async () => {
      state.fetched++
      if (state.status === 0) throw new TypeError('fetch failed')
      return new Response(Buffer.from(formatJwkSet(state.signers)), { status: state.status })
    },
    now,
  })
  return { state, trust, now }
}

test('keys are fetched once, and again when they are no longer fresh', async () => {
  const { state, trust } = scene()
  const [one, same] = await Promise.all([trust(false), trust(false)])
  assert.equal(one, same)
  assert.deepEqual([one.keys?.length, one.issuer, state.fetched], [1, issuer, 1])
  state.seconds += 299
  assert.equal(await trust(false), one)
  state.seconds += 1
  state.signers = [first, second]
  assert.equal((await trust(false)).keys?.length, 2)
  assert.equal(state.fetched, 2)
})

test('an unknown key has them fetched again, and not more often than every ten seconds', async () => {
  const { state, trust, now } = scene()
  const guard = attestationGuard({ trust, now })
  const ask = async (signer: typeof first) => {
    const token = signer.sign({
      iss: issuer,
      exp: state.seconds + 60,
      submods: { a: { 'ear.status': 'affirming' } },
    })
    return (await guard({ headers: { authorization: `Bearer ${token}` } })).refusal?.status ?? 200
  }
  assert.equal(await ask(first), 200)
  state.seconds += 10
  state.signers = [second, first]
  assert.equal(await ask(second), 200)
  assert.equal(state.fetched, 2)
  for (let i = 0; i < 5; i++) assert.equal(await ask(newSigner()), 401)
  assert.equal(state.fetched, 2)
  state.seconds += 10
  assert.equal(await ask(newSigner()), 401)
  assert.equal(state.fetched, 3)
})

test('where they cannot be fetched, those that are known count for an hour', async () => {
  const { state, trust, now } = scene()
  const known = await trust(false)
  for (const status of [0, 500]) {
    state.status = status
    state.seconds += 1000
    assert.equal(await trust(false), known)
  }
  assert.equal(state.fetched, 3)
  state.seconds += 1600
  await assert.rejects(trust(false), code('TOKEN_KEYS_UNAVAILABLE'))
  const token = first.sign({ iss: issuer, exp: state.seconds + 60, submods: {} })
  const { refusal } = await attestationGuard({ trust, now })({
    headers: { authorization: `Bearer ${token}` },
  })
  assert.deepEqual([refusal?.status, refusal?.headers['retry-after']], [503, '10'])
  assert.equal(state.fetched, 4, 'whoever asks at once makes no load')
  state.status = 200
  state.seconds += 10
  assert.equal((await trust(false)).keys?.length, 1)
})

test('a clock that goes back makes no key younger', async () => {
  const { state, trust } = scene()
  await trust(false)
  state.seconds -= 100_000
  await trust(false)
  assert.equal(state.fetched, 2)
})

test('keys come by HTTPS, or from loopback', () => {
  for (const bad of ['http://kbs.example/jwks.json', 'ftp://127.0.0.1/', 'file:///etc/keys', 'nonsense', ''])
    assert.throws(() => remoteKeys(bad, issuer), code('TOKEN_KEY_INVALID'), bad)
  for (const fine of [address, 'http://127.0.0.1:8080/.well-known/jwks.json', 'http://[::1]:1/'])
    assert.equal(typeof remoteKeys(fine, issuer), 'function')
})

test('an answer is read up to its limit', async () => {
  const answering = (length: number) => ({
    fetch: async () => new Response(Buffer.alloc(length, ' ')),
    signal: new AbortController().signal,
  })
  const url = new URL(address)
  const { jwkSetBytes } = attestationLimits
  assert.equal((await fetchJwkSet(url, answering(jwkSetBytes))).length, jwkSetBytes)
  await assert.rejects(fetchJwkSet(url, answering(jwkSetBytes + 1)), code('TOKEN_KEYS_UNAVAILABLE'))
  await assert.rejects(
    remoteKeys(address, issuer, { fetch: async () => new Response('{}') })(false),
    code('TOKEN_KEYS_UNAVAILABLE'),
  )
})
