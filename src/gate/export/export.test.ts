import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalJson } from '#base/index.ts'
import { digestOf } from '#oci/index.ts'
import type { AuditRecord, DecisionRecord, EvaluationRecord } from '../audit/record.ts'
import { toCef } from './cef.ts'
import { toOcsf } from './ocsf.ts'
import { frameSyslog, toSyslog } from './syslog.ts'
import { toVerificationSummaries } from './verification-summary.ts'

const digest = digestOf(Buffer.from('x'))
const decision: DecisionRecord = {
  type: 'decision',
  at: '2026-11-21T06:00:00.123Z',
  action: 'install',
  environment: 'production',
  principal: { kind: 'user', name: 'ann', groups: ['ops'] },
  roles: ['operator'],
  subjects: [{ digest, reference: 'registry.example/shop/web:1', mediaType: 'm', evidence: digest }],
  policy: digest,
  trust: digest,
  allowed: false,
  reasons: [{ code: 'SIGNATURE_MISSING', message: 'nobody has signed it', remedy: 'sign it' }],
  decision: digest,
}
const access: AuditRecord = {
  type: 'access',
  at: decision.at,
  principal: { kind: 'anonymous', name: '' },
  verb: 'pull',
  repository: 'shop/web',
  reference: '1',
  allowed: true,
}
const receipt: AuditRecord = {
  type: 'receipt',
  at: decision.at,
  site: 'far.example',
  content: digest,
  name: 'shop',
  version: '1.2.3',
  action: 'installed',
  decision: 7,
  signature: { keyId: 'a'.repeat(64), value: 'AA==' },
}
const records = [decision, access, receipt]
const place = { log: 'far.example/audit', index: 41, version: '0.1.0' }
const host = { host: 'mirror-1', app: 'sealift' }

test('OCSF: every attribute that API Activity requires, and the class’s own arithmetic', () => {
  for (const record of records) {
    const event = toOcsf(record, place)
    for (const name of [
      'activity_id',
      'actor',
      'api',
      'category_uid',
      'class_uid',
      'metadata',
      'severity_id',
      'src_endpoint',
      'time',
      'type_uid',
    ]) {
      assert.ok(event[name] !== undefined, name)
    }
    assert.equal(event.class_uid, 6003)
    assert.equal(event.category_uid, 6)
    assert.equal(event.type_uid, 600_399)
    assert.equal(event.time, Date.UTC(2026, 10, 21, 6, 0, 0, 123))
    canonicalJson(event)
  }
  const { status_id, action_id, status_code, status_detail, metadata, actor, resources } = toOcsf(
    decision,
    place,
  )
  assert.deepEqual([status_id, action_id, status_code], [2, 2, 'SIGNATURE_MISSING'])
  assert.equal(status_detail, 'nobody has signed it')
  assert.deepEqual(metadata, {
    version: '1.6.0',
    profiles: ['security_control'],
    product: { name: 'Sealift', vendor_name: 'Sealift', version: '0.1.0' },
    uid: 'far.example/audit#41',
    event_code: 'decision',
    log_name: 'far.example/audit',
    sequence: 41,
  })
  assert.deepEqual(actor, {
    user: { name: 'ann', uid: 'user:ann', type_id: 99, type: 'user', groups: [{ name: 'ops' }] },
  })
  assert.deepEqual(resources, [
    {
      name: 'registry.example/shop/web:1',
      type: 'OCI content',
      uid: digest,
      data: { hashes: [{ algorithm_id: 3, algorithm: 'sha256', value: digest.slice(7) }] },
    },
  ])
  assert.equal(toOcsf(access, place).status_id, 1)
})

const evaluation: EvaluationRecord = {
  type: 'evaluation',
  at: decision.at,
  purpose: 'release',
  principal: { kind: 'guest', name: 'spiffe://lab/web' },
  resource: 'resource/default/key/one',
  policyName: 'resource@3',
  policy: digest,
  input: { claims: null },
  allowed: false,
  reasons: [{ code: 'NOT_AFFIRMING', message: 'the hardware is not known' }],
  decision: { allowed: false, reasons: [], outputs: null },
}
const appraisal: EvaluationRecord = {
  ...evaluation,
  purpose: 'appraisal',
  resource: 'attestation/default_cpu',
  policyName: 'attestation/default_cpu',
  allowed: true,
  reasons: [],
  decision: { allowed: true, reasons: [], outputs: { trust_claims: { hardware: 97, executables: 3 } } },
}

test('a secret that was asked for is API activity, evidence that was appraised is authentication', () => {
  const release = toOcsf(evaluation, place)
  assert.deepEqual([release.class_uid, release.type_uid, release.status_id], [6003, 600_399, 2])
  assert.deepEqual(release.resources, [{ name: 'resource/default/key/one', type: 'Secret' }])
  const event = toOcsf(appraisal, place)
  assert.deepEqual([event.class_uid, event.category_uid, event.type_uid], [3002, 3, 300_299])
  // What the class requires (OCSF 1.6.0, authentication), `service` or `dst_endpoint` among it.
  const required = ['activity_id', 'metadata', 'severity_id', 'time', 'user', 'service']
  for (const name of required) assert.ok(event[name] !== undefined, name)
  for (const name of ['api', 'resources']) assert.equal(event[name], undefined, `${name} is of another class`)
  assert.equal((event.unmapped as { trustClaims: string }).trustClaims, 'hardware=97 executables=3')
  canonicalJson(event)
})

test('what policies say of evidence and secrets is told in CEF and syslog', () => {
  const { header, extension } = readCef(toCef(evaluation, place))
  assert.equal(header[4], 'evaluation.release')
  assert.equal(extension.get('suser'), 'guest:spiffe://lab/web')
  assert.equal(extension.get('outcome'), 'failure')
  assert.equal(extension.get('cs6'), 'resource@3')
  assert.equal(readCef(toCef(appraisal, place)).extension.get('cs5'), 'hardware=97 executables=3')
  const { parameters } = readSyslog(toSyslog(evaluation, { ...place, ...host }))
  assert.equal(parameters.get('content'), 'resource/default/key/one')
  assert.equal(parameters.get('policyName'), 'resource@3')
  assert.equal(parameters.get('reasons'), 'NOT_AFFIRMING')
})

/** What a reader of CEF makes of a line: seven header fields, and the extension by its unescaped `=`. */
function readCef(line: string): { header: string[]; extension: Map<string, string> } {
  assert.doesNotMatch(line, /[\p{Cc}\u2028\u2029]/u, 'it is one line')
  const parts = line.split(/(?<!\\)(?:\\\\)*\|/)
  const at = [...line.matchAll(/(?<=(?<!\\)(?:\\\\)*)\|/g)][6]!.index
  const text = line.slice(at + 1)
  const extension = new Map<string, string>()
  const keys = [...text.matchAll(/(?:^| )([A-Za-z0-9]+)(?<!\\)=/g)]
  keys.forEach((match, place) => {
    const value = text.slice(match.index + match[0].length, keys[place + 1]?.index)
    const plain = value.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character))
    assert.equal(extension.has(match[1]!), false, `${match[1]} stands there once`)
    extension.set(match[1]!, plain)
  })
  return { header: parts.slice(0, 7), extension }
}

test('CEF: header and extension', () => {
  const line = toCef(decision, place)
  assert.ok(
    line.startsWith('CEF:0|Sealift|sealift|0.1.0|decision.install|install in production denied|6|rt='),
    line,
  )
  const { extension } = readCef(line)
  assert.equal(extension.get('suser'), 'user:ann')
  assert.equal(extension.get('outcome'), 'failure')
  assert.equal(extension.get('reason'), 'SIGNATURE_MISSING')
  assert.equal(extension.get('msg'), 'nobody has signed it')
  assert.equal(extension.get('cs1Label'), 'log')
  assert.equal(extension.get('cs1'), 'far.example/audit')
  assert.equal(extension.get('cs2'), `registry.example/shop/web:1 ${digest}`)
  assert.equal(extension.get('rt'), String(Date.UTC(2026, 10, 21, 6, 0, 0, 123)))
  assert.ok(toCef(access, place).includes('|access.pull|pull allowed|2|'))
  assert.ok(toCef(receipt, place).includes('suser=site:far.example'))
})

/** RFC 5424 section 6, as a grammar: the parameters of the one structured element, and the message. */
function readSyslog(message: string): { header: string; parameters: Map<string, string>; text: string } {
  assert.doesNotMatch(message, /[\p{Cc}\u2028\u2029]/u, 'it is one line')
  const match =
    /^(<\d{1,3}>1 [0-9TZ:.-]+ [\x21-\x7e]{1,255} [\x21-\x7e]{1,48} - [\x21-\x7e]{1,32}) \[sealift@\d+((?: [a-zA-Z0-9]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*)\] \ufeff(.*)$/su.exec(
      message,
    )
  assert.ok(match, message)
  const parameters = new Map<string, string>()
  for (const [, name, value] of match[2]!.matchAll(/ ([a-zA-Z0-9]+)="((?:[^"\\\]]|\\["\\\]])*)"/gu)) {
    assert.equal(parameters.has(name!), false, `${name} stands there once`)
    parameters.set(name!, value!.replace(/\\(["\\\]])/g, '$1'))
  }
  return { header: match[1]!, parameters, text: match[3]! }
}

test('syslog: header, structured data, message and framing', () => {
  const message = toSyslog(decision, { ...place, ...host })
  const { header, parameters, text } = readSyslog(message)
  assert.equal(header, '<108>1 2026-11-21T06:00:00.123Z mirror-1 sealift - decision.install')
  assert.equal(parameters.get('principal'), 'user:ann')
  assert.equal(parameters.get('digest'), digest)
  assert.equal(parameters.get('policy'), digest)
  assert.equal(text, 'install in production denied: nobody has signed it')
  assert.ok(toSyslog(access, { ...place, ...host }).startsWith('<110>1 '))
  const cef = toSyslog(decision, { ...place, ...host, body: toCef(decision, place) })
  assert.equal(readSyslog(cef).text, toCef(decision, place))
  const framed = Buffer.from(frameSyslog(`${message}ü`))
  const length = Number(framed.subarray(0, framed.indexOf(' ')).toString())
  assert.equal(framed.subarray(framed.indexOf(' ') + 1).length, length)
  assert.equal(readSyslog(toSyslog(decision, { ...place, host: '', app: 'a b\n' })).header.split(' ')[2], '-')
})

test('verification summaries: one for each content', () => {
  const options = { verifierId: 'https://far.example/verifier', version: '0.1.0' }
  const other = digestOf(Buffer.from('y'))
  const second = { ...decision.subjects[0]!, digest: other, reference: 'registry.example/shop/db:1' }
  const [no, alsoNo] = toVerificationSummaries(
    { ...decision, subjects: [...decision.subjects, second] },
    options,
  )
  assert.equal(alsoNo!.subject.digest, other)
  assert.deepEqual(no, {
    subject: { digest, name: 'registry.example/shop/web:1' },
    predicateType: 'https://slsa.dev/verification_summary/v1',
    predicate: {
      verifier: { id: 'https://far.example/verifier', version: { sealift: '0.1.0' } },
      timeVerified: '2026-11-21T06:00:00.123Z',
      resourceUri: 'oci://registry.example/shop/web:1',
      policy: { uri: `urn:sealift:policy:${digest}`, digest: { sha256: digest.slice(7) } },
      inputAttestations: [{ uri: `urn:sealift:evidence:${digest}`, digest: { sha256: digest.slice(7) } }],
      verificationResult: 'FAILED',
      verifiedLevels: ['FAILED'],
      slsaVersion: '1.0',
    },
  })
  const [yes] = toVerificationSummaries({ ...decision, allowed: true, reasons: [] }, options)
  assert.equal(yes!.predicate.verificationResult, 'PASSED')
})

/** Texts made of what breaks out of one format or another. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '\n',
        '\r\n',
        '\r',
        '\0',
        '|',
        '\\',
        '=',
        '"',
        ']',
        '[',
        ' ',
        '\u2028',
        '\u202e',
        '\u0085',
        '\ud800',
      ),
      fc.constantFrom(
        'CEF:0|',
        ' act=',
        '\nCEF:0|a|b|1|2|3|9|',
        '\n<13>1 ',
        '\\n',
        '\\',
        '"] [x y="',
        '\x1b[2J',
      ),
      fc.string({ unit: 'grapheme', maxLength: 5 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''))

test('what comes from outside cannot make a second event, nor a second field', () => {
  fc.assert(
    fc.property(hostile, hostile, hostile, hostile, (name, reference, code, message) => {
      const record: DecisionRecord = {
        ...decision,
        principal: { kind: 'user', name, groups: [name] },
        roles: [name],
        subjects: [{ ...decision.subjects[0]!, reference }],
        reasons: [{ code, message }],
      }
      const at = { ...place, log: name, version: code }
      const { header, extension } = readCef(toCef(record, at))
      assert.equal(header.length, 7)
      const keys = ['rt', 'externalId', 'cat', 'act', 'outcome', 'suser', 'spriv', 'reason', 'msg']
      const known = [...keys, ...[1, 2, 3, 4, 5].flatMap((n) => [`cs${n}Label`, `cs${n}`])]
      assert.deepEqual(
        [...extension.keys()].filter((key) => !known.includes(key)),
        [],
      )
      assert.equal(extension.get('act'), 'install')
      const { parameters } = readSyslog(toSyslog(record, { ...at, host: name, app: reference }))
      assert.equal(parameters.get('operation'), 'install')
      assert.equal(parameters.get('outcome'), 'denied')
      const framed = toSyslog(record, { ...at, ...host, body: toCef(record, at) })
      readSyslog(framed)
      const lines = JSON.stringify(toOcsf(record, at)).split(/[\n\r]/)
      assert.equal(lines.length, 1)
      assert.equal(JSON.parse(lines[0]!).activity_name, 'install')
      JSON.stringify(toVerificationSummaries(record, { verifierId: name, version: code }))
    }),
    { numRuns: 500 },
  )
})

test('a plain text arrives in every format as it was', () => {
  const plain = fc.string({
    unit: fc.constantFrom('a', 'ü', '=', '|', '\\', '"', ']', ' ', '語'),
    maxLength: 40,
  })
  fc.assert(
    fc.property(plain, (name) => {
      const record: DecisionRecord = { ...decision, principal: { kind: 'user', name: `x${name}x` } }
      assert.equal(readCef(toCef(record, place)).extension.get('suser'), `user:x${name}x`)
      const { parameters } = readSyslog(toSyslog(record, { ...place, ...host }))
      assert.equal(parameters.get('principal'), `user:x${name}x`)
    }),
  )
})
