import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { isFailure, type Json, limits } from '#base/index.ts'
import { digestOf } from '#oci/index.ts'
import { sigstoreVerifier } from '../../../test/support/sigstore-oracle.ts'
import {
  type Bent,
  identity,
  issuer,
  keyHolder,
  sigstoreWorld,
} from '../../../test/support/sigstore-world.ts'
import { proofOf } from '../proof.ts'
import { sealStatement } from '../sign/seal.ts'
import { formatStatement, imageSignatureType } from '../sign/statement.ts'
import type { NamedRoot, ProofFacts, TrustMaterial } from '../types.ts'
import { judge } from './judge.ts'
import { matchesIdentity } from './matches-identity.ts'
import { prepareTrust } from './prepared-trust.ts'

// A whole world of keyless signatures made in memory, and everything in it bent once.

const world = await sigstoreWorld()
const root: NamedRoot = { name: 'world', root: world.trustedRoot }
const material: TrustMaterial = { keys: [], roots: [root] }
const bytes = Buffer.from('content')
const digest = digestOf(bytes)
const at = new Date()
const versions = [1, 2] as const
const oracle = sigstoreVerifier(world.trustedRoot)

const judged = (bundle: Uint8Array, trust = material, subject = { digest, bytes }): ProofFacts =>
  judge(proofOf('bundle', bundle), subject, prepareTrust(trust), at)

function refused(code: string, bundle: Uint8Array, trust = material, subject = { digest, bytes }): void {
  assert.throws(
    () => judged(bundle, trust, subject),
    (error) => {
      assert.ok(isFailure(error), String(error))
      assert.equal(error.code, code, error.message)
      return true
    },
  )
}

// biome-ignore lint/suspicious/noExplicitAny: bundles are bent at any place
type Bundle = any

function bent(bundle: Uint8Array, bend: (bundle: Bundle) => void): Uint8Array {
  const parsed = JSON.parse(Buffer.from(bundle).toString())
  bend(parsed)
  return Buffer.from(JSON.stringify(parsed))
}

/** Base64 of the same length with one bit flipped in the last third. */
function flipped(text: string): string {
  const decoded = Buffer.from(text, 'base64')
  const place = Math.floor((decoded.length * 5) / 6)
  decoded[place] = decoded[place]! ^ 1
  return decoded.toString('base64')
}

const entryOf = (bundle: Bundle) => bundle.verificationMaterial.tlogEntries[0]

for (const version of versions) {
  test(`a good bundle, as Rekor ${version} logs it: both of a statement and of bytes`, async () => {
    for (const bundle of [await world.statement(digest, version), await world.message(bytes, version)]) {
      const facts = judged(bundle)
      assert.deepEqual(facts.signer, { kind: 'certificate', root: 'world', identity, issuer, extensions: {} })
      assert.ok(facts.checks.includes(version === 1 ? 'log-promise' : 'timestamp'))
      for (const check of [
        'certificate-transparency',
        'log-inclusion',
        'log-checkpoint',
        'subject',
      ] as const) {
        assert.ok(facts.checks.includes(check), check)
      }
      assert.ok(Math.abs(Date.parse(facts.signedAt as string) - at.getTime()) < 600_000)
      assert.equal(oracle(bundle, bytes), undefined)
    }
  })
}

/** Each bent in one place, with the code that says so; the oracle must refuse it as well. */
const bends: readonly (readonly [string, 1 | 2, string, (bundle: Bundle) => void])[] = [
  [
    'a tampered promise',
    1,
    'LOG_PROOF_INVALID',
    (b) => {
      const promise = entryOf(b).inclusionPromise
      promise.signedEntryTimestamp = flipped(promise.signedEntryTimestamp)
    },
  ],
  [
    'another time under the promise',
    1,
    'LOG_PROOF_INVALID',
    (b) => {
      entryOf(b).integratedTime = String(Number(entryOf(b).integratedTime) + 1)
    },
  ],
  [
    'another index under the promise',
    1,
    'LOG_PROOF_INVALID',
    (b) => {
      entryOf(b).logIndex = '7'
    },
  ],
  [
    'a tampered inclusion proof',
    2,
    'LOG_PROOF_INVALID',
    (b) => {
      const proof = entryOf(b).inclusionProof
      proof.hashes[1] = flipped(proof.hashes[1])
    },
  ],
  [
    'an inclusion proof without its last hash',
    2,
    'LOG_PROOF_INVALID',
    (b) => {
      entryOf(b).inclusionProof.hashes.pop()
    },
  ],
  [
    'another root than the checkpoint’s',
    2,
    'LOG_PROOF_INVALID',
    (b) => {
      const proof = entryOf(b).inclusionProof
      proof.rootHash = flipped(proof.rootHash)
    },
  ],
  [
    'a checkpoint of another size',
    2,
    'LOG_PROOF_INVALID',
    (b) => {
      const { checkpoint } = entryOf(b).inclusionProof
      checkpoint.envelope = checkpoint.envelope.replace('\n12\n', '\n13\n')
    },
  ],
  [
    'a checkpoint signed by nobody',
    2,
    'LOG_PROOF_INVALID',
    (b) => {
      const { checkpoint } = entryOf(b).inclusionProof
      checkpoint.envelope = checkpoint.envelope.replace(
        /(\S+)\n$/,
        (_: string, sig: string) => `${flipped(sig)}\n`,
      )
    },
  ],
  [
    'another entry in the log',
    2,
    'LOG_PROOF_INVALID',
    (b) => {
      const body = JSON.parse(Buffer.from(entryOf(b).canonicalizedBody, 'base64').toString())
      entryOf(b).canonicalizedBody = Buffer.from(JSON.stringify({ ...body, more: 1 })).toString('base64')
    },
  ],
  [
    'a tampered time stamp',
    2,
    'TIMESTAMP_INVALID',
    (b) => {
      const [stamp] = b.verificationMaterial.timestampVerificationData.rfc3161Timestamps
      const der = Buffer.from(stamp.signedTimestamp, 'base64')
      der[der.length - 1] = der[der.length - 1]! ^ 1
      stamp.signedTimestamp = der.toString('base64')
    },
  ],
  [
    'no log entry',
    2,
    'NOT_IN_LOG',
    (b) => {
      b.verificationMaterial.tlogEntries = []
    },
  ],
  [
    'no time stamp',
    2,
    'NO_TRUSTED_TIME',
    (b) => {
      delete b.verificationMaterial.timestampVerificationData
    },
  ],
  [
    'another payload',
    1,
    'LOG_PROOF_INVALID',
    (b) => {
      const other = formatStatement([{ digest: digestOf(Buffer.from('other')) }], imageSignatureType)
      b.dsseEnvelope.payload = Buffer.from(other).toString('base64')
    },
  ],
  [
    'another type of payload',
    1,
    'SIGNATURE_INVALID',
    (b) => {
      b.dsseEnvelope.payloadType = 'text/plain'
    },
  ],
  [
    'another signature',
    1,
    'LOG_PROOF_INVALID',
    (b) => {
      b.dsseEnvelope.signatures[0].sig = flipped(b.dsseEnvelope.signatures[0].sig)
    },
  ],
  [
    'base64 that is cut off',
    1,
    'PROOF_MALFORMED',
    (b) => {
      b.dsseEnvelope.signatures[0].sig = b.dsseEnvelope.signatures[0].sig.slice(0, -3)
    },
  ],
]

/** The library takes the root from the checkpoint alone; a proof that contradicts it is nothing that a log writes. */
const laxer = new Set(['another root than the checkpoint’s'])

for (const [what, version, code, bend] of bends) {
  test(`${what} is refused with ${code}`, async () => {
    const bundle = bent(await world.statement(digest, version), bend)
    refused(code, bundle)
    if (!laxer.has(what)) assert.notEqual(oracle(bundle, bytes), undefined, 'the library refuses it as well')
  })
}

test('the certificate: out of its time, of another authority, unlogged, or of another key than signed', async () => {
  const hour = 3_600_000
  for (const version of versions) {
    const late = await world.statement(digest, version, { loggedMs: hour })
    refused('CERTIFICATE_EXPIRED', late)
    const early = await world.statement(digest, version, { loggedMs: -hour })
    // A stamp from before its own authority’s certificate proves nothing either.
    refused(version === 1 ? 'CERTIFICATE_NOT_YET_VALID' : 'TIMESTAMP_INVALID', early)
    for (const bundle of [late, early]) assert.notEqual(oracle(bundle, bytes), undefined)
  }
  const elsewhere = await sigstoreWorld()
  // Its log is not known here either: nothing of it counts.
  refused('CERTIFICATE_UNTRUSTED', await elsewhere.message(bytes))
  const unlogged = await world.unlogged(bytes)
  refused('CERTIFICATE_NOT_LOGGED', unlogged)
  assert.notEqual(oracle(unlogged, bytes), undefined)
  const otherLog = { ...world.trustedRoot, ctlogs: elsewhere.trustedRoot.ctlogs }
  refused('CERTIFICATE_NOT_LOGGED', await world.message(bytes), {
    keys: [],
    roots: [{ name: 'x', root: otherLog }],
  })
  const { certificate } = await world.signatory()
  const borrowed = bent(await world.message(bytes), (b) => {
    b.verificationMaterial.certificate.rawBytes = Buffer.from(certificate).toString('base64')
  })
  refused('LOG_PROOF_INVALID', borrowed)
  assert.notEqual(oracle(borrowed, bytes), undefined)
})

test('a promise by another key than the log’s, and a log whose key did not count then', async () => {
  refused('LOG_PROOF_INVALID', await world.statement(digest, 1, { promiser: world.keys.second }))
  const until = (end: string) => ({
    ...world.trustedRoot,
    tlogs: world.trustedRoot.tlogs.map((log) => {
      const { publicKey } = log as { publicKey: { [name: string]: Json } }
      return { ...log, publicKey: { ...publicKey, validFor: { start: '2020-01-01T00:00:00Z', end } } }
    }),
  })
  const ended: TrustMaterial = { keys: [], roots: [{ name: 'world', root: until('2021-01-01T00:00:00Z') }] }
  for (const version of versions) refused('LOG_PROOF_INVALID', await world.message(bytes, version), ended)
})

test('a good signature over another content is refused', async () => {
  const other = Buffer.from('other')
  const elsewhere = { digest: digestOf(other), bytes: other }
  for (const version of versions) {
    refused('SUBJECT_MISMATCH', await world.statement(digest, version), material, elsewhere)
    refused('LOG_PROOF_INVALID', await world.message(bytes, version), material, elsewhere)
  }
})

test('what was revoked does not count: a proof, a certificate, the key in it', async () => {
  const { signatory, rekor } = world
  const who = await signatory()
  const statement = formatStatement([{ digest }], imageSignatureType)
  const { bundle } = await sealStatement(statement, { signatory: who, witnesses: [rekor()] })
  judged(bundle)
  const spki = world.keys.authority.publicKey.export({ format: 'der', type: 'spki' })
  const issuerKeyId = createHash('sha256').update(spki).digest('hex')
  for (const revoked of [
    { proof: digestOf(bundle) },
    { keyId: who.key.id },
    { certificate: { issuerKeyId, serial: '11182004' } },
  ]) {
    refused('REVOKED', bundle, { ...material, revoked: [revoked] })
  }
  judged(bundle, { ...material, revoked: [{ certificate: { issuerKeyId, serial: '11182005' } }] })
})

test('of two roots each vouches for its own issuers only', async () => {
  const bundle = await world.message(bytes)
  refused('CERTIFICATE_UNTRUSTED', bundle, {
    keys: [],
    roots: [{ ...root, issuers: ['https://other.example'] }],
  })
  const elsewhere = await sigstoreWorld()
  const roots = [
    { name: 'elsewhere', root: elsewhere.trustedRoot, issuers: [issuer] },
    { ...root, issuers: [issuer] },
  ]
  const { signer } = judged(bundle, { keys: [], roots })
  assert.equal(signer.kind === 'certificate' && signer.root, 'world')
  // The one that may not vouch stays without a say though its authority issued the certificate.
  const [first, second] = roots
  refused('CERTIFICATE_UNTRUSTED', bundle, {
    keys: [],
    roots: [first as NamedRoot, { ...(second as NamedRoot), issuers: [] }],
  })
})

test('an identity that contains the wanted one is another', async () => {
  const facts = judged(await world.message(bytes, 1, { subjectAltName: `${identity}.evil.example` }))
  const by = { issuer }
  assert.equal(matchesIdentity(facts, { ...by, identity }), false)
  for (const pattern of ['https://ci\\.vendor\\.example/.*\\.yaml', `^${identity}`, 'vendor']) {
    assert.equal(matchesIdentity(facts, { ...by, identityPattern: pattern }), false, pattern)
  }
  const good = judged(await world.message(bytes))
  assert.ok(matchesIdentity(good, { ...by, identityPattern: 'https://ci\\.vendor\\.example/.*\\.yaml' }))
  assert.equal(matchesIdentity(good, { identity, issuer: `${issuer}/` }), false)
  assert.equal(matchesIdentity(good, { identity }), false)
})

test('JSON with a key twice, a bundle over its limit and a statement about too many are refused', async () => {
  const bundle = Buffer.from(await world.statement(digest)).toString()
  refused('PROOF_MALFORMED', Buffer.from(bundle.replace('{', '{"mediaType":"x",')))
  refused('PROOF_MALFORMED', Buffer.from(bundle.replace('"payload":', '"payload":"e30=","payload":')))
  refused('PROOF_TOO_LARGE', Buffer.alloc(limits.proofBytes + 1, ' '))
  const { signatory, pem } = keyHolder()
  const trust: TrustMaterial = { keys: [{ name: 'ours', pem }], roots: [] }
  const many = async (count: number) => {
    const subjects = Array.from({ length: count }, (_, number) => ({
      digest: digestOf(Buffer.from(`${number}`)),
    }))
    const statement = formatStatement([...subjects.slice(1), { digest }], imageSignatureType)
    return (await sealStatement(statement, { signatory, witnesses: [] })).bundle
  }
  judged(await many(limits.statementSubjects), trust)
  refused('PREDICATE_INVALID', await many(limits.statementSubjects + 1), trust)
  refused('PREDICATE_INVALID', await many(100_000), trust)
})

test('the time of a key: before, within and after it, with and without a proved time', async () => {
  const { signatory, pem, key } = keyHolder()
  const statement = formatStatement([{ digest }], imageSignatureType)
  const seal = async (how: Bent | undefined) =>
    (await sealStatement(statement, { signatory, witnesses: how ? [world.rekor(how)] : [] })).bundle
  const trustIn = (times: object): TrustMaterial => ({
    keys: [{ name: 'ours', pem, ...times }],
    roots: [root],
  })
  const hence = (ms: number) => new Date(at.getTime() + ms).toISOString()
  const day = 86_400_000
  for (const bundle of [await seal(undefined), await seal({})]) {
    assert.equal(
      judged(bundle, trustIn({ validFrom: hence(-day), validUntil: hence(day) })).signer.kind,
      'key',
    )
    refused('KEY_NOT_YET_VALID', bundle, trustIn({ validFrom: hence(day) }))
    refused('KEY_EXPIRED', bundle, trustIn({ validUntil: hence(-day) }))
    refused('REVOKED', bundle, trustIn({ revokedAt: hence(-day) }))
    refused('REVOKED', bundle, { ...trustIn({}), revoked: [{ keyId: key.id }] })
    refused('KEY_UNTRUSTED', bundle, { keys: [{ name: 'other', pem: keyHolder().pem }], roots: [root] })
  }
  // Logged while the key counted: good for ever. Said by nobody: good as long as the key.
  const early = await seal({ loggedMs: -2 * day })
  assert.equal(judged(early, trustIn({ validUntil: hence(-day) })).validUntil, undefined)
  assert.equal(judged(await seal(undefined), trustIn({ validUntil: hence(day) })).validUntil, hence(day))
})
