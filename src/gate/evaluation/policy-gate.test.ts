import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type Json, jsonAt, limits, parseJson } from '#base/index.ts'
import { type Digest, digestOf } from '#oci/index.ts'
import { compilePolicy, decide } from '#policy/index.ts'
import { openAudit } from '../audit/audit-directory.ts'
import { readJson } from '../audit/objects.ts'
import { type EvaluationRecord, parseRecord } from '../audit/record.ts'
import { replay } from '../audit/replay.ts'
import { recordedDecision } from './evaluation-record.ts'
import { PolicyGate } from './policy-gate.ts'
import { recentEvaluations } from './recent-evaluations.ts'
import type { Evaluation } from './types.ts'

const policy = compilePolicy([
  {
    path: 'policy.rego',
    text: `package sealift

import rego.v1

default decision := {"allow": false, "reasons": [{"code": "NO", "message": "no name"}]}

decision := {"allow": true} if input.claims.name in input.names
`,
  },
])
const never = new AbortController().signal
const at = new Date('2026-01-02T03:04:05.678Z')

const question = (name: string, more: Readonly<Record<string, Json>> = {}): Evaluation => ({
  purpose: 'release',
  principal: { kind: 'guest', name: 'g1' },
  resource: 'resource/default/key/one',
  policyName: 'resource@3',
  policy,
  input: { claims: { name }, names: ['ada', 'grace'], ...more },
  shared: ['names'],
})

async function withAudit(
  act: (audit: Awaited<ReturnType<typeof openAudit>>) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sealift-evaluation-'))
  try {
    const { privateKey: key } = generateKeyPairSync('ed25519')
    await using audit = await openAudit({ directory, origin: 'test/audit', key })
    await act(audit)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

describe('the gate for what is no content', () => {
  test('decides by the policy, records, and gives the same again', async () => {
    await withAudit(async (audit) => {
      const gate = new PolicyGate({ audit })
      const yes = await gate.ask(question('ada'), at, never)
      const no = await gate.ask(question('eve'), at, never)
      assert.deepEqual([yes.allowed, no.allowed, yes.entry, no.entry], [true, false, 0, 1])
      assert.equal(no.reasons[0]?.code, 'NO')
      const replayed = await Array.fromAsync(replay(audit))
      assert.deepEqual(
        replayed.map(({ differences }) => differences),
        [[], []],
      )
      const [record] = (await Array.fromAsync(audit.records())) as unknown as [{ record: EvaluationRecord }]
      assert.deepEqual(record.record.input, { claims: { name: 'ada' } })
      assert.ok(record.record.shared?.names)
      const recent = await recentEvaluations(audit, { purpose: 'release', policy: 'resource', most: 1 })
      assert.deepEqual(
        recent.map(({ index, input }) => [index, input]),
        [[1, question('eve').input]],
      )
      assert.deepEqual(await recentEvaluations(audit, { purpose: 'release', policy: 'other', most: 9 }), [])
    })
  })

  test('a large input lies beside the log, and what is missing is told', async () => {
    await withAudit(async (audit) => {
      const gate = new PolicyGate({ audit })
      await gate.ask(question('ada', { evidence: 'x'.repeat(100_000) }), at, never)
      const [{ record }] = (await Array.fromAsync(audit.records())) as unknown as [
        { record: EvaluationRecord },
      ]
      assert.equal(record.input, undefined)
      assert.ok(record.inputDigest)
      assert.deepEqual((await Array.fromAsync(replay(audit)))[0]?.differences, [])
      const lost = {
        ...audit,
        objects: {
          ...audit.objects,
          keep: audit.objects.keep,
          read: (digest: Digest) =>
            audit.objects.read(digest === record.inputDigest ? record.policy : digest),
        },
      }
      const [told] = await Array.fromAsync(replay(lost))
      assert.notDeepEqual(told?.differences, [])
    })
  })

  test('a record that says otherwise than the policy is told', async () => {
    await withAudit(async (audit) => {
      const gate = new PolicyGate({ audit })
      const decision = { allowed: true, reasons: [], outputs: null }
      await gate.record([{ evaluation: question('eve'), decision, at }], never)
      const [told] = await Array.fromAsync(replay(audit))
      assert.deepEqual(told?.differences, [
        { kind: 'decision', what: 'the policy says no, the record says yes' },
      ])
    })
  })

  test('an entry holds what fits into it, and all else lies beside, at every size', async () => {
    await withAudit(async (audit) => {
      const gate = new PolicyGate({ audit })
      const inline = 24 * 1024
      const own = (text: string) => ({ claims: { name: 'ada' }, text })
      const most = inline - Buffer.byteLength(JSON.stringify(own('')))
      const ask = async (more: Readonly<Record<string, Json>>) => {
        const { entry } = await gate.ask(question('ada', more), at, never)
        const bytes = await audit.log.entry(entry!)
        assert.ok(bytes.length <= limits.logEntryBytes)
        return parseRecord(bytes) as EvaluationRecord
      }
      assert.ok((await ask({ text: 'x'.repeat(most) })).input)
      assert.ok((await ask({ text: 'x'.repeat(most + 1) })).inputDigest)
      // Bytes count, not characters.
      assert.ok((await ask({ text: 'ü'.repeat(most / 2 + 1) })).inputDigest)
      // All of it nested as deep as a parser lets it in.
      const deep = parseJson(Buffer.from(`${'['.repeat(64)}${']'.repeat(64)}`), { maxBytes: 1000 })
      assert.ok((await ask({ deep })).input)
      const replayed = await Array.fromAsync(replay(audit))
      assert.deepEqual(
        replayed.flatMap(({ differences }) => differences),
        [],
      )
    })
  })

  test('a decision with the most and the longest reasons still has an entry that can be read', async () => {
    await withAudit(async (audit) => {
      const gate = new PolicyGate({ audit })
      // Each character takes six bytes in JSON.
      const text = '\u0001'.repeat(3000)
      const reasons = Array.from({ length: 100 }, () => ({ code: text, message: text, remedy: text }))
      const decision = { allowed: false, reasons, outputs: 'x'.repeat(23_000) }
      const evaluation = question('eve', { text: 'x'.repeat(23_000) })
      const entry = await gate.record([{ evaluation, decision, at }], never)
      const bytes = await audit.log.entry(entry!)
      const record = parseRecord(bytes) as EvaluationRecord
      assert.ok(record.reasons.length > 0 && record.reasons.length < 100)
      const whole = await recordedDecision(record, (digest) => readJson(audit.objects, digest))
      assert.deepEqual(whole, { allowed: false, reasons, outputs: decision.outputs })
    })
  })

  test('what cannot be read back is not recorded, and blinds nobody', async () => {
    await withAudit(async (audit) => {
      const gate = new PolicyGate({ audit })
      let deep: Json = null
      for (let at = 0; at < 200; at++) deep = [deep]
      await assert.rejects(gate.ask(question('ada', { deep }), at, never), { code: 'RECORD_INVALID' })
      const proto = JSON.parse('{"__proto__": "x"}') as Json
      const long = { proto, x: 'x'.repeat(100_000) }
      for (const odd of [{ proto }, long, { list: [[{ a: proto }]] }])
        await assert.rejects(gate.ask(question('ada', odd), at, never), { code: 'RECORD_INVALID' })
      const shared = { ...question('ada', { proto }), shared: ['proto'] }
      await assert.rejects(gate.ask(shared, at, never), { code: 'RECORD_INVALID' })
      await assert.rejects(gate.ask(question('\ud800'), at, never), { code: 'JSON_INVALID' })
      // A name that was cut in the middle of a character is for people: it is told as well as it can be.
      await gate.ask({ ...question('ada'), resource: 'resource/a/b/\ud83d' }, at, never)
      assert.equal((await Array.fromAsync(audit.records())).length, 1)
      assert.deepEqual((await Array.fromAsync(replay(audit)))[0]?.differences, [])
    })
  })

  test('several evaluations of one question stand in their order', async () => {
    await withAudit(async (audit) => {
      const gate = new PolicyGate({ audit })
      const decision = decide(policy, { claims: { name: 'eve' }, names: [] }, at)
      const evaluated = ['0', '1', '2', '3'].map((name) => ({ evaluation: question(name), decision, at }))
      const both = await Promise.all([gate.record(evaluated, never), gate.record(evaluated, never)])
      assert.deepEqual(both, [3, 7])
      const names: unknown[] = []
      for await (const { record } of audit.records())
        names.push(jsonAt((record as EvaluationRecord).input!, '/claims/name'))
      assert.deepEqual(names, ['0', '1', '2', '3', '0', '1', '2', '3'])
    })
  })

  test('an input, a policy or a shared member that was changed since is told', async () => {
    await withAudit(async (audit) => {
      const gate = new PolicyGate({ audit })
      await gate.ask(question('ada', { evidence: 'x'.repeat(100_000) }), at, never)
      const [{ record }] = (await Array.fromAsync(audit.records())) as unknown as [
        { record: EvaluationRecord },
      ]
      const told = async (changed: Partial<EvaluationRecord>) => {
        const records = async function* () {
          yield { index: 0, record: { ...record, ...changed } }
        }
        const [one] = await Array.fromAsync(replay({ ...audit, records }))
        return one?.differences.map(({ kind }) => kind)
      }
      const other = await audit.objects.keep(Buffer.from('{"claims":{"name":"eve"}}'))
      const none = await audit.objects.keep(Buffer.from('[]'))
      const stored = await readJson(audit.objects, record.policy)
      const denying = await audit.objects.keep(
        Buffer.from(JSON.stringify(stored).replace('{\\"allow\\": true}', '{\\"allow\\": false}')),
      )
      assert.deepEqual(await told({}), [])
      assert.deepEqual(await told({ inputDigest: other }), ['decision'])
      assert.deepEqual(await told({ shared: { names: none } }), ['decision'])
      assert.deepEqual(await told({ policy: denying }), ['decision'])
      assert.deepEqual(await told({ policy: none }), ['policy'])
      assert.deepEqual(await told({ decision: { allowed: true, reasons: [], outputs: 1 } }), ['decision'])
      assert.deepEqual(await told({ decisionDigest: digestOf(Buffer.from('gone')) }), ['missing'])
    })
  })

  test('what asks too late is not recorded', async () => {
    await withAudit(async (audit) => {
      await assert.rejects(new PolicyGate({ audit }).ask(question('ada'), at, AbortSignal.abort()))
      assert.equal((await Array.fromAsync(audit.records())).length, 0)
    })
  })
})
