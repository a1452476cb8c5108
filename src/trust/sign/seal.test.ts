import assert from 'node:assert/strict'
import { createHash, verify } from 'node:crypto'
import { test } from 'node:test'
import { isFailure } from '#base/index.ts'
import { generateKeyPair, keyAlgorithms, publicKeyHint } from '#keys/index.ts'
import { digestOf } from '#oci/index.ts'
import { legacyAnnotations } from '../store/legacy-proof.ts'
import { sealMessage, sealStatement } from './seal.ts'
import { legacyAttestation, sealLegacySignature } from './seal-legacy.ts'
import { keySignatory } from './signatory.ts'
import { formatSimpleSigning, formatStatement, imageSignatureType, preAuthEncoding } from './statement.ts'
import type { Testimony } from './witness.ts'

const digest = digestOf(Buffer.from('content'))
const hex = digest.slice('sha256:'.length)
const parse = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString())

test('a statement says what is signed, in canonical JSON', () => {
  assert.equal(
    Buffer.from(formatStatement([{ digest }], imageSignatureType)).toString(),
    `{"_type":"https://in-toto.io/Statement/v1","predicate":{},"predicateType":"https://sigstore.dev/cosign/sign/v1","subject":[{"digest":{"sha256":"${hex}"}}]}`,
  )
  const named = parse(
    formatStatement([{ digest, name: 'app.tgz', annotations: { release: '7' } }], 'https://x', [1]),
  )
  assert.deepEqual(named.subject, [
    { name: 'app.tgz', digest: { sha256: hex }, annotations: { release: '7' } },
  ])
  assert.deepEqual(named.predicate, [1])
})

test('what is signed of an envelope is its pre-authentication encoding', () => {
  // The example of dsse protocol.md.
  const encoded = preAuthEncoding('http://example.com/HelloWorld', Buffer.from('hello world'))
  assert.equal(Buffer.from(encoded).toString(), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world')
})

for (const algorithm of keyAlgorithms) {
  test(`a key of ${algorithm} signs statements, messages and legacy payloads`, async () => {
    const { privateKey, publicKey } = await pairOf(algorithm)
    const means = { signatory: keySignatory(privateKey), witnesses: [] }
    const { key } = publicKey
    const hash = algorithm === 'ed25519' ? undefined : hashes[algorithm]
    const statement = formatStatement([{ digest }], imageSignatureType)
    const sealed = await sealStatement(statement, means)
    const bundle = parse(sealed.bundle)
    assert.equal(bundle.mediaType, 'application/vnd.dev.sigstore.bundle.v0.3+json')
    assert.deepEqual(bundle.verificationMaterial, { publicKey: { hint: publicKeyHint(publicKey) } })
    const { payload, payloadType, signatures } = bundle.dsseEnvelope
    assert.deepEqual(Buffer.from(payload, 'base64'), Buffer.from(statement))
    const message = preAuthEncoding(payloadType, statement)
    assert.ok(verify(hash, message, key, Buffer.from(signatures[0].sig, 'base64')))
    assert.deepEqual(parse(sealed.envelope), bundle.dsseEnvelope)

    const blob = Buffer.from('a message')
    const { messageSignature } = parse(await sealMessage(blob, means))
    assert.ok(verify(hash, blob, key, Buffer.from(messageSignature.signature, 'base64')))
    const name = hash ?? 'sha256'
    assert.equal(messageSignature.messageDigest.digest, createHash(name).update(blob).digest('base64'))
    assert.equal(messageSignature.messageDigest.algorithm, name.replace('sha', 'SHA2_'))

    const simple = formatSimpleSigning(digest, 'registry.example/shop/web')
    const layer = await sealLegacySignature(simple, means)
    assert.deepEqual(Object.keys(layer.annotations), [legacyAnnotations.signature])
    const signature = Buffer.from(layer.annotations[legacyAnnotations.signature] as string, 'base64')
    assert.ok(verify(hash, layer.payload, key, signature))
  })
}

const hashes = {
  'ecdsa-p256': 'sha256',
  'ecdsa-p384': 'sha384',
  'ecdsa-p521': 'sha512',
  rsa: 'sha256',
} as const

async function pairOf(algorithm: (typeof keyAlgorithms)[number]) {
  const { privateKeySigner } = await import('#keys/index.ts')
  const pair = await generateKeyPair(algorithm)
  return { privateKey: privateKeySigner(pair.privateKey), publicKey: pair.publicKey }
}

test('the simple-signing payload is as Go writes it', () => {
  assert.equal(
    Buffer.from(formatSimpleSigning(digest, 'registry.example/web')).toString(),
    `{"critical":{"identity":{"docker-reference":"registry.example/web"},"image":{"docker-manifest-digest":"${digest}"},"type":"cosign container image signature"},"optional":null}`,
  )
  const { optional } = parse(formatSimpleSigning(digest, 'registry.example/web', { release: '7' }))
  assert.deepEqual(optional, { release: '7' })
})

const entry = {
  logIndex: '7',
  logId: { keyId: Buffer.alloc(32, 1).toString('base64') },
  kindVersion: { kind: 'dsse', version: '0.0.1' },
  integratedTime: '1763700000',
  inclusionPromise: { signedEntryTimestamp: 'c2V0' },
  canonicalizedBody: 'e30=',
}

test('what witnesses say stands in the bundle, and in the annotations of the legacy form', async () => {
  const { privateKey } = await pairOf('ecdsa-p256')
  const said: Testimony[] = [
    { kind: 'log', entry },
    { kind: 'time', response: Buffer.from('stamp') },
  ]
  const witnesses = said.map((testimony) => ({ testify: async () => testimony }))
  const means = { signatory: keySignatory(privateKey), witnesses }
  const sealed = await sealStatement(formatStatement([{ digest }], imageSignatureType), means)
  const { verificationMaterial } = parse(sealed.bundle)
  assert.deepEqual(verificationMaterial.tlogEntries, [entry])
  assert.deepEqual(verificationMaterial.timestampVerificationData, {
    rfc3161Timestamps: [{ signedTimestamp: Buffer.from('stamp').toString('base64') }],
  })

  const { annotations } = legacyAttestation(sealed, 'https://slsa.dev/provenance/v1')
  assert.equal(annotations[legacyAnnotations.signature], '')
  assert.equal(annotations.predicateType, 'https://slsa.dev/provenance/v1')
  assert.deepEqual(JSON.parse(annotations[legacyAnnotations.bundle] as string), {
    SignedEntryTimestamp: 'c2V0',
    Payload: { body: 'e30=', integratedTime: 1763700000, logIndex: 7, logID: '01'.repeat(32) },
  })
  assert.deepEqual(JSON.parse(annotations[legacyAnnotations.timestamp] as string), {
    SignedRFC3161Timestamp: Buffer.from('stamp').toString('base64'),
  })
})

test('a log without promises cannot stand in the legacy form, and a witness that fails fails all', async () => {
  const { privateKey } = await pairOf('ecdsa-p256')
  const { inclusionPromise: _, ...unpromised } = entry
  const witnesses = [{ testify: async () => ({ kind: 'log', entry: unpromised }) as const }]
  const means = { signatory: keySignatory(privateKey), witnesses }
  await assert.rejects(sealLegacySignature(Buffer.from('x'), means), (error) =>
    isFailure(error, 'SIGNING_UNSUPPORTED'),
  )
  const fault = new Error('gone')
  const failing = { testify: async () => Promise.reject(fault) }
  await assert.rejects(sealMessage(Buffer.from('x'), { ...means, witnesses: [...witnesses, failing] }), fault)
})
