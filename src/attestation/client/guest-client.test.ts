// A guest against a broker of a few lines, made of this room alone: the whole handshake in every version.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { isFailure } from '#base/index.ts'
import {
  appraise,
  challengeFor,
  compileAttestationPolicy,
  earClaims,
  encryptTo,
  evidenceVerifiers,
  formatChallenge,
  formatErrorBody,
  formatJwkSet,
  formatTokenResponse,
  generateTeeKey,
  guestClient,
  type ProtocolVersion,
  parseAttestationRequest,
  parseAuthRequest,
  parseJwkSet,
  parseTeeKey,
  statusOf,
  type TeeKeyKind,
  teeKeyClaim,
  tokenSigner,
  verifyAttestation,
  verifyToken,
} from '../index.ts'

const code = (name: string) => (error: unknown) => isFailure(error, name)
const secrets: Readonly<Record<string, string>> = { 'resource/default/key/one': 'harbour' }
const policy = compileAttestationPolicy([
  { path: 'policy.rego', text: 'package policy\ntrust_claims := {"hardware": 2}' },
])

/** One broker: sessions in memory, the sample TEE, everything that is there for everybody. */
function broker() {
  const signer = tokenSigner(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
  const keys = parseJwkSet(formatJwkSet([signer]))
  const sessions = new Map<string, { version: ProtocolVersion; nonce: string; token?: string }>()
  const asked: string[] = []

  const refuse = (variant: Parameters<typeof statusOf>[0]) =>
    new Response(Buffer.from(formatErrorBody(variant, 'no')), { status: statusOf(variant) })

  async function answer(path: string, body: Uint8Array, id: string): Promise<Response> {
    const session = sessions.get(id)
    if (path === 'auth') {
      const { version, tee } = parseAuthRequest(body)
      const challenge = challengeFor(tee)
      const cookie = `${sessions.size}`.padStart(32, '0')
      sessions.set(cookie, { version, nonce: challenge.nonce })
      const headers = { 'set-cookie': `kbs-session-id=${cookie}; Expires=Thu, 01 Jan 2099 00:00:00 GMT` }
      return new Response(Buffer.from(formatChallenge(challenge)), { headers })
    }
    if (!session) return refuse('TokenNotFound')
    const at = new Date()
    if (path === 'attest') {
      const request = parseAttestationRequest(body, session.version)
      const verifiers = evidenceVerifiers(['sample'])
      const verified = await verifyAttestation(
        request,
        { ...session, tee: 'sample', allowRsa15: true },
        verifiers,
        new Map(),
        at,
      )
      const appraisals = appraise(verified, () => ({ id: 'default', policy }), [], at)
      const terms = { issuer: 'test', build: 'test', developer: 'test' }
      session.token = signer.sign(earClaims(appraisals, terms, at))
      return new Response(Buffer.from(formatTokenResponse(session.token)))
    }
    if (!session.token) return refuse('TokenNotFound')
    const { claims } = verifyToken(session.token, { keys }, at)
    const key = parseTeeKey(teeKeyClaim(claims), session.version, { allowRsa15: true })
    if (path.startsWith('forbidden')) return refuse('PolicyDeny')
    const secret = secrets[path]
    if (secret === undefined) return refuse('InvalidRequestPath')
    return new Response(Buffer.from(encryptTo(key, Buffer.from(secret), session.version)))
  }

  return {
    asked,
    sessions,
    fetch: (async (url: string, init: RequestInit) => {
      const path = url.replace('http://broker/kbs/v0/', '')
      asked.push(path)
      const cookie = new Headers(init.headers).get('cookie') ?? ''
      return await answer(
        path,
        (init.body ?? new Uint8Array()) as Uint8Array,
        cookie.replace('kbs-session-id=', ''),
      )
    }) as typeof globalThis.fetch,
  }
}

const guest = async (
  { fetch }: { fetch: typeof globalThis.fetch },
  version: ProtocolVersion = '0.4.0',
  kind: TeeKeyKind = 'P-256',
) => guestClient({ url: 'http://broker/', version, keyPair: await generateTeeKey(kind), fetch })

test('a guest of every version gets a secret with each of its keys', async () => {
  const versions: [ProtocolVersion, readonly TeeKeyKind[]][] = [
    ['0.1.0', ['RSA1_5']],
    ['0.1.1', ['RSA1_5']],
    ['0.2.0', ['P-256', 'RSA-OAEP-256']],
    ['0.4.0', ['P-256', 'P-521', 'RSA-OAEP-256', 'ML-KEM-768']],
  ]
  for (const [version, kinds] of versions) {
    for (const kind of kinds) {
      const client = await guest(broker(), version, kind)
      assert.equal(Buffer.from(await client.get('resource/default/key/one')).toString(), 'harbour', kind)
    }
  }
})

test('a guest attests when it is asked to, uses its session, and recovers when that has ended', async () => {
  const there = broker()
  const client = await guest(there)
  await client.get('resource/default/key/one')
  await client.get('resource/default/key/one')
  const path = 'resource/default/key/one'
  assert.deepEqual(there.asked, [path, 'auth', 'attest', path, path])
  there.sessions.clear()
  assert.equal(Buffer.from(await client.get(path)).toString(), 'harbour')
})

test('what is not there, or not allowed, is not asked for again', async () => {
  const there = broker()
  const client = await guest(there)
  await client.attest()
  await assert.rejects(client.get('resource/default/key/absent'), code('RCAR_NOT_FOUND'))
  await assert.rejects(client.get('forbidden'), code('RCAR_REFUSED'))
  assert.equal(there.asked.length, 4)
})

test('a broker that always says 401 is asked four times', async () => {
  const there = broker()
  const refusing = {
    asked: 0,
    fetch: (async (url: string, init: RequestInit) => {
      if (/\/(auth|attest)$/.test(url)) return await there.fetch(url, init)
      refusing.asked++
      return new Response(Buffer.from(formatErrorBody('TokenNotFound', 'no')), { status: 401 })
    }) as typeof globalThis.fetch,
  }
  await assert.rejects((await guest(refusing)).get('x'), code('RCAR_REFUSED'))
  assert.equal(refusing.asked, 4)
})

const answering = (response: () => Response | Promise<Response>) => ({
  fetch: (async () => await response()) as unknown as typeof globalThis.fetch,
})

test('answers that are none are failures, and tell nothing to the terminal', async () => {
  const failing = async (response: () => Response | Promise<Response>, expected: string) =>
    await assert.rejects((await guest(answering(response))).get('x'), code(expected))
  await failing(() => new Response('<html>', { status: 502 }), 'RCAR_FAILED')
  await failing(() => new Response('{}'), 'RESPONSE_UNREADABLE')
  await failing(() => new Response(Buffer.alloc(16 * 1024 * 1024 + 1)), 'RCAR_FAILED')
  await failing(() => Promise.reject(new TypeError('fetch failed')), 'RCAR_FAILED')
  const body = JSON.stringify({ type: 'x\u001b[2J', detail: 'y'.repeat(10_000) })
  const client = await guest(answering(() => new Response(body, { status: 403 })))
  await assert.rejects(
    client.get('x'),
    (error) => isFailure(error) && error.message.length < 1100 && !error.message.includes('\u001b'),
  )
})

test('an abort stays an abort', async () => {
  const client = await guest(answering(() => Promise.reject(new DOMException('stop', 'AbortError'))))
  await assert.rejects(client.get('x', AbortSignal.abort()), { name: 'AbortError' })
})
