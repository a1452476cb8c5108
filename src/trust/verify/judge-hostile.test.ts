import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { test } from 'node:test'
import { isFailure, limits } from '#base/index.ts'
import { digestOf } from '#oci/index.ts'
import { proofOf } from '../proof.ts'
import { judge } from './judge.ts'
import { judgeAll } from './judge-all.ts'
import { prepareTrust } from './prepared-trust.ts'

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = publicKey.export({ format: 'pem', type: 'spki' }) as string
const root = { mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1' }
const trust = prepareTrust({ keys: [{ name: 'ours', pem }], roots: [{ name: 'empty', root }] })
const bytes = Buffer.from('content')
const digest = digestOf(bytes)
const at = new Date('2026-01-01T00:00:00Z')

interface Parts {
  readonly algorithm?: string
  readonly stamp?: Uint8Array
  readonly certificate?: Uint8Array
  readonly hinted?: Uint8Array
}

/** A good bundle right over the content, but for what is said. */
function bundle({ algorithm = 'SHA2_256', stamp, certificate, hinted = bytes }: Parts) {
  const base64 = (value: Uint8Array) => Buffer.from(value).toString('base64')
  const stamps = stamp && {
    timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: base64(stamp) }] },
  }
  const signer = certificate ? { certificate: { rawBytes: base64(certificate) } } : { publicKey: {} }
  const messageDigest = {
    algorithm,
    digest: Buffer.from(digestOf(hinted).slice(7), 'hex').toString('base64'),
  }
  const text = JSON.stringify({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { ...signer, ...stamps },
    messageSignature: { messageDigest, signature: base64(sign('sha256', bytes, privateKey)) },
  })
  return proofOf('bundle', Buffer.from(text))
}

const refusal = (code: string) => (error: unknown) => isFailure(error, code)

test('right over content: by its bytes, and by its digest alone', () => {
  assert.deepEqual(judge(bundle({}), { digest, bytes }, trust, at).checks.slice(0, 3), [
    'signature',
    'key-trusted',
    'key-time',
  ])
  assert.equal(judge(bundle({}), { digest }, trust, at).subject, digest)
  const other = digestOf(Buffer.from('other'))
  assert.throws(() => judge(bundle({}), { digest: other }, trust, at), refusal('KEY_UNTRUSTED'))
})

test('a hint of another content is refused, whether the bytes or the digest alone are at hand', () => {
  const proof = bundle({ hinted: Buffer.from('other') })
  assert.throws(() => judge(proof, { digest, bytes }, trust, at), refusal('SUBJECT_MISMATCH'))
  assert.throws(() => judge(proof, { digest }, trust, at), refusal('SUBJECT_MISMATCH'))
})

test('names that every object inherits are no hash algorithms', () => {
  for (const algorithm of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
    assert.throws(
      () => judge(bundle({ algorithm }), { digest, bytes }, trust, at),
      refusal('PROOF_MALFORMED'),
    )
  }
})

test('time stamps with nothing inside are malformed', () => {
  const signedData = '06092a864886f70d010702'
  for (const stamp of [`300d${signedData}a000`, `300f${signedData}a0023000`, '3000', '30023000']) {
    const proof = bundle({ stamp: Buffer.from(stamp, 'hex') })
    assert.throws(() => judge(proof, { digest, bytes }, trust, at), refusal('PROOF_MALFORMED'), stamp)
  }
})

test('DER at its limit is read, one byte beyond it is refused', () => {
  const sequence = (length: number) => {
    const der = Buffer.alloc(length)
    der.set([0x30, 0x83], 0)
    der.writeUIntBE(length - 5, 2, 3)
    return der
  }
  const judged = (length: number) =>
    judge(bundle({ certificate: sequence(length) }), { digest, bytes }, trust, at)
  assert.throws(() => judged(limits.derBytes), refusal('PROOF_MALFORMED'))
  assert.throws(() => judged(limits.derBytes + 1), refusal('PROOF_TOO_LARGE'))
})

test('a hostile proof is a refusal among the evidence and hides no good one', () => {
  const hostile = [bundle({ algorithm: 'constructor' }), bundle({ stamp: Buffer.from('3000', 'hex') })]
  const random = [proofOf('bundle', randomBytes(64)), proofOf('legacy-signature', randomBytes(64))]
  const proofs = [...hostile, ...random, bundle({})]
  const evidence = judgeAll({ digest, bytes, mediaType: 'application/octet-stream' }, proofs, trust, at)
  assert.equal(evidence.signatures.length, 1)
  assert.deepEqual([...new Set(evidence.refused.map(({ code }) => code))], ['PROOF_MALFORMED'])
})

test('trusted keys and entries: at the limit they are taken, one more is not', () => {
  const key = (name: string) => {
    const { publicKey: one } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    return { name, pem: one.export({ format: 'pem', type: 'spki' }) as string }
  }
  const keys = [key('a'), key('b')]
  assert.equal(prepareTrust({ keys, roots: [] }, { trustedKeys: 2, trustEntries: 2 }).keys.length, 2)
  const tooMany = refusal('TRUST_MATERIAL_INVALID')
  assert.throws(() => prepareTrust({ keys, roots: [] }, { trustedKeys: 1, trustEntries: 9 }), tooMany)
  assert.throws(() => prepareTrust({ keys, roots: [] }, { trustedKeys: 9, trustEntries: 1 }), tooMany)
})
