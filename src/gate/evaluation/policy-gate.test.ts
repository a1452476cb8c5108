import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Json } from '#base/index.ts'
import type { Digest } from '#oci/index.ts'
import { compilePolicy } from '#policy/index.ts'
import { openAudit } from '../audit/audit-directory.ts'
import type { EvaluationRecord } from '../audit/record.ts'
import { replay } from '../audit/replay.ts'
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

  test('what asks too late is not recorded', async () => {
    await withAudit(async (audit) => {
      await assert.rejects(new PolicyGate({ audit }).ask(question('ada'), at, AbortSignal.abort()))
      assert.equal((await Array.fromAsync(audit.records())).length, 0)
    })
  })
})
