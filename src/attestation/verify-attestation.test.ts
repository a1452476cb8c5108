import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { isFailure, type Json } from '#base/index.ts'
import { evidenceVerifiers, generateTeeKey, verifyAttestation } from './index.ts'
import { type AttestationRequest, protocolVersions } from './messages/index.ts'
import { deviceReportData, primaryReportData } from './report-data.ts'
import { sampleEvidence } from './sample/verify.ts'
import type { Tee } from './types.ts'

const code = (name: string) => (error: unknown) => isFailure(error, name)
const at = new Date('2026-11-21T12:00:00Z')
const nonce = 'bm9uY2U='
const { jwk: teePubkey } = await generateTeeKey('P-256')
const verifiers = evidenceVerifiers(['sample', 'sampledevice'])
const context = { version: '0.4.0', tee: 'sample', nonce } as const
const data = (additionalEvidence = '') => ({ nonce, teePubkey, additionalEvidence })

const request = (changes: Partial<AttestationRequest> = {}): AttestationRequest => ({
  nonce,
  teePubkey,
  primaryEvidence: { ...sampleEvidence(primaryReportData('0.4.0', 'sample', data())) },
  additionalEvidence: '',
  devices: new Map(),
  ...changes,
})
const verify = (changes: Partial<AttestationRequest> = {}, other: object = {}) =>
  verifyAttestation(request(changes), { ...context, ...other }, verifiers, new Map(), at)

test('evidence of the sample TEE says what that of Trustee says', async () => {
  const { tees, runtimeData } = await verify()
  assert.equal(tees.length, 1)
  const { tee, class: teeClass, claims } = tees[0]!
  assert.deepEqual([tee, teeClass], ['sample', 'cpu'])
  const { report_data, ...rest } = claims
  assert.deepEqual(rest, {
    svn: '1',
    launch_digest: 'abcde',
    platform_version: { major: 1, minor: 4 },
    debug: false,
  })
  assert.equal(typeof report_data, 'string')
  assert.deepEqual(runtimeData, { 'additional-evidence': '', nonce, 'tee-pubkey': teePubkey })
})

test('each version binds evidence in its own way', async () => {
  const { jwk: rsa } = await generateTeeKey('RSA1_5')
  for (const version of protocolVersions) {
    const isOld = version.startsWith('0.1.')
    const key = isOld ? rsa : teePubkey
    const primaryEvidence = {
      ...sampleEvidence(primaryReportData(version, 'sample', { ...data(), teePubkey: key })),
    }
    const { runtimeData } = await verify({ primaryEvidence, teePubkey: key }, { version, allowRsa15: isOld })
    assert.equal('additional-evidence' in runtimeData, version === '0.4.0')
  }
  const old = { ...sampleEvidence(primaryReportData('0.2.0', 'sample', data())) }
  await assert.rejects(verify({ primaryEvidence: old }), code('EVIDENCE_MISBOUND'))
})

test('evidence for another nonce or another key is refused', async () => {
  await assert.rejects(verify({}, { nonce: 'b3RoZXI=' }), code('EVIDENCE_MISBOUND'))
  const replayed = { nonce: 'b3RoZXI=' }
  await assert.rejects(verify(replayed, replayed), code('EVIDENCE_MISBOUND'))
  const other = await generateTeeKey('P-256')
  await assert.rejects(verify({ teePubkey: other.jwk }), code('EVIDENCE_MISBOUND'))
  const { nonce: _, ...flat } = request()
  await assert.rejects(
    verifyAttestation(flat, { ...context, nonce: 'b3RoZXI=' }, verifiers, new Map(), at),
    code('EVIDENCE_MISBOUND'),
  )
})

test('primary evidence is bound to that of the devices', async () => {
  const device: Json = { ...sampleEvidence(deviceReportData('sample', data()), '7') }
  const additionalEvidence = JSON.stringify({ sampledevice: device })
  const devices = new Map<Tee, Json>([['sampledevice', device]])
  const primaryEvidence = {
    ...sampleEvidence(primaryReportData('0.4.0', 'sample', data(additionalEvidence))),
  }
  const { tees } = await verify({ additionalEvidence, devices, primaryEvidence })
  assert.deepEqual(
    tees.map(({ tee, class: teeClass }) => [tee, teeClass]),
    [
      ['sample', 'cpu'],
      ['sampledevice', 'gpu'],
    ],
  )
  assert.equal(tees[1]!.claims.svn, '7')
  await assert.rejects(verify({ additionalEvidence, devices }), code('EVIDENCE_MISBOUND'))
  const forged = new Map<Tee, Json>([['sampledevice', { ...sampleEvidence(Buffer.alloc(48)) }]])
  await assert.rejects(
    verify({ additionalEvidence, devices: forged, primaryEvidence }),
    code('EVIDENCE_MISBOUND'),
  )
})

test('a key that cannot be used is refused before any evidence is looked at', async () => {
  const { jwk } = await generateTeeKey('RSA1_5')
  await assert.rejects(verify({ teePubkey: jwk }), code('TEE_KEY_REFUSED'))
  await assert.rejects(verify({ teePubkey: { ...teePubkey, y: teePubkey.x! } }), code('TEE_KEY_INVALID'))
})

test('what is not switched on is not verified', async () => {
  const none = evidenceVerifiers([])
  await assert.rejects(verifyAttestation(request(), context, none, new Map(), at), code('TEE_UNKNOWN'))
  const devices = new Map<Tee, Json>([['nvidia', {}]])
  await assert.rejects(verify({ devices }), code('TEE_UNKNOWN'))
  assert.throws(() => evidenceVerifiers(['snp']), code('TEE_UNKNOWN'))
})

test('malformed evidence of the sample TEE is refused', async () => {
  const good = request().primaryEvidence as Record<string, Json>
  for (const bad of [
    null,
    'x',
    [],
    {},
    { ...good, svn: 1 },
    { ...good, svn: '1'.repeat(65) },
    { ...good, report_data: 5 },
    { ...good, report_data: `${String(good.report_data)}=` },
    { ...good, report_data: 'not base64' },
  ] as Json[]) {
    await assert.rejects(verify({ primaryEvidence: bad }), code('EVIDENCE_INVALID'), JSON.stringify(bad))
  }
  for (const bad of [{ svn: '1' }, { svn: '1', report_data: '' }, { svn: '1', report_data: 'AAAA' }]) {
    await assert.rejects(verify({ primaryEvidence: bad }), code('EVIDENCE_MISBOUND'), JSON.stringify(bad))
  }
})

test('the digest of init-data is told, and what it says', async () => {
  const body = 'version = "0.1.0"\nalgorithm = "sha256"\n[data]\n"a" = "b"\n'
  const { tees, initDataClaims } = await verify({ initData: { format: 'toml', body } })
  assert.equal(tees[0]!.claims.init_data, createHash('sha256').update(body).digest('base64'))
  assert.deepEqual(initDataClaims, { a: 'b' })
  await assert.rejects(verify({ initData: { format: 'toml', body: 'x' } }), code('INIT_DATA_INVALID'))
})
