// Open Policy Agent itself: the same tests pass and fail, and the rules that come with us are Rego to it as well.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { compilePolicy, decide, parseTrustPolicy, runPolicyTests, starterPolicy } from '#policy/index.ts'
import { findPeer, needs } from './peers.ts'

const opa = findPeer('opa')
let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealift-opa-'))
})
after(() => rmSync(folder, { recursive: true }))

const policy = {
  path: 'policy.rego',
  text: `package sealift

default allow := false

allow if {
	some s in input.subjects
	startswith(s.reference, "registry.example/")
	every p in s.proofs {
		p.age < 30
	}
}

names contains upper(s.name) if some s in input.subjects

total := sum([s.size | some s in input.subjects])
`,
}
const tests = {
  path: 'policy_test.rego',
  text: `package sealift_test

import data.sealift

subject := {"reference": "registry.example/a", "name": "a", "size": 3, "proofs": [{"age": 1}]}

test_allowed if sealift.allow with input as {"subjects": [subject]}

test_refused if not sealift.allow with input as {"subjects": []}

test_wrong if sealift.allow with input as {"subjects": []}

test_false := false

test_undefined if input.nothing

todo_test_later if false

test_names if sealift.names == {"A"} with input as {"subjects": [subject]}

test_total if sealift.total == 6 with input as {"subjects": [subject, subject]}

test_mocked if sealift.allow with sealift.allow as true

test_clock if time.now_ns() == 7 with time.now_ns as 7

test_every if {
	every n in [3, 0] {
		sealift.total == n with input as {"subjects": [s | n == 3; s := subject]}
	}
}

test_every_wrong if {
	every n in [3, 4] {
		sealift.total == n with input as {"subjects": [subject]}
	}
}

test_string if sprintf("%s-%d", ["a", 1]) == "a-1"

test_regex if regex.match("^(?:a|b)$", "b")

test_conflict if sealift.total with input as {"subjects": [{"size": "x"}]}
`,
}

interface OpaTest {
  readonly package: string
  readonly name: string
  readonly fail?: boolean
  readonly skip?: boolean
  readonly error?: unknown
  readonly location: { readonly file: string; readonly row: number }
}

test('opa test says the same of every test', needs('opa'), () => {
  for (const { path, text } of [policy, tests]) writeFileSync(join(folder, path), text)
  const ran = spawnSync(opa!, ['test', '--format', 'json', folder], { encoding: 'utf8' })
  const theirs = (JSON.parse(ran.stdout) as OpaTest[]).map((one) => ({
    name: `${one.package}.${one.name}`,
    line: one.location.row,
    passes: !one.fail && !one.error && !one.skip,
    skipped: one.skip === true,
  }))
  const ours = runPolicyTests([policy, tests], { at: new Date() }).map(({ name, line, outcome }) => ({
    name,
    line,
    passes: outcome === 'pass',
    skipped: outcome === 'skip',
  }))
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1)
  assert.deepEqual(ours.sort(byName), theirs.sort(byName))
  assert.ok(ours.length >= 15)
})

test(
  'our rules decide in opa what they decide here, and are formatted as it formats',
  needs('opa'),
  async () => {
    const [{ text }] = starterPolicy('registry.example/shop/**')
    const rules = text.replace(
      /rules:[\s\S]*/,
      'rules:\n  - { content: registry.example/shop/*, environments: [build], unsigned: true }\n',
    )
    const trust = await parseTrustPolicy(rules, { path: 'p', readFile: () => assert.fail() })
    const [file] = trust.policy.files
    const rego = join(folder, 'trust.rego')
    const data = join(folder, 'data.json')
    writeFileSync(rego, file!.text)
    writeFileSync(data, JSON.stringify(trust.policy.data))
    assert.equal(execFileSync(opa!, ['fmt', '-l', rego], { encoding: 'utf8' }), '')
    execFileSync(opa!, ['check', '--strict', rego])
    for (const [environment, reference] of [
      ['build', 'registry.example/shop/web:1.0'],
      ['production', 'registry.example/shop/web:1.0'],
      ['build', 'other.example/shop/web'],
    ] as const) {
      const input = {
        action: 'load',
        environment,
        principal: { kind: 'user', name: 'a', groups: [], roles: [] },
        subjects: [
          {
            subject: { digest: 'sha256:0', mediaType: 'a/b', reference },
            signatures: [],
            attestations: [],
            refused: [],
          },
        ],
      }
      const at = new Date()
      const said = execFileSync(
        opa!,
        ['eval', '--format', 'json', '-d', rego, '-d', data, '-I', trust.policy.rule],
        {
          input: JSON.stringify(input),
          encoding: 'utf8',
        },
      )
      const theirs = JSON.parse(said).result[0].expressions[0].value
      const ours = decide(trust.policy, input, at)
      assert.equal(ours.allowed, theirs.allow)
      assert.deepEqual([ours.reasons, ours.outputs], [theirs.reasons, theirs.outputs])
    }
  },
)

test('the tests beside our rules pass in opa too', needs('opa'), () => {
  const folder = join(import.meta.dirname, '../../src/policy/trust-policy')
  execFileSync(opa!, ['test', join(folder, 'trust.rego'), join(folder, 'trust_test.rego')])
})

test('what opa does not parse, we do not take', needs('opa'), () => {
  for (const text of [
    'package sealift\n\ndecision := := 1\n',
    'package sealift\n\ndecision := x if y == 1\n',
    'decision := 1\n',
  ]) {
    const path = join(folder, 'bad.rego')
    writeFileSync(path, text)
    assert.notEqual(spawnSync(opa!, ['check', path]).status, 0)
    assert.throws(() => compilePolicy([{ path: 'bad.rego', text }]), { code: 'POLICY_SYNTAX' })
  }
})
