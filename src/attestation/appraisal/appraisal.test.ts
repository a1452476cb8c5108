import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isFailure, type Json } from '#base/index.ts'
import { generateTeeKey } from '../tee-key/index.ts'
import type { VerifiedAttestation } from '../verify-attestation.ts'
import {
  type AppraisalEvaluation,
  appraise,
  compileAttestationPolicy,
  type NamedPolicy,
  type ReferenceValue,
  referenceMember,
} from './index.ts'

const code = (name: string) => (error: unknown) => isFailure(error, name)
const at = new Date('2026-11-21T12:00:00Z')
const soon = new Date('2027-01-01T00:00:00Z')
const sampleClaims = {
  svn: '1',
  report_data: 'AAAA',
  launch_digest: 'abcde',
  platform_version: { major: 1, minor: 4 },
  debug: false,
}
const { teeKey } = await generateTeeKey('P-256')
const verified = (changes: object = {}): VerifiedAttestation => ({
  teeKey,
  tees: [{ tee: 'sample', class: 'cpu', claims: { ...sampleClaims, ...changes } }],
  runtimeData: { 'additional-evidence': '{}', nonce: 'n', 'tee-pubkey': { kty: 'EC' } },
})
const named = (text: string): NamedPolicy => ({
  id: 'default',
  policy: compileAttestationPolicy([
    { path: 'policy.rego', text: `package policy\nimport rego.v1\n${text}` },
  ]),
})
const values = (object: Record<string, Json>, expiration = soon): ReferenceValue[] =>
  Object.entries(object).map(([name, value]) => ({ name, value, expiration }))
const one = (policy: NamedPolicy, references: readonly ReferenceValue[] = [], seen = verified()) =>
  appraise(seen, () => policy, references, at)[0]!

test('a policy asks for reference values by name, and gets null where there is none', () => {
  const policy = named(`
default hardware := 97
hardware := 2 if input.sample.svn in query_reference_value("svn")
trust_claims := {"hardware": hardware, "executables": known}
known := 3 if query_reference_value("nothing") == null
`)
  const good = one(policy, values({ svn: ['1', '2'] }))
  assert.equal(good.vector.hardware, 2)
  assert.equal(good.vector.executables, 3)
  assert.equal(good.vector['file-system'], 0)
  assert.equal(one(policy, values({ svn: ['7'] })).vector.hardware, 97)
  assert.equal(one(policy).vector.hardware, 97)
})

test('a name that is put together at run time is looked up too, and strange names are only names', () => {
  const policy = named(`
trust_claims := {"hardware": query_reference_value(concat("_", ["a", "b"])), "executables": query_reference_value("x\\"]}")}
`)
  const { vector } = one(policy, values({ a_b: 5, 'x"]}': 6 }))
  assert.equal(vector.hardware, 5)
  assert.equal(vector.executables, 6)
})

test('a policy is shown the values that it asks for by name, and all where nobody can tell', () => {
  const claims = 'trust_claims := {"hardware": 2}\n'
  const shown = (text: string) => {
    const evaluated: AppraisalEvaluation[] = []
    const references = values({ a: 1, b: 2, 'c d': 3 })
    appraise(verified(), () => named(`${text}\n${claims}`), references, at, {
      onEvaluated: (one) => evaluated.push(one),
    })
    return evaluated[0]!.input[referenceMember]
  }
  const all = { a: 1, b: 2, 'c d': 3 }
  assert.deepEqual(shown(''), {})
  assert.deepEqual(shown('x := query_reference_value("a")'), { a: 1 })
  assert.deepEqual(shown('x := query_reference_value( "a" )\ny := query_reference_value(`c d`)'), {
    a: 1,
    'c d': 3,
  })
  assert.deepEqual(shown('x := query_reference_value("none")\n# query_reference_value("b")'), { b: 2 })
  for (const text of [
    'x := query_reference_value(concat("", ["a"]))',
    'x := query_reference_value("\\u0061")',
    'x := query_reference_value(input.name)\ny := query_reference_value("a")',
    'import data.policy.query_reference_value as q\nx := q("a")',
    'x := data.policy["query_reference_value"]("a")',
    'x := input["sealift.reference-values"].a',
  ])
    assert.deepEqual(shown(text), all, text)
  const soon = values({ other: 1 }, new Date(at.getTime() + 1))
  assert.equal(one(named(claims), soon).validUntil, undefined)
})

test('a value that has expired is not there, and one that will ends the appraisal', () => {
  const policy = named(
    'default h := 97\nh := 2 if query_reference_value("ok") == true\ntrust_claims := {"hardware": h}',
  )
  const past = new Date(at.getTime() - 1)
  assert.equal(one(policy, values({ ok: true }, at)).vector.hardware, 97)
  assert.equal(one(policy, values({ ok: true }, past)).vector.hardware, 97)
  const next = new Date(at.getTime() + 1)
  const held = one(policy, [...values({ ok: true }, next), ...values({ other: 1 }, soon)])
  assert.equal(held.vector.hardware, 2)
  assert.deepEqual(held.validUntil, next)
  const seen = verified()
  const ending = { ...seen, tees: seen.tees.map((tee) => ({ ...tee, validUntil: at })) }
  assert.deepEqual(one(policy, values({ ok: true }), ending).validUntil, at)
})

test('a policy sees the evidence in the form of Trustee, and so does the reader of the token', () => {
  const policy = named(`
trust_claims := {"hardware": 2}
extensions := [{"name": "seen", "key": -1, "value": {name | some name, _ in input}}]
`)
  const { annotatedEvidence, extensions } = one(policy, [], verified({ init_data: 'AA' }))
  const { report_data: _, ...own } = sampleClaims
  assert.deepEqual(annotatedEvidence, {
    init_data: 'AA',
    init_data_claims: null,
    report_data: 'AAAA',
    runtime_data_claims: { 'additional-evidence': '{}', nonce: 'n', 'tee-pubkey': { kty: 'EC' } },
    sample: own,
  })
  const names = ['init_data', 'init_data_claims', 'report_data', 'runtime_data_claims', 'sample']
  assert.deepEqual(extensions.seen, [...names, 'sealift.reference-values'])
  const [terse] = appraise(verified(), () => policy, [], at, { isTerse: true })
  assert.deepEqual(terse!.annotatedEvidence.runtime_data_claims, { nonce: 'n', 'tee-pubkey': { kty: 'EC' } })
})

test('each class has its policy', () => {
  const seen = verified()
  const device = { tee: 'sampledevice', class: 'gpu', claims: { svn: '1', report_data: 'AAAA' } } as const
  const both = { ...seen, tees: [...seen.tees, device] }
  const policies: Record<string, NamedPolicy> = {
    cpu: named('trust_claims := {"hardware": 2}'),
    gpu: named('trust_claims := {"hardware": 3}'),
  }
  const appraisals = appraise(both, (teeClass) => policies[teeClass], [], at)
  assert.deepEqual(
    appraisals.map((each) => [each.class, each.vector.hardware]),
    [
      ['cpu', 2],
      ['gpu', 3],
    ],
  )
  assert.throws(
    () => appraise(both, (teeClass) => (teeClass === 'cpu' ? policies.cpu : undefined), [], at),
    code('APPRAISAL_POLICY_FAILED'),
  )
})

test('a policy that says nothing, or nonsense, appraises nothing', () => {
  for (const text of [
    'trust_claims := {}',
    'trust_claims := "affirming"',
    'trust_claims := {"hardware": 128}',
    'trust_claims := {"hardware": -129}',
    'trust_claims := {"hardware": 2.5}',
    'trust_claims := {"hardware": "2"}',
    'trust_claims := {"hardware": true}',
    'trust_claims := {"toString": 2}',
    'trust_claims := {"hardwear": 2}',
    'trust_claims := {"hardware": 2} if input.never',
    'trust_claims := {"hardware": 2}\nextensions := {}',
    'trust_claims := {"hardware": 2}\nextensions := [{"name": "ear.status", "key": 1, "value": "affirming"}]',
    'trust_claims := {"hardware": 2}\nextensions := [{"name": "a", "key": 1, "value": 1}, {"name": "a", "key": 2, "value": 1}]',
    'trust_claims := {"hardware": 2}\nextensions := [{"name": "a", "value": 1}]',
    'trust_claims := {"hardware": 2}\nextensions := [1]',
    'trust_claims := {"hardware": 2}\nextensions := [{"name": sprintf("%d", [i]), "key": i, "value": 1} | some i in numbers.range(1, 65)]',
  ]) {
    const policy = named(text)
    assert.throws(() => one(policy), code('APPRAISAL_POLICY_FAILED'), text)
  }
})

test('a policy that is none is refused when it is compiled', () => {
  const compile = (text: string) => () => compileAttestationPolicy([{ path: 'policy.rego', text }])
  assert.throws(compile('package other\nallow := true'), code('POLICY_RULE_MISSING'))
  assert.throws(compile('package policy\nallow := true'), code('POLICY_RULE_MISSING'))
  assert.throws(compile('package policy\ntrust_claims := {'), code('POLICY_SYNTAX'))
  assert.throws(compile('package policy\ntrust_claims := http.send({})'), code('POLICY_FORBIDDEN'))
})

const vectors = join(import.meta.dirname, '../../../../shared/vectors/confidential/trustee/rego/as')
const absent = existsSync(vectors) ? false : 'NOT TESTED: the shared vectors are not here'

test('the policies that Trustee ships run unchanged', { skip: absent }, () => {
  const shipped = (name: string): NamedPolicy => {
    const text = readFileSync(join(vectors, `ear_default_policy_${name}.rego`), 'utf8')
    return { id: 'default', policy: compileAttestationPolicy([{ path: 'policy.rego', text }]) }
  }
  const cpu = shipped('cpu')
  // As Trustee itself said in the recorded exchange, with no reference values.
  const bare = one(cpu)
  assert.deepEqual([bare.vector.executables, bare.vector.hardware, bare.vector.configuration], [33, 97, 2])
  assert.deepEqual(bare.extensions, { 'ear.trustee.identifiers': { validated: {} } })
  const known = values({ launch_digest: ['abcde'], svn: ['1'], major_version: 1, minimum_minor_version: 4 })
  const good = one(cpu, known)
  assert.deepEqual([good.vector.executables, good.vector.hardware, good.vector.configuration], [3, 2, 2])
  const old = one(
    cpu,
    values({ launch_digest: ['abcde'], svn: ['1'], major_version: 1, minimum_minor_version: 5 }),
  )
  assert.equal(old.vector.hardware, 97)
  const snp: VerifiedAttestation = {
    teeKey,
    tees: [
      {
        tee: 'snp',
        class: 'cpu',
        claims: {
          measurement: 'm',
          policy_debug_allowed: false,
          policy_migrate_ma: false,
          report_data: '00',
        },
      },
    ],
    runtimeData: {},
  }
  const snpGood = one(cpu, values({ snp_launch_measurement: ['m'] }), snp)
  assert.deepEqual(
    [snpGood.vector.executables, snpGood.vector.hardware, snpGood.vector.configuration],
    [3, 97, 3],
  )
  for (const [name, expected] of [
    ['gpu', [33, 97, 36]],
    ['switch', [33, 97, 36]],
    ['ppcie', [0, 0, 2]],
  ] as const) {
    const { vector } = one(shipped(name))
    assert.deepEqual([vector.executables, vector.hardware, vector.configuration], expected, name)
  }
})

const others = join(vectors, '../../as')

test("the policies of Trustee's tests come to what they say", { skip: absent }, () => {
  const load = (path: string) => readFileSync(join(others, path), 'utf8')
  const compiled = (path: string): NamedPolicy => ({
    id: 'default',
    policy: compileAttestationPolicy([{ path: 'policy.rego', text: load(path) }]),
  })
  const bare = one(compiled('coco-as/policy/opa/ear_no_rv_policy_cpu.rego'))
  assert.deepEqual([bare.vector.executables, bare.vector.hardware, bare.vector.configuration], [3, 2, 2])
  const debugged = one(
    compiled('coco-as/policy/opa/ear_no_rv_policy_cpu.rego'),
    [],
    verified({ debug: true, launch_digest: false }),
  )
  assert.deepEqual(
    [debugged.vector.executables, debugged.vector.hardware, debugged.vector.configuration],
    [33, 2, 36],
  )
  // Of a time when reference values were data: without them nothing is good, and the policy may bring its own.
  const old = load('policy/ear_sample.rego')
  const { vector } = one(compiled('policy/ear_sample.rego'))
  assert.deepEqual([vector.executables, vector.hardware, vector.configuration], [33, 97, 36])
  const reference = { launch_digest: ['abcde'], svn: ['1'], major_version: 1, minimum_minor_version: 4 }
  const files = [
    { path: 'policy.rego', text: old },
    { path: 'data.json', text: JSON.stringify({ reference }) },
  ]
  const known = one({ id: 'default', policy: compileAttestationPolicy(files) })
  assert.deepEqual([known.vector.executables, known.vector.hardware], [3, 2])
  // These yield no trust_claims: what Trustee would find out when the first guest comes.
  for (const name of ['example-1', 'example-2', 'example-3', 'new_policy'])
    assert.throws(() => compiled(`coco-as/policy/${name}.rego`), code('POLICY_RULE_MISSING'), name)
})
