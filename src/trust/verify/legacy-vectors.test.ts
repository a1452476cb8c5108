import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isFailure, type Json, parseJson } from '#base/index.ts'
import { type Digest, parseDigest } from '#oci/index.ts'
import { legacyProof } from '../store/legacy-proof.ts'
import type { Proof, TrustMaterial } from '../types.ts'
import { judge } from './judge.ts'
import { matchesIdentity } from './matches-identity.ts'
import { prepareTrust } from './prepared-trust.ts'

// Signatures that cosign 1 and 2 left in a public registry, as connaisseur keeps them for its tests.
const vectors = join(import.meta.dirname, '../../../../shared/vectors/sigstore')
const images = join(vectors, 'connaisseur/test/testdata/cosign')
const skip = existsSync(images) ? false : 'the shared vectors are not here'
const at = new Date('2026-01-01T00:00:00Z')

interface Layer {
  readonly digest: string
  readonly size: number
  readonly annotations: Record<string, string>
}

function proofsOf(hexadecimal: string): { digest: Digest; proofs: Proof[] } {
  const folder = join(images, 'securesystemsengineering/testimage')
  const manifest = JSON.parse(readFileSync(join(folder, `manifests/sha256-${hexadecimal}.sig.json`), 'utf8'))
  const proofs = (manifest.layers as Layer[]).map(({ digest, size, annotations }) => {
    // The files end with a line break that the registry's blobs do not have.
    const payload = readFileSync(join(folder, `blobs/${digest}.json`)).subarray(0, size)
    return legacyProof('legacy-signature', { payload, annotations })
  })
  return { digest: parseDigest(`sha256:${hexadecimal}`), proofs }
}

const keyOf = (name: string) => ({ name, pem: readFileSync(join(images, `${name}.key`), 'utf8') })
const publicGood = (): Json =>
  parseJson(readFileSync(join(vectors, 'sigstore-tuf-seeds/trusted_root.public-good.json')), {
    maxBytes: 1 << 20,
  })

function judged(proof: Proof, digest: Digest, material: Partial<TrustMaterial>) {
  return judge(proof, { digest }, prepareTrust({ keys: [], roots: [], ...material }), at)
}

const one = '071bf7a986f1ca9cb2a1f0bc8392822a7777f90d58f2d2c6f271913e08de7c81'
const three = 'bfec161fecb0a887df7cb85e4da327c65986ccda7060cf3cd92171c6c90d7533'
const keyless = '31dc72a13a0c34b40eb95419d2b2fd67320c856baf3b72da518023ee8d370aee'

test('a signature by one key, and by nobody else', { skip }, () => {
  const { digest, proofs } = proofsOf(one)
  const [proof] = proofs
  assert.ok(proof && proofs.length === 1)
  const { signer, predicateType } = judged(proof, digest, { keys: [keyOf('bob'), keyOf('alice')] })
  assert.ok(signer.kind === 'key' && signer.name === 'alice')
  assert.equal(predicateType, 'https://sigstore.dev/cosign/sign/v1')
  const refused = () => judged(proof, digest, { keys: [keyOf('bob'), keyOf('charlie')] })
  assert.throws(refused, (error) => isFailure(error, 'KEY_UNTRUSTED'))
})

test('three layers, three signers; each moved to another image is refused', { skip }, () => {
  const { digest, proofs } = proofsOf(three)
  const keys = ['alice', 'bob', 'charlie'].map(keyOf)
  const names = proofs.map((proof) => {
    const { signer } = judged(proof, digest, { keys })
    return signer.kind === 'key' && signer.name
  })
  assert.deepEqual(names.toSorted(), ['alice', 'bob', 'charlie'])
  for (const proof of proofs) {
    const moved = () => judged(proof, parseDigest(`sha256:${one}`), { keys })
    assert.throws(moved, (error) => isFailure(error, 'SUBJECT_MISMATCH'))
  }
})

test('keyless: certificate, certificate log and log promise against the public-good root', { skip }, () => {
  const { digest, proofs } = proofsOf(keyless)
  const [proof] = proofs
  assert.ok(proof)
  const facts = judged(proof, digest, { roots: [{ name: 'public good', root: publicGood() }] })
  const wanted = {
    identity: 'philipp.belitz@securesystems.de',
    issuer: 'https://github.com/login/oauth',
  }
  assert.ok(matchesIdentity(facts, wanted))
  assert.equal(matchesIdentity(facts, { ...wanted, identity: 'belitz@securesystems.de' }), false)
  assert.equal(facts.log?.index, '98235800')
  for (const check of ['certificate-chain', 'certificate-transparency', 'log-promise'] as const) {
    assert.ok(facts.checks.includes(check), check)
  }
  assert.throws(
    () => judged(proof, digest, {}),
    (error) => isFailure(error, 'CERTIFICATE_UNTRUSTED'),
  )
})
