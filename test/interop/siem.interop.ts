// What a public parser of RFC 5424 makes of our syslog messages, hostile texts among them.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { type AuditRecord, frameSyslog, toCef, toSyslog } from '#gate/index.ts'
import { digestOf } from '#oci/index.ts'
import { needs } from './peers.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

interface Read {
  readonly Priority: number
  readonly Timestamp: string
  readonly Hostname: string
  readonly MsgID: string
  readonly Message: string
  readonly StructuredData: Readonly<Record<string, Readonly<Record<string, string>>>>
}

const digest = digestOf(Buffer.from('x'))
const decision = (name: string, reference: string, message: string): AuditRecord => ({
  type: 'decision',
  at: '2026-11-21T06:00:00.123Z',
  action: 'admit',
  environment: 'trial',
  principal: { kind: 'user', name },
  subjects: [{ digest, reference, mediaType: 'm', evidence: digest }],
  policy: digest,
  trust: digest,
  allowed: false,
  reasons: [{ code: 'SIGNATURE_MISSING', message }],
  decision: digest,
})

describe('syslog', needs('syslog-peer'), () => {
  test('a stream of records is read back, each as one message', async () => {
    const pieces = fc.constantFrom(
      '\n',
      '\r',
      '\0',
      '"',
      ']',
      '\\',
      '=',
      '|',
      '5 <13>1 ',
      '\u2028',
      'ü',
      '語',
      'a',
      ' ',
    )
    const text = fc.array(pieces, { maxLength: 10 }).map((parts) => parts.join(''))
    const given = fc.sample(fc.tuple(text, text, text), 400)
    const stream = given.map(([name, reference, message], index) => {
      const record = decision(`<${name}>`, `<${reference}>`, message)
      const place = { log: 'log.example/audit', index, version: '0.1.0' }
      const body = index % 2 === 0 ? {} : { body: toCef(record, place) }
      return frameSyslog(toSyslog(record, { ...place, host: 'mirror-1', app: 'sealift', ...body }))
    })
    const input = Buffer.concat(stream).toString()
    const { stdout } = await bench.run('syslog-peer', [], { input })
    const read = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Read)
    assert.equal(read.length, given.length)
    read.forEach((message, index) => {
      assert.equal(message.Priority, 108)
      assert.equal(message.Hostname, 'mirror-1')
      assert.equal(message.MsgID, 'decision.admit')
      assert.equal(message.Timestamp, '2026-11-21T06:00:00.123Z')
      const data = message.StructuredData['sealift@32473']!
      assert.equal(data.index, String(index))
      assert.equal(data.outcome, 'denied')
      assert.equal(data.digest, digest)
      const [name, reference] = given[index]!
      const plain = (value: string) =>
        value.replace(/[\n\r\0\u2028]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
      assert.equal(data.principal, `user:<${plain(name)}>`)
      assert.equal(data.content, `<${plain(reference)}>`)
      if (index % 2 === 1)
        assert.ok(message.Message.startsWith('\ufeffCEF:0|Sealift|sealift|0.1.0|decision.admit|'))
    })
  })
})
