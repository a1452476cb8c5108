// What unmodified guests of every version sent and took (recorded/README.md), fed to this room again: their requests
// are read and written byte for byte, their evidence is bound to the challenge and to nothing else, and what we reply
// now has the form that they opened.
import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isFailure } from '#base/index.ts'
import {
  type AttestationRequest,
  decryptResponse,
  deviceReportData,
  encryptTo,
  errorVariants,
  evidenceVerifiers,
  formatAttestationRequest,
  formatAuthRequest,
  formatChallenge,
  formatErrorBody,
  formatTokenResponse,
  newNonce,
  type ProtocolVersion,
  parseAttestationRequest,
  parseAuthRequest,
  parseChallenge,
  parseErrorBody,
  parseTeeKey,
  parseTokenResponse,
  primaryReportData,
  protocolVersions,
  statusOf,
  type TeeKey,
  type TeeKeyKind,
  type TeeKeyPair,
  teeKeyClaim,
  verifyAttestation,
  verifyToken,
  versionOfKey,
} from './index.ts'
import type { JsonObject } from './members.ts'
import { thumbprint } from './token/signer.ts'

interface Exchange {
  readonly request: {
    readonly method: string
    readonly path: string
    readonly contentType?: string
    readonly cookie?: string
    readonly authorization?: string
    readonly body: string
  }
  readonly response: { readonly status: number; readonly setCookie?: string; readonly body: string }
}

interface Case {
  readonly name: string
  readonly teeKey?: JsonObject
  readonly exchanges: readonly Exchange[]
  readonly exit: number
  readonly got: readonly string[]
}

interface Recording {
  readonly version: ProtocolVersion
  readonly secret: string
  readonly tokenKey: JsonObject
  readonly cases: readonly Case[]
}

/** One handshake: what the broker remembered of it, and what the guest made of that. */
interface Handshake {
  readonly nonce: string
  readonly cookie: string
  attested?: { readonly request: AttestationRequest; readonly bytes: Buffer; readonly token: string }
}

const recording = (version: ProtocolVersion): Recording =>
  JSON.parse(readFileSync(join(import.meta.dirname, 'recorded', `${version}.json`), 'utf8'))
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const sample = evidenceVerifiers(['sample', 'sampledevice'])
const collateral = new Map<string, Uint8Array>()
const allowRsa15 = true
const ofRoute = (exchanges: readonly Exchange[], route: string) =>
  exchanges.filter(({ request }) => request.path === `/kbs/v0/${route}`)
const ofResources = ({ exchanges }: Case) =>
  exchanges.filter(({ request }) => request.path.startsWith('/kbs/v0/resource/'))

function handshakes(version: ProtocolVersion, { exchanges }: Case): Handshake[] {
  const found: Handshake[] = []
  for (const { request, response } of exchanges) {
    if (request.path === '/kbs/v0/auth') {
      const { nonce } = parseChallenge(Buffer.from(response.body))
      found.push({ nonce, cookie: response.setCookie!.split(';')[0]! })
    }
    if (request.path === '/kbs/v0/attest') {
      const bytes = Buffer.from(request.body)
      const token = parseTokenResponse(Buffer.from(response.body))
      const handshake = found.at(-1)!
      assert.equal(request.cookie, handshake.cookie)
      handshake.attested = { request: parseAttestationRequest(bytes, version), bytes, token }
    }
  }
  return found
}

/** The handshakes of a version, all of them whole. */
const attested = (version: ProtocolVersion) =>
  recording(version).cases.flatMap((one) =>
    handshakes(version, one).map(({ nonce, attested }) => ({ name: one.name, nonce, ...attested! })),
  )

/** Members, lengths and, where nothing of it is random, the bytes of an encrypted reply. */
function form(body: string) {
  const reply = JSON.parse(body) as Record<string, string>
  const header = reply.protected!.startsWith('{')
    ? reply.protected!
    : text(Buffer.from(reply.protected!, 'base64url'))
  return {
    lengths: Object.entries(reply).map(([name, value]) => [name, value.length]),
    header: header.replaceAll(/"(x|y|ek)":"[\w-]*"/g, '"$1":""'),
  }
}

for (const version of protocolVersions) {
  describe(`guests that speak ${version}`, () => {
    test('ask for a challenge in the form that is read and written', () => {
      for (const { exchanges } of recording(version).cases) {
        for (const { request, response } of ofRoute(exchanges, 'auth')) {
          const asked = parseAuthRequest(Buffer.from(request.body))
          assert.deepEqual([asked.version, asked.tee], [version, 'sample'])
          assert.equal(text(formatAuthRequest(asked)), request.body)
          assert.equal(text(formatChallenge(parseChallenge(Buffer.from(response.body)))), response.body)
          assert.equal(request.contentType, 'application/json')
        }
      }
    })

    test('send evidence that is bound to the challenge, the key and the devices', async () => {
      const all = attested(version)
      assert.ok(all.length >= 5)
      for (const { name, nonce, request, bytes, token } of all) {
        assert.equal(text(formatAttestationRequest(request, version)), text(bytes), name)
        const context = { version, tee: 'sample', nonce, allowRsa15 } as const
        const verified = await verifyAttestation(request, context, sample, collateral, new Date())
        const { report_data: reported, svn } = verified.tees[0]!.claims
        const data = { nonce, teePubkey: request.teePubkey, additionalEvidence: request.additionalEvidence }
        const expected = primaryReportData(version, 'sample', data)
        assert.equal(reported, Buffer.from(expected).toString('base64'), name)
        assert.equal(svn, '1')
        assert.equal(parseTokenResponse(formatTokenResponse(token)), token)
      }
    })

    test('cannot use evidence for another session, key or set of devices', async () => {
      const [one, other] = attested(version)
      const refused = (request: AttestationRequest, nonce: string) =>
        assert.rejects(
          verifyAttestation(
            request,
            { version, tee: 'sample', nonce, allowRsa15 },
            sample,
            collateral,
            new Date(),
          ),
          (error) => isFailure(error, 'EVIDENCE_MISBOUND'),
        )
      const { request, nonce } = one!
      await refused(request, newNonce())
      await refused(request, other!.nonce)
      await refused({ ...request, teePubkey: other!.request.teePubkey }, nonce)
      await refused({ ...request, primaryEvidence: other!.request.primaryEvidence }, nonce)
      if (version !== '0.4.0') return
      await refused({ ...request, additionalEvidence: '{}' }, nonce)
      const asDevice = deviceReportData('sample', { nonce, teePubkey: request.teePubkey })
      const evidence = { svn: '1', report_data: Buffer.from(asDevice).toString('base64') }
      await refused({ ...request, primaryEvidence: evidence }, nonce)
    })

    test('are given tokens over the key that they sent', () => {
      for (const { request, token } of attested(version)) {
        assert.deepEqual(teeKeyClaim(claimsOf(version, token)), { ...request.teePubkey })
      }
    })

    test('show a token that they have from before, without a session', () => {
      const one = recording(version).cases.find(({ name }) => name === 'a token from before')!
      assert.deepEqual(
        one.exchanges.map(({ request }) => [request.path, request.cookie]),
        [['/kbs/v0/resource/default/key/one', undefined]],
      )
      assert.equal(one.got.length, 1)
    })

    test('open replies of exactly the form that we write', () => {
      const { cases, secret } = recording(version)
      let opened = 0
      for (const one of cases) {
        const replies = ofResources(one).filter(({ response }) => response.status === 200)
        // What the guest printed is what it decrypted: this is its own word that the form is right.
        assert.deepEqual(
          one.got,
          replies.map(() => secret),
        )
        for (const { request, response } of replies) {
          const jwk = keyOf(version, one, request)
          const teeKey = parseTeeKey(jwk, version, { allowRsa15 })
          const ours = text(encryptTo(teeKey, Buffer.from(secret), version))
          assert.deepEqual(form(ours), form(response.body), one.name)
          if (!one.teeKey) continue
          const pair = pairOf(one.teeKey, jwk, teeKey)
          const plain = decryptResponse(pair, Buffer.from(response.body), version)
          assert.equal(text(plain), secret)
          opened++
        }
      }
      assert.ok(opened > 0)
    })

    test('attest again only where they are told to', () => {
      const { cases } = recording(version)
      const statuses = (name: string) =>
        ofResources(cases.find((one) => one.name === name)!).map(({ response }) => response.status)
      assert.deepEqual(statuses('refused by policy').slice(-1), [403])
      assert.deepEqual(statuses('absent').slice(-1), [404])
      const ended = statuses('the session has ended in between')
      assert.deepEqual(ended.slice(-3), [200, 401, 200])
      for (const one of cases) {
        const refusals = one.exchanges.filter(({ response }) => response.status !== 200)
        // A client that knows of no session asks for the resource first.
        assert.ok(refusals.length <= 2, one.name)
        for (const { response } of refusals) {
          const { type, detail } = parseErrorBody(Buffer.from(response.body))
          const variant = errorVariants.find((known) => known === type)!
          assert.equal(statusOf(variant), response.status)
          assert.equal(text(formatErrorBody(variant, detail)), response.body)
        }
        assert.equal(one.exit === 0, one.got.length > 0, one.name)
      }
    })
  })
}

test('evidence of a device is bound to the session and the key, and the primary evidence to it', async () => {
  const version = '0.4.0'
  const name = 'a secret, with evidence of a device'
  const { request, nonce } = attested(version).find((one) => one.name === name)!
  const verify = (changed: Partial<AttestationRequest>) =>
    verifyAttestation(
      { ...request, ...changed },
      { version, tee: 'sample', nonce },
      sample,
      collateral,
      new Date(),
    )
  const { tees } = await verify({})
  assert.deepEqual(
    tees.map(({ tee, class: kind, claims }) => [tee, kind, claims.svn]),
    [
      ['sample', 'cpu', '1'],
      ['sampledevice', 'gpu', '2'],
    ],
  )
  const data = { nonce, teePubkey: request.teePubkey }
  const reported = Buffer.from(deviceReportData('sample', data)).toString('base64')
  assert.equal(tees[1]!.claims.report_data, reported)
  const misbound = (error: unknown) => isFailure(error, 'EVIDENCE_MISBOUND')
  await assert.rejects(verify({ additionalEvidence: '', devices: new Map() }), misbound)
  const other = { svn: '2', report_data: tees[0]!.claims.report_data! }
  await assert.rejects(verify({ devices: new Map([['sampledevice', other]]) }), misbound)
})

test('init-data is read as it was sent', async () => {
  const all = attested('0.4.0')
  const { request, nonce } = all.find(({ name }) => name === 'a secret, with init-data')!
  const context = { version: '0.4.0', tee: 'sample', nonce } as const
  const { initDataClaims } = await verifyAttestation(request, context, sample, collateral, new Date())
  assert.deepEqual(initDataClaims, { 'policy.rego': 'package agent_policy' })
})

/** The key that a reply was encrypted to: of the session, or of the token that was shown. */
function keyOf(
  version: ProtocolVersion,
  one: Case,
  { cookie, authorization }: Exchange['request'],
): JsonObject {
  if (authorization === undefined) {
    return handshakes(version, one).find((handshake) => handshake.cookie === cookie)!.attested!.request
      .teePubkey
  }
  // What a broker does that has no session to know the version by.
  const jwk = teeKeyClaim(claimsOf(version, authorization.replace('Bearer ', '')))
  const known = ['0.1.0', '0.1.1'].includes(version) ? '0.1.1' : '0.4.0'
  assert.equal(versionOfKey(jwk), known)
  return jwk
}

/** Of a token of the recording, as they were read then. */
function claimsOf(version: ProtocolVersion, token: string): JsonObject {
  const key = createPublicKey({ key: recording(version).tokenKey as never, format: 'jwk' })
  const keys = [{ algorithm: 'ES256', key, thumbprint: thumbprint(key) }] as const
  const { iat } = JSON.parse(text(Buffer.from(token.split('.')[1]!, 'base64url'))) as { iat: number }
  return verifyToken(token, { keys }, new Date(iat * 1000)).claims
}

function pairOf(teeKey: JsonObject, jwk: JsonObject, publicKey: TeeKey): TeeKeyPair {
  const privateKey = createPrivateKey({ key: teeKey as never, format: 'jwk' })
  assert.ok(createPublicKey(privateKey).equals(publicKey.key))
  const kind = (publicKey.curve ?? publicKey.algorithm) as TeeKeyKind
  return { kind, jwk, teeKey: publicKey, privateKey }
}
