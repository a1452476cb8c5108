// The clients of Fulcio, Rekor and time-stamp authorities against services that answer badly. What the real ones
// answer is shown in test/interop.
import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, verify, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { fulcioHandler, initializeCA, initializeTSA } from '@sigstore/mock'
import { isFailure, limits } from '#base/index.ts'
import { generateKeyPair, privateKeySigner } from '#keys/index.ts'
import { keylessSignatory } from './certificate-authority.ts'
import { githubTokens, givenToken, subjectOfToken } from './identity-token.ts'
import { sealMessage, sealStatement } from './seal.ts'
import { keySignatory } from './signatory.ts'
import { serviceUrl } from './signing-service.ts'
import { timeStampAuthority } from './time-stamp-authority.ts'
import { transparencyLog } from './transparency-log.ts'

interface Asked {
  readonly path: string
  readonly body: Buffer
}
let server: Server
let url = ''
let asked: Asked[] = []
let answer: (asked: Asked, response: ServerResponse, request: IncomingMessage) => void | Promise<void>

before(async () => {
  server = createServer(async (request, response) => {
    const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>))
    const one = { path: request.url ?? '', body }
    asked.push(one)
    await answer(one, response, request)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  asked = []
})

const says = (status: number, body: string | Buffer, headers = {}) => {
  answer = (_, response) => void response.writeHead(status, headers).end(body)
}
const quick = { ...limits, signingMs: 300, signingRetries: 1, answerBytes: 64 * 1024 }
const bounds = { limits: quick }
const fails = (code: string, act: () => Promise<unknown>, why = /./) =>
  assert.rejects(act, (error) => isFailure(error, code) && why.test(error.message))

const signer = keySignatory(privateKeySigner((await generateKeyPair('ecdsa-p256')).privateKey))
const message = Buffer.from('message')
const seal = (...witnesses: Parameters<typeof sealMessage>[1]['witnesses']) =>
  sealMessage(message, { signatory: signer, witnesses })

const jwt = (claims: object) =>
  `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${Buffer.from('s').toString('base64url')}`
const token = jwt({ sub: 'someone', email: 'a@shop.example', email_verified: true, iss: 'https://issuer' })

test('a certificate authority is asked once for many signatures, and the certificate is for our key', async () => {
  const ca = await initializeCA(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
  const fulcio = fulcioHandler(ca, { subjectClaim: 'email' })
  answer = async ({ body }, response) => {
    const { statusCode, response: text } = await fulcio.fn(body.toString())
    response.writeHead(statusCode).end(text)
  }
  const signatory = keylessSignatory({ fulcioUrl: `${url}/`, tokens: givenToken(`${token}\n`), ...bounds })
  const { signature, by } = await signatory.sign(message)
  const certificate = new X509Certificate(by.certificate as Uint8Array)
  assert.ok(verify('sha256', message, certificate.publicKey, signature))
  assert.match(certificate.subjectAltName ?? '', /:a@shop.example$/)
  assert.deepEqual((await signatory.sign(message)).by, by)
  assert.deepEqual(
    asked.map(({ path }) => path),
    ['/api/v2/signingCert'],
  )
  const { credentials } = JSON.parse(asked[0]?.body.toString() ?? '')
  assert.equal(credentials.oidcIdentityToken, token)

  // One for somebody else's key.
  const stolen = [
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(ca.rootCertificate.buffer).toString('base64')}\n-----END CERTIFICATE-----\n`,
  ]
  says(201, JSON.stringify({ signedCertificateEmbeddedSct: { chain: { certificates: stolen } } }))
  const fresh = () => keylessSignatory({ fulcioUrl: url, tokens: givenToken(token), ...bounds })
  await fails('SIGNING_SERVICE_ANSWER_INVALID', () => fresh().sign(message))
  for (const body of ['', '{}', '[]', '{"signedCertificateEmbeddedSct":{"chain":{"certificates":[]}}}']) {
    says(201, body)
    await fails('SIGNING_SERVICE_ANSWER_INVALID', () => fresh().sign(message))
  }
  says(400, '{"message":"the token is stale"}')
  await assert.rejects(
    () => fresh().sign(message),
    (error) => isFailure(error, 'SIGNING_SERVICE_REFUSED') && !error.message.includes(token),
  )
})

test('what a token says is read strictly, and never told', () => {
  assert.equal(subjectOfToken(token), 'a@shop.example')
  assert.equal(subjectOfToken(jwt({ sub: 'repo:x' })), 'repo:x')
  for (const bad of [
    '',
    'a.b',
    'a.b.c.d',
    'e30.!.x',
    jwt([]),
    jwt({}),
    jwt({ sub: 7 }),
    jwt({ email: 'x', sub: 's' }),
  ]) {
    assert.throws(
      () => subjectOfToken(bad),
      (error) => isFailure(error, 'IDENTITY_TOKEN_INVALID') && (bad === '' || !error.message.includes(bad)),
      bad,
    )
  }
  const long = `e30.${'a'.repeat(limits.tokenBytes)}.x`
  assert.throws(
    () => subjectOfToken(long),
    (error) => isFailure(error, 'IDENTITY_TOKEN_INVALID'),
  )
})

test('a GitHub job asks its service for a token', async () => {
  assert.equal(githubTokens({}), undefined)
  const tokens = githubTokens({
    ACTIONS_ID_TOKEN_REQUEST_URL: `${url}/token?api=1`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'bearer',
  })
  answer = (_, response, request) =>
    void response.end(
      JSON.stringify({ value: request.headers.authorization === 'Bearer bearer' ? 'a.b.c' : '' }),
    )
  assert.equal(await tokens?.token(), 'a.b.c')
  assert.equal(asked[0]?.path, '/token?api=1&audience=sigstore')
})

test('a time stamp is asked for in DER, and is about our signature', async () => {
  const tsa = await initializeTSA(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
  const stamp = (artifactHash: Buffer) =>
    tsa.timestamp({ artifactHash, hashAlgorithmOID: '2.16.840.1.101.3.4.2.1', nonce: 1, policyOID: '1.2.3' })
  answer = async ({ body }, response) => {
    // TimeStampReq: SEQUENCE, version, then the imprint, whose hash ends 32 bytes later.
    const at = body.indexOf(Buffer.from([0x04, 0x20])) + 2
    response.end(await stamp(body.subarray(at, at + 32)))
  }
  const bundle = JSON.parse(Buffer.from(await seal(timeStampAuthority(url, bounds))).toString())
  const [one] = bundle.verificationMaterial.timestampVerificationData.rfc3161Timestamps
  const hash = createHash('sha256').update(Buffer.from(bundle.messageSignature.signature, 'base64')).digest()
  assert.ok(Buffer.from(one.signedTimestamp, 'base64').includes(hash))
  assert.equal(asked[0]?.path, '/api/v1/timestamp')
  const other = await stamp(Buffer.alloc(32, 7))
  says(200, Buffer.from(other.buffer, other.byteOffset, other.byteLength))
  await fails(
    'SIGNING_SERVICE_ANSWER_INVALID',
    () => seal(timeStampAuthority(`${url}/tsa`, bounds)),
    /something else/,
  )
  assert.equal(asked.at(-1)?.path, '/tsa')
  says(200, Buffer.from('30053003020102', 'hex'))
  await fails('SIGNING_SERVICE_ANSWER_INVALID', () => seal(timeStampAuthority(url, bounds)), /status 2/)
  for (const bytes of ['', '30', '3003020100', '3080']) {
    says(200, Buffer.from(bytes, 'hex'))
    await fails('SIGNING_SERVICE_ANSWER_INVALID', () => seal(timeStampAuthority(url, bounds)))
  }
})

const entry = {
  body: Buffer.from('{"kind":"hashedrekord","apiVersion":"0.0.1"}').toString('base64'),
  integratedTime: 1763700000,
  logID: 'ab'.repeat(32),
  logIndex: 7,
  verification: {
    signedEntryTimestamp: 'c2V0',
    inclusionProof: {
      checkpoint: 'text',
      hashes: ['cd'.repeat(32)],
      logIndex: 6,
      rootHash: 'ef'.repeat(32),
      treeSize: 9,
    },
  },
}

test('an entry of Rekor 1 is taken as it is; one that is there already is fetched', async () => {
  const id = 'a'.repeat(80)
  answer = ({ path }, response) => {
    if (path.endsWith(id)) response.end(JSON.stringify({ [id]: entry }))
    else response.writeHead(409, { location: `/api/v1/log/entries/${id}` }).end('{}')
  }
  const bundle = JSON.parse(Buffer.from(await seal(transparencyLog(url, 1, bounds))).toString())
  assert.deepEqual(bundle.verificationMaterial.tlogEntries, [
    {
      logIndex: '7',
      logId: { keyId: Buffer.from(entry.logID, 'hex').toString('base64') },
      kindVersion: { kind: 'hashedrekord', version: '0.0.1' },
      integratedTime: '1763700000',
      inclusionPromise: { signedEntryTimestamp: 'c2V0' },
      inclusionProof: {
        logIndex: '6',
        rootHash: Buffer.from('ef'.repeat(32), 'hex').toString('base64'),
        treeSize: '9',
        hashes: [Buffer.from('cd'.repeat(32), 'hex').toString('base64')],
        checkpoint: { envelope: 'text' },
      },
      canonicalizedBody: entry.body,
    },
  ])
  const proof = entry.verification.inclusionProof
  for (const value of [
    [],
    {},
    { a: entry, b: entry },
    { a: { ...entry, body: 7 } },
    { a: { ...entry, body: '' } },
    { a: { ...entry, logIndex: '7' } },
    { a: { ...entry, verification: { inclusionProof: { ...proof, hashes: [7] } } } },
    { a: { ...entry, verification: { inclusionProof: { ...proof, checkpoint: undefined } } } },
  ]) {
    says(201, JSON.stringify(value))
    await fails('SIGNING_SERVICE_ANSWER_INVALID', () => seal(transparencyLog(url, 1, bounds)))
  }
  says(409, '{}', { location: '/../../elsewhere' })
  await fails('SIGNING_SERVICE_REFUSED', () => seal(transparencyLog(url, 1, bounds)))
})

test('an entry of Rekor 2 is taken as it is, and Ed25519 is not offered to a log', async () => {
  const good = {
    logId: { keyId: 'AA==' },
    kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
    inclusionProof: { rootHash: 'AA==', treeSize: '1', checkpoint: { envelope: 'text' } },
    canonicalizedBody: 'e30=',
  }
  says(201, JSON.stringify({ ...good, unknown: 1 }))
  const bundle = JSON.parse(Buffer.from(await seal(transparencyLog(url, 2, bounds))).toString())
  assert.deepEqual(bundle.verificationMaterial.tlogEntries, [
    { ...good, logIndex: '0', inclusionProof: { ...good.inclusionProof, logIndex: '0', hashes: [] } },
  ])
  const { hashedRekordRequestV002: request } = JSON.parse(asked[0]?.body.toString() ?? '')
  assert.equal(request.digest, createHash('sha256').update(message).digest('base64'))
  assert.equal(request.signature.verifier.keyDetails, 'PKIX_ECDSA_P256_SHA_256')
  for (const value of [
    [],
    {},
    { ...good, inclusionProof: {} },
    { ...good, logIndex: '-1' },
    { ...good, logId: 7 },
  ]) {
    says(201, JSON.stringify(value))
    await fails('SIGNING_SERVICE_ANSWER_INVALID', () => seal(transparencyLog(url, 2, bounds)))
  }
  const ed25519 = keySignatory(privateKeySigner((await generateKeyPair('ed25519')).privateKey))
  for (const version of [1, 2] as const) {
    const witnesses = [transparencyLog(url, version, bounds)]
    await fails('SIGNING_UNSUPPORTED', () => sealMessage(message, { signatory: ed25519, witnesses }))
  }
  // Rekor 1 checks an envelope with SHA-256 whatever the key.
  const p384 = keySignatory(privateKeySigner((await generateKeyPair('ecdsa-p384')).privateKey))
  const witnesses = [transparencyLog(url, 1, bounds)]
  await fails('SIGNING_UNSUPPORTED', () => sealStatement(message, { signatory: p384, witnesses }))
})

test('a service that cannot is asked again, and one that will not is told of', async () => {
  let left = 1
  answer = (_, response) => {
    if (left-- > 0) response.writeHead(503).end()
    else response.end(JSON.stringify({ a: entry }))
  }
  await seal(transparencyLog(url, 1, bounds))
  assert.equal(asked.length, 2)
  says(500, 'down\u0007')
  await fails('SIGNING_SERVICE_REFUSED', () => seal(transparencyLog(url, 1, bounds)), /HTTP 500\): down $/)
  answer = (_, response) => void response.destroy()
  await fails('SIGNING_SERVICE_UNREACHABLE', () => seal(transparencyLog(url, 1, bounds)))
  answer = () => undefined
  await fails('SIGNING_SERVICE_UNREACHABLE', () => seal(transparencyLog(url, 1, bounds)), /300 ms/)
  // A redirect would carry the token away.
  says(307, '', { location: `${url}/elsewhere` })
  await fails('SIGNING_SERVICE_UNREACHABLE', () => seal(transparencyLog(url, 1, bounds)))
  assert.ok(asked.every(({ path }) => path !== '/elsewhere'))
  says(200, 'x'.repeat(quick.answerBytes + 1))
  await fails('SIGNING_SERVICE_ANSWER_INVALID', () => seal(transparencyLog(url, 1, bounds)), /longer/)
  const stop = AbortSignal.abort(new Error('stopped'))
  const means = { signatory: signer, witnesses: [transparencyLog(url, 1, bounds)] }
  await assert.rejects(sealMessage(message, means, { signal: stop }), /stopped/)
})

test('a service is named by an HTTPS URL, or is this machine', () => {
  assert.equal(serviceUrl('https://fulcio.example/'), 'https://fulcio.example')
  assert.equal(serviceUrl('http://localhost:8080/x/'), 'http://localhost:8080/x')
  for (const bad of [
    '',
    'fulcio',
    'ftp://x',
    'http://fulcio.example',
    'https://u:p@x',
    'https://x/?a',
    'https://x/#a',
  ]) {
    assert.throws(
      () => serviceUrl(bad),
      (error) => isFailure(error, 'SIGNING_URL_INVALID'),
      bad,
    )
  }
})
