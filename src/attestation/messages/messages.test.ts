import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AttestationLimits, attestationLimits, isFailure, type Json } from '#base/index.ts'
import {
  challengeFor,
  errorVariants,
  formatAttestationRequest,
  formatAuthRequest,
  formatChallenge,
  formatErrorBody,
  formatTokenResponse,
  newNonce,
  type ProtocolVersion,
  parseAttestationRequest,
  parseAuthRequest,
  parseChallenge,
  parseErrorBody,
  parseTokenResponse,
  protocolOf,
  protocolVersions,
  statusOf,
  teeOf,
  tees,
} from './index.ts'

const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
const code = (name: string) => (error: unknown) => isFailure(error, name)
const limited = (changed: Partial<AttestationLimits>): AttestationLimits => ({
  ...attestationLimits,
  ...changed,
})
const key = { kty: 'EC', crv: 'P-256', alg: 'ECDH-ES+A256KW', x: 'eA', y: 'eQ' }

const composite = (changes: Record<string, unknown> = {}) => ({
  'init-data': null,
  'runtime-data': { nonce: 'bm9uY2U=', 'tee-pubkey': key },
  'tee-evidence': { primary_evidence: { svn: '1' }, additional_evidence: '' },
  ...changes,
})

test('the versions that guests were released with are known, and no others', () => {
  assert.deepEqual(protocolVersions, ['0.1.0', '0.1.1', '0.2.0', '0.4.0'])
  for (const version of ['0.3.0', '0.4.1', '', 'toString', '__proto__']) {
    assert.throws(() => protocolOf(version), code('RCAR_VERSION_UNKNOWN'))
  }
})

test('TEEs by their names, and by those of older guests', () => {
  for (const tee of tees) assert.equal(teeOf(tee), tee)
  assert.equal(teeOf('azsnpvtpm'), 'az-snp-vtpm')
  assert.equal(teeOf('aztdxvtpm'), 'az-tdx-vtpm')
  for (const tee of ['Sample', 'constructor', '', 1, null, ['sample']]) {
    assert.throws(() => teeOf(tee as Json), code('TEE_UNKNOWN'))
  }
})

test('a request for a challenge is what a guest of each version sends', () => {
  const hashes = '{"supported-hash-algorithms":["sha256","sha384","sha512"]}'
  for (const version of protocolVersions) {
    const sent = formatAuthRequest({ version, tee: 'sample' })
    const newest = version === '0.4.0' ? hashes.replace(']', ',"sm3"]') : hashes
    const parameters = version === '0.1.0' ? '""' : newest
    assert.equal(
      Buffer.from(sent).toString(),
      `{"version":"${version}","tee":"sample","extra-params":${parameters}}`,
    )
    const read = parseAuthRequest(sent)
    assert.equal(read.version, version)
    assert.equal(read.tee, 'sample')
  }
})

test('a request for a challenge that is malformed is refused', () => {
  const good = { version: '0.4.0', tee: 'snp', 'extra-params': '' }
  for (const [bad, expected] of [
    ['', 'RCAR_MESSAGE_INVALID'],
    ['[]', 'RCAR_MESSAGE_INVALID'],
    ['null', 'RCAR_MESSAGE_INVALID'],
    ['{"version":"0.4.0","version":"0.1.0","tee":"snp","extra-params":""}', 'RCAR_MESSAGE_INVALID'],
    ['{"version":"0.4.0","tee":"snp","extra-params":"","__proto__":{}}', 'RCAR_MESSAGE_INVALID'],
    [{ ...good, version: 4 }, 'RCAR_MESSAGE_INVALID'],
    [{ ...good, version: undefined }, 'RCAR_MESSAGE_INVALID'],
    [{ ...good, 'extra-params': null }, 'RCAR_MESSAGE_INVALID'],
    [{ ...good, 'extra-params': [] }, 'RCAR_MESSAGE_INVALID'],
    [{ ...good, version: '0.1.0', 'extra-params': {} }, 'RCAR_MESSAGE_INVALID'],
    [{ ...good, version: '9.9.9' }, 'RCAR_VERSION_UNKNOWN'],
    [{ ...good, tee: 'sev' }, 'TEE_UNKNOWN'],
    [{ ...good, tee: undefined }, 'TEE_UNKNOWN'],
  ] as const) {
    assert.throws(() => parseAuthRequest(bytes(bad)), code(expected), JSON.stringify(bad))
  }
})

test('a message stands at the limits of size and depth, and falls one beyond', () => {
  const sent = formatAuthRequest({ version: '0.4.0', tee: 'sample' })
  parseAuthRequest(sent, limited({ bodyBytes: sent.length }))
  assert.throws(
    () => parseAuthRequest(sent, limited({ bodyBytes: sent.length - 1 })),
    code('RCAR_MESSAGE_INVALID'),
  )
  const nested = (depth: number) =>
    bytes(composite({ 'tee-evidence': { primary_evidence: deep(depth - 2), additional_evidence: '' } }))
  parseAttestationRequest(nested(32), '0.4.0')
  assert.throws(() => parseAttestationRequest(nested(33), '0.4.0'), code('RCAR_MESSAGE_INVALID'))
})

const deep = (depth: number): Json => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as Json

test('a challenge', () => {
  const challenge = challengeFor('sample', 'bm9uY2U=')
  assert.equal(Buffer.from(formatChallenge(challenge)).toString(), '{"nonce":"bm9uY2U=","extra-params":""}')
  assert.deepEqual(parseChallenge(formatChallenge(challenge)), challenge)
  assert.deepEqual(challengeFor('se', '{}').extraParams, { 'selected-hash-algorithm': 'sha512' })
  assert.equal(Buffer.from(newNonce(), 'base64').length, 32)
  assert.notEqual(newNonce(), newNonce())
  assert.throws(() => parseChallenge(bytes({ nonce: 1, 'extra-params': '' })), code('RCAR_MESSAGE_INVALID'))
  assert.throws(
    () => parseChallenge(formatChallenge(challenge), limited({ nonceLength: 7 })),
    code('RCAR_MESSAGE_INVALID'),
  )
})

test('an attestation in the form of each version', () => {
  const request = {
    nonce: 'bm9uY2U=',
    teePubkey: key,
    primaryEvidence: { report_data: 'AA==', svn: '1' },
    additionalEvidence: '',
  }
  const jwk = JSON.stringify(key)
  const forms: Record<ProtocolVersion, string> = {
    '0.1.0': `{"tee-pubkey":${jwk},"tee-evidence":"{\\"report_data\\":\\"AA==\\",\\"svn\\":\\"1\\"}"}`,
    '0.1.1': `{"tee-pubkey":${jwk},"tee-evidence":{"report_data":"AA==","svn":"1"}}`,
    '0.2.0': `{"tee-pubkey":${jwk},"tee-evidence":{"report_data":"AA==","svn":"1"}}`,
    '0.4.0': `{"init-data":null,"runtime-data":{"nonce":"bm9uY2U=","tee-pubkey":${jwk}},"tee-evidence":{"primary_evidence":{"report_data":"AA==","svn":"1"},"additional_evidence":""}}`,
  }
  for (const version of protocolVersions) {
    const sent = formatAttestationRequest(request, version)
    assert.equal(Buffer.from(sent).toString(), forms[version])
    const read = parseAttestationRequest(sent, version)
    assert.deepEqual(read.primaryEvidence, request.primaryEvidence)
    assert.deepEqual(read.teePubkey, key)
    assert.equal(read.nonce, version === '0.4.0' ? 'bm9uY2U=' : undefined)
  }
})

test('the form of one version is not taken for that of another', () => {
  const flat = { 'tee-pubkey': key, 'tee-evidence': { svn: '1' } }
  assert.throws(() => parseAttestationRequest(bytes(flat), '0.4.0'), code('RCAR_MESSAGE_INVALID'))
  assert.throws(() => parseAttestationRequest(bytes(flat), '0.1.0'), code('RCAR_MESSAGE_INVALID'))
  assert.throws(() => parseAttestationRequest(bytes(composite()), '0.2.0'), code('RCAR_MESSAGE_INVALID'))
})

test('composite evidence and init-data', () => {
  const initData = { format: 'toml', body: 'version = "0.1.0"' }
  const evidence = {
    primary_evidence: {},
    additional_evidence: '{"nvidia":{"a":1},"sampledevice":{"svn":"1"}}',
  }
  const read = parseAttestationRequest(
    bytes(composite({ 'tee-evidence': evidence, 'init-data': initData })),
    '0.4.0',
  )
  assert.deepEqual(
    [...read.devices],
    [
      ['nvidia', { a: 1 }],
      ['sampledevice', { svn: '1' }],
    ],
  )
  assert.deepEqual(read.initData, initData)
})

test('composite evidence that is malformed is refused', () => {
  const evidence = (additional: unknown) =>
    composite({ 'tee-evidence': { primary_evidence: {}, additional_evidence: additional } })
  for (const [bad, expected] of [
    [evidence(undefined), 'RCAR_MESSAGE_INVALID'],
    [evidence({}), 'RCAR_MESSAGE_INVALID'],
    [evidence('[]'), 'RCAR_MESSAGE_INVALID'],
    [evidence('{"nvidia":1,"nvidia":2}'), 'RCAR_MESSAGE_INVALID'],
    [evidence('{"azsnpvtpm":1,"az-snp-vtpm":2}'), 'RCAR_MESSAGE_INVALID'],
    [evidence(`{"nvidia":${'['.repeat(40)}${']'.repeat(40)}}`), 'RCAR_MESSAGE_INVALID'],
    [evidence('{"elsewhere":1}'), 'TEE_UNKNOWN'],
    [composite({ 'runtime-data': { nonce: 'x', 'tee-pubkey': [] } }), 'RCAR_MESSAGE_INVALID'],
    [composite({ 'runtime-data': { 'tee-pubkey': key } }), 'RCAR_MESSAGE_INVALID'],
    [composite({ 'runtime-data': 'x' }), 'RCAR_MESSAGE_INVALID'],
    [composite({ 'tee-evidence': { additional_evidence: '' } }), 'RCAR_MESSAGE_INVALID'],
    [composite({ 'init-data': 'x' }), 'RCAR_MESSAGE_INVALID'],
    [composite({ 'init-data': { format: 'yaml', body: '' } }), 'RCAR_MESSAGE_INVALID'],
    [composite({ 'init-data': { format: 'toml' } }), 'RCAR_MESSAGE_INVALID'],
  ] as const) {
    assert.throws(() => parseAttestationRequest(bytes(bad), '0.4.0'), code(expected), JSON.stringify(bad))
  }
  const one = bytes(evidence('{"nvidia":1,"sampledevice":2}'))
  parseAttestationRequest(one, '0.4.0', limited({ devices: 2 }))
  assert.throws(
    () => parseAttestationRequest(one, '0.4.0', limited({ devices: 1 })),
    code('RCAR_MESSAGE_INVALID'),
  )
})

test('tokens and refusals', () => {
  assert.equal(Buffer.from(formatTokenResponse('a.b.c')).toString(), '{"token":"a.b.c"}')
  assert.equal(parseTokenResponse(formatTokenResponse('a.b.c')), 'a.b.c')
  assert.throws(() => parseTokenResponse(bytes({})), code('RCAR_MESSAGE_INVALID'))
  assert.equal(
    Buffer.from(formatErrorBody('PolicyDeny', 'Access denied by policy')).toString(),
    '{"type":"https://github.com/confidential-containers/kbs/errors/PolicyDeny","detail":"Access denied by policy"}',
  )
  for (const variant of errorVariants) {
    assert.deepEqual(parseErrorBody(formatErrorBody(variant, 'why')), { type: variant, detail: 'why' })
  }
  assert.equal(parseErrorBody(bytes({ type: 'about:blank', detail: '' })).type, 'about:blank')
})

test('attesting again is asked for only where it can help', () => {
  assert.equal(statusOf('TokenNotFound'), 401)
  assert.equal(statusOf('PolicyDeny'), 403)
  assert.equal(statusOf('PluginNotFound'), 404)
  assert.equal(statusOf('PluginInternalError'), 500)
})

test('no bytes make a parser do anything but answer or refuse', () => {
  const parsers: ((bytes: Uint8Array) => unknown)[] = [
    parseAuthRequest,
    parseChallenge,
    parseTokenResponse,
    parseErrorBody,
    ...protocolVersions.map((version) => (body: Uint8Array) => parseAttestationRequest(body, version)),
  ]
  const names = [
    ...Object.keys(composite()),
    'version',
    'tee',
    'nonce',
    'extra-params',
    'token',
    'type',
    'detail',
  ]
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom('0.4.0', 'sample', ''))
  const message = fc.dictionary(fc.constantFrom(...names, '__proto__'), value, { noNullPrototype: true })
  const input = fc.oneof(fc.uint8Array(), message.map(bytes))
  fc.assert(
    fc.property(input, fc.constantFrom(...parsers), (body, parse) => {
      try {
        parse(body)
      } catch (error) {
        assert.ok(isFailure(error), String(error))
      }
    }),
    { numRuns: 500 },
  )
})

test('what is formatted is read again', () => {
  const evidence = fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue({ maxDepth: 4 }))
  fc.assert(
    fc.property(evidence, fc.constantFrom(...protocolVersions), (said, version) => {
      // -0 is no JSON, and a member "__proto__" is refused.
      const text = JSON.stringify(said)
      if (text.includes('__proto__')) return
      const primaryEvidence = JSON.parse(text) as Json
      const request = { nonce: 'n', teePubkey: key, primaryEvidence, additionalEvidence: '' }
      const read = parseAttestationRequest(formatAttestationRequest(request, version), version)
      assert.deepEqual(read.primaryEvidence, primaryEvidence)
    }),
    { numRuns: 100 },
  )
})
