import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Json, parseJson, SealiftError } from '#base/index.ts'
import { digestOf } from '#oci/index.ts'
import { proofOf } from '../proof.ts'
import type { TrustMaterial } from '../types.ts'
import { judge } from './judge.ts'
import { matchesIdentity } from './matches-identity.ts'
import { prepareTrust } from './prepared-trust.ts'

// The cases of sigstore-conformance: each folder says what it holds and, by its name, whether it must fail.
const vectors = join(import.meta.dirname, '../../../../shared/vectors/sigstore')
const cases = join(vectors, 'conformance/test/assets/bundle-verify')
const skip = existsSync(cases) ? false : 'the shared vectors are not here'
const beacon =
  'https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main'

const json = (path: string): Json => parseJson(readFileSync(path), { maxBytes: 1 << 20 })
const textAt = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined)

function judged(folder: string) {
  const root = existsSync(join(folder, 'trusted_root.json'))
    ? join(folder, 'trusted_root.json')
    : join(vectors, 'sigstore-tuf-seeds/trusted_root.public-good.json')
  const pem = textAt(join(folder, 'key.pub'))
  const material: TrustMaterial = {
    keys: pem === undefined ? [] : [{ name: 'given', pem }],
    roots: [{ name: 'root', root: json(root) }],
  }
  const artifact = join(folder, 'artifact')
  const bytes = readFileSync(existsSync(artifact) ? artifact : join(cases, 'a.txt'))
  const proof = proofOf('bundle', readFileSync(join(folder, 'bundle.sigstore.json')))
  const facts = judge(proof, { digest: digestOf(bytes), bytes }, prepareTrust(material), new Date())
  if (facts.signer.kind === 'certificate') {
    const wanted = {
      identity: textAt(join(folder, 'identity')) ?? beacon,
      issuer: textAt(join(folder, 'issuer')) ?? 'https://token.actions.githubusercontent.com',
    }
    assert.ok(pem === undefined, 'a certificate is no answer where a key was asked for')
    assert.ok(matchesIdentity(facts, wanted), 'IDENTITY_MISMATCH')
  }
  return facts
}

test('sigstore-conformance: every case gives its known result', { skip }, () => {
  const names = readdirSync(cases, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name] : [],
  )
  assert.ok(names.length > 40, 'the cases are there')
  const wrong: string[] = []
  for (const name of names) {
    try {
      judged(join(cases, name))
      if (name.endsWith('_fail')) wrong.push(`${name}: was accepted`)
    } catch (error) {
      const isRefusal = error instanceof SealiftError || error instanceof assert.AssertionError
      if (!name.endsWith('_fail') || !isRefusal) wrong.push(`${name}: ${error}`)
    }
  }
  assert.deepEqual(wrong, [])
})
