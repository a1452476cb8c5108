import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policyLimits, type SealiftError } from '#base/index.ts'
import { compilePolicy } from './compile.ts'

const file = (text: string, path = 'a.rego') => ({ path, text })
const good = file('package sealift\n\ndecision := {"allow": true}\n')

function failureOf(run: () => unknown): SealiftError {
  try {
    run()
  } catch (error) {
    return error as SealiftError
  }
  assert.fail('it did not fail')
}

test('an error of syntax is told with file, line and column', () => {
  const error = failureOf(() => compilePolicy([file('package sealift\n\ndecision := := 1\n', 'dir/b.rego')]))
  assert.equal(error.code, 'POLICY_SYNTAX')
  assert.deepEqual(error.detail, { file: 'dir/b.rego', line: 3, column: 13 })
  assert.match(error.message, /^dir\/b\.rego:3:13: /)
})

test('rules that do not fit together are told before anything is asked', () => {
  const unsafe = failureOf(() => compilePolicy([file('package sealift\n\ndecision := x if y == 1\n')]))
  assert.equal(unsafe.code, 'POLICY_SYNTAX')
  assert.deepEqual(unsafe.detail, { file: 'a.rego', line: 3, column: 18 })
})

test('the digest says what decides, and not in which order it was given', () => {
  const data = file('{"a": 1}', 'data.json')
  const policy = compilePolicy([good, data])
  assert.equal(compilePolicy([data, good]).digest, policy.digest)
  assert.notEqual(compilePolicy([good]).digest, policy.digest)
  assert.notEqual(compilePolicy([good, data], { data: { b: 1 } }).digest, policy.digest)
  assert.match(policy.digest, /^sha256:[0-9a-f]{64}$/)
})

test('functions that reach outside are refused, however they are written', () => {
  for (const call of ['http.send({})', 'http["send"]({})', 'rand.intn("a", 2)', 'opa.runtime()']) {
    const error = failureOf(() => compilePolicy([file(`package sealift\n\ndecision := ${call}\n`)]))
    assert.equal(error.code, 'POLICY_FORBIDDEN', call)
    assert.deepEqual([error.detail.line, error.detail.column], [3, 13], call)
  }
  compilePolicy([file('package sealift\n\n# http.send\ndecision := {"allow": "http.send" == `rand.intn`}\n')])
})

test('a rule that nobody declares, no file, files twice or of another kind', () => {
  assert.throws(() => compilePolicy([good], { rule: 'data.sealift.other' }), { code: 'POLICY_RULE_MISSING' })
  assert.throws(() => compilePolicy([good], { rule: 'data.x; true' }), { code: 'POLICY_RULE_MISSING' })
  assert.throws(() => compilePolicy([]), { code: 'POLICY_EMPTY' })
  assert.throws(() => compilePolicy([good, good]), { code: 'POLICY_SYNTAX' })
  assert.throws(() => compilePolicy([good, file('', 'a.txt')]), { code: 'POLICY_SYNTAX' })
})

test('data that is not an object, not JSON or contradicts itself', () => {
  for (const text of ['[]', '{', '{"a":1,"a":2}']) {
    assert.throws(() => compilePolicy([good, file(text, 'data.json')]), { code: 'POLICY_DATA_INVALID' }, text)
  }
  const data = file('{"a": {"b": 1}}', 'data.json')
  assert.throws(() => compilePolicy([good, data], { data: { a: { b: 2 } } }), { code: 'POLICY_DATA_INVALID' })
  compilePolicy([good, data], { data: { a: { c: 2 } } })
})

test('at the limit of files and bytes, and one beyond', () => {
  const bytes = good.text.length + '{}'.length
  compilePolicy([good], {}, { ...policyLimits, files: 1, bytes })
  assert.throws(() => compilePolicy([good], {}, { ...policyLimits, files: 0 }), { code: 'POLICY_TOO_LARGE' })
  assert.throws(() => compilePolicy([good], {}, { ...policyLimits, bytes: bytes - 1 }), {
    code: 'POLICY_TOO_LARGE',
  })
  assert.throws(() => compilePolicy([good], {}, { ...policyLimits, compileInstructions: 1000 }), {
    code: 'POLICY_TOO_LARGE',
  })
})
