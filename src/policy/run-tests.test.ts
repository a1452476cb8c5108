import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policyLimits } from '#base/index.ts'
import { compilePolicy } from './compile.ts'
import { explain } from './explain.ts'
import { runPolicyTests } from './run-tests.ts'

const at = new Date('2026-05-01T12:00:00Z')
const policy = {
  path: 'policy.rego',
  text: `package sealift

default allow := false

allow if input.signed

# test_comment
decision := {"allow": allow, "reasons": reasons}

reasons := [{"code": "UNSIGNED", "message": \`test_string\`} | not allow]

twice(x) := 2 * x
`,
}
const tests = {
  path: 'policy_test.rego',
  text: `package sealift_test

import data.sealift

test_signed if {
	sealift.allow with input as {"signed": true}
}

test_wrong if sealift.allow with input as {}

test_false := false

test_broken if 1 / 0 == 1

todo_test_later if false

test_cases[name] if {
	some name, signed in {"yes": true, "no": false}
	sealift.allow == signed with input as {"signed": signed}
}

test_every if {
	every name, ok in {"fine": true, "bad": false} { ok }
}

test_now if time.now_ns() == ${at.getTime()}000000

test_printing if {
	print("hello", 1)
}

helper_test_not if true
`,
}

test('tests run as opa runs them, each told with its place', () => {
  const told = runPolicyTests([policy, tests], { at })
  assert.deepEqual(
    told.map(({ name, line, outcome }) => [name.replace('data.sealift_test.', ''), line, outcome]),
    [
      ['test_signed', 5, 'pass'],
      ['test_wrong', 9, 'fail'],
      ['test_false', 11, 'fail'],
      ['test_broken', 13, 'error'],
      ['todo_test_later', 15, 'skip'],
      ['test_cases', 17, 'error'],
      ['test_every', 22, 'fail'],
      ['test_now', 26, 'pass'],
      ['test_printing', 28, 'pass'],
    ],
  )
  assert.match(told[3]!.message!, /^policy_test\.rego:13:\d+: divide by zero/)
  assert.match(told[5]!.message!, /cases/)
  assert.match(told[8]!.printed.join('\n'), /hello 1/)
  assert.ok(told.every(({ file }) => file === 'policy_test.rego'))
})

test('a test without an end is an error, and those after it run', () => {
  const endless = {
    path: 'endless_test.rego',
    text: 'package endless_test\n\ntest_endless if f(1)\n\nf(x) if f(x + 1)\n\ntest_after if true\n',
  }
  const told = runPolicyTests([policy, endless], { at }, { ...policyLimits, instructions: 1_000_000_000 })
  assert.deepEqual(
    told.map(({ outcome }) => outcome),
    ['error', 'pass'],
  )
})

test('an explanation shows what every rule came to', () => {
  const { decision, rules } = explain(compilePolicy([policy]), {}, at)
  assert.equal(decision.allowed, false)
  assert.deepEqual(rules, [
    { name: 'data.sealift.allow', file: 'policy.rego', line: 3, value: false },
    {
      name: 'data.sealift.decision',
      file: 'policy.rego',
      line: 8,
      value: { allow: false, reasons: [{ code: 'UNSIGNED', message: 'test_string' }] },
    },
    {
      name: 'data.sealift.reasons',
      file: 'policy.rego',
      line: 10,
      value: [{ code: 'UNSIGNED', message: 'test_string' }],
    },
  ])
})
