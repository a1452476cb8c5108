// Policies and evidence that mean harm: each is answered with a no, soon, and with the same no every time.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Json, policyLimits } from '#base/index.ts'
import { compilePolicy } from './compile.ts'
import { decide } from './decide.ts'
import { Engine } from './engine/engine.ts'
import type { Decision } from './types.ts'

const at = new Date('2026-05-01T12:00:00Z')
const policyOf = (body: string) => compilePolicy([{ path: 'a.rego', text: `package sealift\n\n${body}\n` }])
const codesOf = ({ reasons }: Decision) => reasons.map((reason) => reason.code)
const nested = (depth: number): Json => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`) as Json
const chain = (length: number) =>
  ['r0 := 1', ...Array.from({ length }, (_, at) => `r${at + 1} := [r${at}]`), `decision := r${length}`].join(
    '\n',
  )

/** Sums of every pair of a hundred thousand: not done before the sun is out. */
const endless =
  'decision := {"allow": count([1 | some a in numbers.range(1, 100000); some b in numbers.range(1, 100000); a * b == 7]) > 0}'
/** Doubles a string thirty times. */
const doubling = [
  's0 := "0123456789abcdef"',
  ...Array.from({ length: 30 }, (_, at) => `s${at + 1} := concat("", [s${at}, s${at}])`),
  'decision := {"allow": count(s30) > 0}',
].join('\n')

const cases: readonly { name: string; body: string; code: string; evidence?: Json }[] = [
  { name: 'comprehensions within comprehensions', body: endless, code: 'POLICY_BUDGET' },
  {
    name: 'a product of ever larger numbers',
    body: 'decision := {"allow": product([x | some i in numbers.range(1, 200000); x := 99999999999 + i]) > 0}',
    code: 'POLICY_BUDGET',
  },
  {
    name: 'rules that need one another without end',
    body: 'decision := f(1)\nf(x) := f(x + 1)',
    code: 'POLICY_BUDGET',
  },
  { name: 'a chain of three thousand rules', body: chain(3000), code: 'POLICY_BUDGET' },
  {
    name: 'a number of a hundred million digits',
    body: 'decision := {"allow": count(sprintf("%100000000000d", [1])) > 0}',
    code: 'POLICY_MEMORY',
  },
  {
    name: 'a thousand million numbers',
    body: 'decision := {"allow": count(numbers.range(1, 1000000000)) > 0}',
    code: 'POLICY_MEMORY',
  },
  { name: 'a string that doubles', body: doubling, code: 'POLICY_MEMORY' },
  {
    name: 'a regular expression that unfolds',
    body: 'decision := {"allow": regex.match("((a{500}){500}){10}", "aaaa")}',
    code: 'POLICY_FAILED',
  },
  {
    name: 'walking through what is deeper than the engine reads',
    body: 'decision := {"allow": count([p | walk(input, [p, _])]) > 0}',
    evidence: nested(5000),
    code: 'POLICY_FAILED',
  },
  {
    name: 'a yes of two megabytes',
    body: 'decision := {"allow": true, "outputs": concat("", ["0123456789" | some _ in numbers.range(1, 200000)])}',
    code: 'POLICY_RESULT_INVALID',
  },
]

for (const { name, body, code, evidence = {} } of cases) {
  test(`${name}: ${code}`, () => {
    const policy = policyOf(body)
    const first = decide(policy, evidence, at)
    assert.equal(first.allowed, false)
    assert.deepEqual(codesOf(first), [code])
    assert.deepEqual(decide(policy, evidence, at), first)
  })
}

test('chance is the same every time, for who needs it and for who gets at it', () => {
  const schema = '{"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "number"}}}'
  for (const outputs of [
    `json.match_schema({"a": 1, "b": "x"}, ${schema})`,
    'rand["int\\u006e"]("a", 1000000)',
  ]) {
    const policy = policyOf(`decision := {"allow": true, "outputs": ${outputs}}`)
    const decisions = [1, 2, 3].map(() => decide(policy, {}, at))
    assert.deepEqual(decisions[1], decisions[0])
    assert.deepEqual(decisions[2], decisions[0])
  }
})

test('patterns that other engines choke on take linear time', () => {
  const policy = policyOf('decision := {"allow": regex.match(`^(([a-z])+.)+[A-Z]([a-z])+$`, input)}')
  assert.equal(decide(policy, 'a'.repeat(20_000), at).allowed, false)
  assert.equal(decide(policy, 'aaaAaa', at).allowed, true)
})

test('two engines count the same, and so does one at its limit and one instruction short of it', () => {
  const text =
    'package sealift\n\ndecision := {"allow": count([1 | some a in numbers.range(1, 300); a > 7]) > 0}\n'
  const run = (instructions: number) => {
    const engine = new Engine({ instructions, memoryBytes: policyLimits.memoryBytes })
    engine.addPolicy('a.rego', text)
    engine.prepare()
    const { kind } = engine.evaluate('data.sealift.decision', '{}', at)
    return { kind, took: engine.instructions }
  }
  const { kind, took } = run(policyLimits.instructions)
  assert.equal(kind, 'value')
  assert.deepEqual(run(took), { kind: 'value', took })
  assert.equal(run(took - 1).kind, 'instructions')
})

test('an answer does not depend on what was decided before', () => {
  const body = 'decision := {"allow": count([1 | some a in numbers.range(1, input); a > 7]) > 0}'
  const text = [{ path: 'a.rego', text: `package sealift\n\n${body}\n` }]
  const limits = (instructions: number) => ({ instructions, memoryBytes: policyLimits.memoryBytes })
  // The least that a fresh engine needs is what a well-used one needs as well.
  const needs = (warm: boolean) => {
    let [low, high] = [1_000_000, 1_000_000_000]
    while (high - low > 1000) {
      const middle = Math.floor((low + high) / 2)
      const policy = compilePolicy(text)
      if (warm) for (let time = 0; time < 3; time++) decide(policy, 10 + time, at, limits(middle))
      if (decide(policy, 500, at, limits(middle)).allowed) high = middle
      else low = middle
    }
    return low
  }
  assert.equal(needs(true), needs(false))
})

test('evidence as deep as the engine reads, and one deeper', () => {
  const policy = policyOf('decision := {"allow": is_array(input)}')
  const deepest = [...Array(300).keys()].findLast(
    (depth) => depth > 0 && decide(policy, nested(depth), at).allowed,
  )!
  assert.ok(deepest >= 64, `${deepest}`)
  assert.deepEqual(codesOf(decide(policy, nested(deepest + 1), at)), ['POLICY_FAILED'])
})

test('evidence of eighty megabytes is a no or a yes, and no crash', () => {
  const policy = policyOf('decision := {"allow": count(input) > 0}')
  const decision = decide(policy, 'x'.repeat(80_000_000), at)
  assert.deepEqual(
    decision.reasons.map(({ code }) => code),
    ['POLICY_MEMORY'],
  )
  assert.equal(decide(policy, 'x', at).allowed, true)
})
