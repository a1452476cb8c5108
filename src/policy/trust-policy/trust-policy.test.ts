import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Json } from '#base/index.ts'
import { decide } from '../decide.ts'
import { runPolicyTests } from '../run-tests.ts'
import type { Decision } from '../types.ts'
import { parseTrustPolicy } from './parse-trust-policy.ts'

const at = new Date('2026-05-01T12:00:00Z')
const pem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString()
const otherPem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString()
const files: Record<string, string> = {
  'release.pub': pem,
  'qa.pub': otherPem,
  'root.json': '{}',
  'own.rego':
    'package sealift.custom\n\ndeny contains {"code": "FRIDAY", "message": "no"} if input.context.friday\n',
}
const readFile = async (path: string) => new TextEncoder().encode(files[path] ?? assert.fail(path))

const head = `apiVersion: sealift.dev/v1
kind: TrustPolicy
name: shop
keys:
  release: { file: release.pub }
  qa: { file: qa.pub }
trustedRoots:
  sigstore: { file: root.json }
`
const parse = (rules: string) => parseTrustPolicy(head + rules, { path: 'policy.yaml', readFile })

const digest = `sha256:${'a'.repeat(64)}`
const signature = (by: string, more: object = {}) => ({
  form: 'bundle',
  digest: `sha256:${by.padEnd(64, '0')}`,
  subject: digest,
  signer: { kind: 'key', keyId: `id of ${by}`, name: by },
  checks: ['signature'],
  predicateType: 'https://sigstore.dev/cosign/sign/v1',
  ...more,
})
const keyless = (identity: string, more: object = {}) => ({
  ...signature('x', more),
  signer: {
    kind: 'certificate',
    root: 'sigstore',
    identity,
    issuer: 'https://issuer.example',
    extensions: {},
  },
})
const subject = (more: object = {}, reference = 'registry.example/shop/web:1.4.0') => ({
  subject: { digest, mediaType: 'application/vnd.oci.image.manifest.v1+json', reference },
  signatures: [],
  attestations: [],
  refused: [],
  ...more,
})
const ask = async (rules: string, subjects: object[], more: object = {}): Promise<Decision> => {
  const { policy } = await parse(rules)
  const principal = { kind: 'user', name: 'jo', groups: [], roles: ['operator'] }
  const input = { action: 'admit', environment: 'production', principal, subjects, context: null, ...more }
  return decide(policy, input as unknown as Json, at)
}
const codesOf = ({ reasons }: Decision) => reasons.map(({ code }) => code)

const oneKey = `rules:
  - content: registry.example/shop/**
    signatures: [{ from: [{ key: release }] }]
`

test('a good signature by the key that is asked for is a yes that does not end', async () => {
  const decision = await ask(oneKey, [subject({ signatures: [signature('release')] })])
  assert.deepEqual(decision, {
    allowed: true,
    reasons: [],
    outputs: {
      policy: 'shop',
      subjects: [
        {
          digest,
          reference: 'registry.example/shop/web:1.4.0',
          rule: 'rule 1',
          problems: [],
          counted: [
            {
              digest: signature('release').digest,
              type: 'https://sigstore.dev/cosign/sign/v1',
              by: 'key id of release',
            },
          ],
        },
      ],
    },
  })
})

test('what is missing is said, with what would make it yes', async () => {
  const refused = [{ form: 'bundle', digest, subject: digest, code: 'KEY_UNTRUSTED', message: 'no' }]
  const missing = await ask(oneKey, [subject({ refused })])
  assert.equal(missing.allowed, false)
  assert.deepEqual(missing.reasons, [
    {
      code: 'SIGNATURE_MISSING',
      message: `no good signature by release on registry.example/shop/web@${digest}; 1 refused: KEY_UNTRUSTED`,
      remedy: `let release sign registry.example/shop/web@${digest} (sealift sign)`,
    },
  ])
  const others = await ask(oneKey, [subject({ signatures: [signature('qa')] })])
  assert.deepEqual(codesOf(others), ['SIGNATURE_BY_OTHERS'])
  assert.match(others.reasons[0]!.message, /; there are good ones by key id of qa$/)
})

test('all subjects have to be admitted, and there has to be one', async () => {
  const good = subject({ signatures: [signature('release')] })
  assert.equal((await ask(oneKey, [good, good])).allowed, true)
  const decision = await ask(oneKey, [good, subject({}, 'registry.example/shop/db')])
  assert.equal(decision.allowed, false)
  assert.deepEqual(codesOf(decision), ['SIGNATURE_MISSING'])
  assert.deepEqual(codesOf(await ask(oneKey, [])), ['SUBJECT_MISSING'])
})

test('the first rule that covers content, action and environment wins; nothing covers: no', async () => {
  const rules = `rules:
  - { content: registry.example/shop/*, environments: [build], unsigned: true }
  - { content: registry.example/shop/*, actions: [pack, load], unsigned: true }
  - { content: [registry.example/shop/web, other.example/**], signatures: [{ from: [{ key: release }] }] }
  - { content: registry.example/shop/*, unsigned: true }
`
  const rule = async (more: object, reference?: string) => {
    const decision = await ask(rules, [subject({}, reference)], more)
    return (decision.outputs as { subjects: { rule: string | null }[] }).subjects[0]!.rule
  }
  assert.equal(await rule({ environment: 'build' }), 'rule 1')
  assert.equal(await rule({ action: 'load' }), 'rule 2')
  assert.equal(await rule({}), 'rule 3')
  assert.equal(await rule({}, 'registry.example/shop/db@sha256:abc'), 'rule 4')
  assert.equal(await rule({}, 'registry.example/shop/db/deep'), null)
  assert.equal(await rule({}, 'evil.example/registry.example/shop/web'), null)
  assert.deepEqual(codesOf(await ask(rules, [subject({}, 'registry.example/shopx/web')])), [
    'CONTENT_NOT_COVERED',
  ])
})

test('different signers are counted, not signatures', async () => {
  const two = `rules:
  - content: '**'
    signatures: [{ atLeast: 2, from: [{ key: release }, { key: qa }] }]
`
  const twice = await ask(two, [subject({ signatures: [signature('release'), signature('release')] })])
  assert.deepEqual(codesOf(twice), ['SIGNATURE_TOO_FEW'])
  assert.match(twice.reasons[0]!.message, /^1 of 2 good signature by release or qa/)
  const both = await ask(two, [subject({ signatures: [signature('release'), signature('qa')] })])
  assert.equal(both.allowed, true)
})

test('identities are exact or whole matches, by the issuer that is named', async () => {
  const rules = (signer: string) => `rules: [{ content: '**', signatures: [{ from: [${signer}] }] }]\n`
  const issuer = 'issuer: https://issuer.example'
  const allowed = async (signer: string, identity: string, more: object = {}) =>
    (await ask(rules(signer), [subject({ signatures: [{ ...keyless(identity), ...more }] })])).allowed
  assert.equal(await allowed(`{ identity: ci@example.com, ${issuer} }`, 'ci@example.com'), true)
  assert.equal(await allowed(`{ identity: ci@example.com, ${issuer} }`, 'ci@example.com.evil'), false)
  assert.equal(await allowed(`{ identity: ci@example.com, issuer: https://other }`, 'ci@example.com'), false)
  const pattern = `{ identityPattern: 'https://github\\.com/shop/.*', ${issuer} }`
  assert.equal(await allowed(pattern, 'https://github.com/shop/web'), true)
  assert.equal(await allowed(pattern, 'evil https://github.com/shop/web'), false)
  assert.equal(await allowed(pattern, 'https://githubXcom/shop/web'), false)
  assert.equal(await allowed(`{ identityPattern: 'a|b', ${issuer} }`, 'ax'), false)
  assert.equal(
    await allowed(`{ identity: ci@example.com, ${issuer}, root: sigstore }`, 'ci@example.com'),
    true,
  )
})

test('age counts from the proved time, and the answer holds as long as the longest-lived proofs that suffice', async () => {
  const rules = `rules:
  - content: '**'
    signatures: [{ atLeast: 1, maxAge: 10d, from: [{ key: release }, { key: qa }] }]
`
  const until = async (...signatures: object[]) => (await ask(rules, [subject({ signatures })])).validUntil
  const on = (day: number) => ({ signedAt: `2026-04-${day}T00:00:00Z` })
  assert.deepEqual(
    await until(signature('release', on(25)), signature('qa', on(28)), signature('qa', on(26))),
    new Date('2026-05-08T00:00:00Z'),
  )
  const ending = { ...on(28), validUntil: '2026-05-02T00:00:00Z' }
  assert.deepEqual(
    await until(signature('release', on(25)), signature('qa', ending)),
    new Date('2026-05-05T00:00:00Z'),
  )
  const codesFor = async (more: object) =>
    codesOf(await ask(rules, [subject({ signatures: [signature('qa', more)] })]))
  assert.deepEqual(await codesFor(on(21)), ['SIGNATURE_TOO_OLD'])
  assert.deepEqual(await codesFor({}), ['SIGNATURE_TOO_OLD'])
})

test('attestations by type, signer and age; vulnerability reports by what they found', async () => {
  const rules = `rules:
  - content: '**'
    attestations:
      - { type: slsaprovenance1, from: [{ key: release }] }
      - { type: vuln, maxSeverity: medium, from: [{ key: qa }] }
`
  const slsa = signature('release', { predicateType: 'https://slsa.dev/provenance/v1', predicate: {} })
  const report = (result: unknown) =>
    signature('qa', {
      predicateType: 'https://cosign.sigstore.dev/attestation/vuln/v1',
      predicate: { scanner: { result } },
    })
  const codesFor = async (...attestations: object[]) => codesOf(await ask(rules, [subject({ attestations })]))
  const trivy = (Severity: string) =>
    report({ Results: [{ Vulnerabilities: [{ VulnerabilityID: 'CVE-1', Severity }] }] })
  assert.deepEqual(await codesFor(slsa, trivy('LOW')), [])
  assert.deepEqual(await codesFor(slsa, report({ Results: [{ Vulnerabilities: null }, {}] })), [])
  assert.deepEqual(
    await codesFor(slsa, report({ matches: [{ vulnerability: { id: 'CVE-2', severity: 'Medium' } }] })),
    [],
  )
  assert.deepEqual(await codesFor(slsa, trivy('HIGH')), ['VULNERABILITIES_FOUND'])
  assert.deepEqual(await codesFor(slsa, trivy('whatever')), ['VULNERABILITIES_FOUND'])
  const inToto = (...severity: object[]) => report([{ id: 'CVE-3', severity }])
  assert.deepEqual(await codesFor(slsa, inToto({ method: 'nvd', score: '6.9' })), [])
  assert.deepEqual(await codesFor(slsa, inToto({ score: '3' }, { score: '7.0' })), ['VULNERABILITIES_FOUND'])
  assert.deepEqual(await codesFor(slsa, inToto()), ['VULNERABILITIES_FOUND'])
  assert.deepEqual(await codesFor(slsa, report({ matches: [{}] })), ['VULNERABILITIES_FOUND'])
  assert.deepEqual(await codesFor(slsa, report('fine')), ['VULNERABILITY_REPORT_UNREADABLE'])
  assert.deepEqual(await codesFor(slsa, trivy('LOW'), trivy('CRITICAL')), ['VULNERABILITIES_FOUND'])
  assert.deepEqual(await codesFor(trivy('LOW')), ['ATTESTATION_MISSING'])
  assert.deepEqual(await codesFor(), ['ATTESTATION_MISSING', 'ATTESTATION_MISSING'])
  const byOther = signature('qa', { predicateType: 'https://slsa.dev/provenance/v1', predicate: {} })
  assert.deepEqual(await codesFor(byOther, trivy('LOW')), ['ATTESTATION_BY_OTHERS'])
})

test('roles are asked of who acts', async () => {
  const rules = `rules: [{ content: '**', unsigned: true, roles: { install: [owner], admit: [operator, owner] } }]\n`
  assert.equal((await ask(rules, [subject()])).allowed, true)
  assert.deepEqual(codesOf(await ask(rules, [subject()], { action: 'install' })), ['ROLE_MISSING'])
  assert.equal((await ask(rules, [subject()], { action: 'load' })).allowed, true)
})

test('an override makes a yes of a no until its end, and says so', async () => {
  const override = {
    person: 'Jo',
    reason: 'fire',
    notAfter: '2026-05-02T00:00:00Z',
    subjects: [digest],
    signer: { kind: 'key', name: 'release', keyId: 'release' },
  }
  const mayRelease = `overrides: { from: [{ key: release }] }\n${oneKey}`
  const decision = await ask(mayRelease, [subject()], { overrides: [override] })
  assert.equal(decision.allowed, true)
  assert.deepEqual(codesOf(decision), ['SIGNATURE_MISSING', 'OVERRIDDEN'])
  assert.deepEqual(decision.validUntil, new Date('2026-05-02T00:00:00Z'))
  const past = { ...override, notAfter: '2026-05-01T12:00:00Z' }
  assert.equal((await ask(mayRelease, [subject()], { overrides: [past] })).allowed, false)
  const other = { ...override, subjects: [`sha256:${'b'.repeat(64)}`] }
  assert.equal((await ask(mayRelease, [subject()], { overrides: [other] })).allowed, false)
  const elsewhere = { ...override, actions: ['serve'] }
  assert.equal((await ask(mayRelease, [subject()], { overrides: [elsewhere] })).allowed, false)
  const stranger = { ...override, signer: { kind: 'key', name: 'other', keyId: 'other' } }
  assert.equal((await ask(mayRelease, [subject()], { overrides: [stranger] })).allowed, false)
  const needless = await ask(mayRelease, [subject({ signatures: [signature('release')] })], {
    overrides: [override],
  })
  assert.deepEqual(codesOf(needless), [])
  assert.equal((await ask(oneKey, [subject()], { overrides: [override] })).allowed, false)
})

test('rules of the operator’s own add objections', async () => {
  const rules = `rego: [own.rego]\n${oneKey}`
  const signed = [subject({ signatures: [signature('release')] })]
  assert.equal((await ask(rules, signed)).allowed, true)
  assert.deepEqual(codesOf(await ask(rules, signed, { context: { friday: true } })), ['FRIDAY'])
})

test('a no is asked again when something ends that was looked at', async () => {
  const decision = await ask(oneKey, [
    subject({ signatures: [signature('qa', { validUntil: '2026-06-01T00:00:00Z' })] }),
  ])
  assert.deepEqual(decision.validUntil, new Date('2026-06-01T00:00:00Z'))
})

test('the tests beside our rules in Rego pass', () => {
  const files = ['trust.rego', 'trust_test.rego'].map((path) => ({
    path,
    text: readFileSync(join(import.meta.dirname, path), 'utf8'),
  }))
  const tests = runPolicyTests(files, { at })
  assert.ok(tests.length >= 8)
  assert.deepEqual(
    tests.filter(({ outcome }) => outcome !== 'pass'),
    [],
  )
})
