// An exchange recorded between an unmodified guest and an unmodified Trustee: what they sent is read, and what we
// would have sent in their place is the same bytes, as far as chance allows.
import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  appraise,
  compileAttestationPolicy,
  earClaims,
  encryptTo,
  evidenceVerifiers,
  formatAttestationRequest,
  formatAuthRequest,
  formatChallenge,
  formatErrorBody,
  formatTokenResponse,
  parseAttestationRequest,
  parseAuthRequest,
  parseChallenge,
  parseErrorBody,
  parseTeeKey,
  parseTokenResponse,
  teeKeyClaim,
  verifyAttestation,
  verifyToken,
} from './index.ts'
import { thumbprint } from './token/signer.ts'

interface Recorded {
  readonly request: { readonly path: string; readonly body: string }
  readonly response: { readonly status: number; readonly body: string }
}

const folder = join(import.meta.dirname, '../../../shared/vectors/confidential')
const file = join(folder, 'rcar/0.4.0-sample-p256.json')
const skip = existsSync(file) ? false : 'NOT TESTED: the shared vectors are not here'
const exchange = () => JSON.parse(readFileSync(file, 'utf8')) as readonly Recorded[]
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const named = (end: string) => exchange().filter(({ request }) => request.path.endsWith(end))

test('requests for challenges, and challenges', { skip }, () => {
  assert.ok(named('/auth').length > 0)
  for (const { request, response } of named('/auth')) {
    const read = parseAuthRequest(Buffer.from(request.body))
    assert.equal(text(formatAuthRequest(read)), request.body)
    assert.equal(text(formatChallenge(parseChallenge(Buffer.from(response.body)))), response.body)
  }
})

test('evidence is bound to the challenge before it, and is read and written byte for byte', {
  skip,
}, async () => {
  const [challenges, attestations] = [named('/auth'), named('/attest')]
  for (const [position, { request, response }] of attestations.entries()) {
    const { nonce } = parseChallenge(Buffer.from(challenges[position]!.response.body))
    const read = parseAttestationRequest(Buffer.from(request.body), '0.4.0')
    assert.equal(text(formatAttestationRequest(read, '0.4.0')), request.body)
    parseTeeKey(read.teePubkey, '0.4.0')
    const context = { version: '0.4.0', tee: 'sample', nonce } as const
    const verified = await verifyAttestation(
      read,
      context,
      evidenceVerifiers(['sample']),
      new Map(),
      new Date(),
    )
    assert.equal(verified.tees[0]!.claims.svn, '1')
    const token = parseTokenResponse(Buffer.from(response.body))
    assert.equal(text(formatTokenResponse(token)), response.body)
  }
})

test("the token is taken, and ours over the same evidence says the same under Trustee's own policy", {
  skip,
}, async () => {
  const { request, response } = named('/attest')[0]!
  const token = parseTokenResponse(Buffer.from(response.body))
  const header = JSON.parse(text(Buffer.from(token.split('.')[0]!, 'base64url')))
  const key = createPublicKey({ key: header.jwk, format: 'jwk' })
  const keys = [{ algorithm: 'ES256', key, thumbprint: thumbprint(key) }] as const
  const { iat } = JSON.parse(text(Buffer.from(token.split('.')[1]!, 'base64url'))) as { iat: number }
  const at = new Date(iat * 1000)
  const { claims } = verifyToken(token, { keys }, at)

  const read = parseAttestationRequest(Buffer.from(request.body), '0.4.0')
  assert.deepEqual(parseTeeKey(teeKeyClaim(claims), '0.4.0'), parseTeeKey(read.teePubkey, '0.4.0'))
  const context = { version: '0.4.0', tee: 'sample', nonce: read.nonce! } as const
  const verified = await verifyAttestation(read, context, evidenceVerifiers(['sample']), new Map(), at)
  const rego = readFileSync(join(folder, 'trustee/rego/as/ear_default_policy_cpu.rego'), 'utf8')
  const policy = compileAttestationPolicy([{ path: 'default_cpu.rego', text: rego }])
  const appraisals = appraise(verified, () => ({ id: 'default', policy }), [], at)
  const ours = earClaims(
    appraisals,
    {
      issuer: 'CoCo-Attestation-Service',
      developer: 'https://confidentialcontainers.org',
      build: 'attestation-service 0.1.0',
    },
    at,
  )
  assert.deepEqual(JSON.parse(JSON.stringify(ours)), claims)
  assert.deepEqual(Object.keys(ours), Object.keys(claims))
})

test('an encrypted reply has the members of the recorded one, in its order', { skip }, () => {
  const [attested, got] = [named('/attest')[0]!, named('/key/one')[0]!]
  const recorded = JSON.parse(got.response.body) as Record<string, string>
  const { teePubkey } = parseAttestationRequest(Buffer.from(attested.request.body), '0.4.0')
  const ours = JSON.parse(text(encryptTo(parseTeeKey(teePubkey, '0.4.0'), Buffer.from('harbour'), '0.4.0')))
  assert.deepEqual(Object.keys(ours), Object.keys(recorded))
  for (const name of Object.keys(recorded)) assert.equal(ours[name].length, recorded[name]!.length, name)
  const shape = (reply: Record<string, string>) =>
    text(Buffer.from(reply.protected!, 'base64url')).replaceAll(/"[\w-]{43}"/g, '""')
  assert.equal(shape(ours), shape(recorded))
})

test('refusals are read, and written in the same form', { skip }, () => {
  const refusals = exchange().filter(({ response }) => response.status === 401)
  assert.ok(refusals.length > 0)
  for (const { response } of refusals) {
    const { type, detail } = parseErrorBody(Buffer.from(response.body))
    assert.equal(type, 'PluginInternalError')
    assert.equal(text(formatErrorBody('PluginInternalError', detail)), response.body)
  }
})
