import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '#base/index.ts'
import { compilePolicy } from './compile.ts'
import { decide } from './decide.ts'
import type { Decision } from './types.ts'

const at = new Date('2026-05-01T12:00:00Z')
const policyOf = (body: string) => compilePolicy([{ path: 'a.rego', text: `package sealift\n\n${body}\n` }])
const ask = (body: string, evidence: Json = {}): Decision => decide(policyOf(body), evidence, at)
const codesOf = ({ reasons }: Decision) => reasons.map(({ code }) => code)

test('a rule that allows is a yes, with what it says beside', () => {
  const decision = ask(
    'decision := {"allow": input.ok, "reasons": [{"code": "A", "message": "b", "remedy": "c"}], "outputs": {"n": 1}}',
    { ok: true },
  )
  assert.deepEqual(decision, {
    allowed: true,
    reasons: [{ code: 'A', message: 'b', remedy: 'c' }],
    outputs: { n: 1 },
  })
})

test('the clock stands at the moment of the decision, and who reads it is not remembered', () => {
  const decision = ask('decision := {"allow": true, "outputs": time.now_ns() / 1000000}')
  assert.equal(decision.outputs, at.getTime())
  assert.deepEqual(decision.validUntil, at)
})

test('who reads the clock and says for how long is remembered for so long', () => {
  const until = (end: string) =>
    ask(`decision := {"allow": time.now_ns() > 0, "valid_until": ${end}}`).validUntil
  assert.deepEqual(until('"2026-06-01T00:00:00Z"'), new Date('2026-06-01T00:00:00Z'))
  assert.deepEqual(until('time.parse_rfc3339_ns("2026-06-01T00:00:00Z")'), new Date('2026-06-01T00:00:00Z'))
  assert.equal(until('null'), undefined)
  assert.deepEqual(until('"2020-01-01T00:00:00Z"'), at)
})

test('what is not a decision is a no', () => {
  for (const body of [
    'decision := true',
    'decision := {"allow": "yes"}',
    'decision := {"alow": true}',
    'decision := {"allow": true, "reason": []}',
    'decision := {"allow": true, "reasons": {}}',
    'decision := {"allow": true, "reasons": [{"code": "A"}]}',
    'decision := {"allow": true, "reasons": [{"code": "A", "message": "b", "x": 1}]}',
    'decision := {"allow": true, "valid_until": "tomorrow"}',
    'decision := {"allow": true, "valid_until": 1e300}',
    'decision := {"allow": true, "reasons": [{"code": "A", "message": "b"} | some _ in numbers.range(1, 1001)]}',
  ]) {
    const decision = ask(body)
    assert.equal(decision.allowed, false, body)
    assert.deepEqual(codesOf(decision), ['POLICY_RESULT_INVALID'], body)
  }
  assert.equal(
    ask(
      'decision := {"allow": true, "reasons": [{"code": "A", "message": "b"} | some _ in numbers.range(1, 1000)]}',
    ).allowed,
    true,
  )
  assert.deepEqual(codesOf(ask('decision := {"allow": true} if input.never')), ['POLICY_UNDEFINED'])
})

test('a rule that fails is a no that says where', () => {
  const decision = ask('decision := {"allow": true, "outputs": 1 / input.zero}', { zero: 0 })
  assert.equal(decision.allowed, false)
  assert.deepEqual(codesOf(decision), ['POLICY_FAILED'])
  assert.match(decision.reasons[0]!.message, /^a\.rego:3:\d+: divide by zero/)
})

test('only what compilePolicy made is asked', () => {
  const policy = policyOf('decision := {"allow": true}')
  assert.throws(() => decide({ ...policy }, {}, at), { code: 'POLICY_ENGINE_FAILED' })
})

test('a limit below what the decision takes is a no; compiling does not count against it', () => {
  const policy = policyOf('decision := {"allow": true}')
  const memoryBytes = 16 * 1024 * 1024
  assert.deepEqual(codesOf(decide(policy, {}, at, { instructions: 1000, memoryBytes })), ['POLICY_BUDGET'])
})
