import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isFailure } from '#base/index.ts'
import { digestOf, mediaTypes } from '#oci/index.ts'
import { type Proof, proofOf, unreadableProof } from '#trust/index.ts'
import { contentDigest, policyOf, type TestSigner, testSigner } from '../../test/support/signed-content.ts'
import { type OpenAudit, openAudit } from './audit/audit-directory.ts'
import type { DecisionRecord } from './audit/record.ts'
import { replay } from './audit/replay.ts'
import { ContentGate } from './content-gate.ts'
import { manifestHolder } from './holder.ts'
import { KnownReleases } from './releases/known-releases.ts'
import { releasePredicate } from './releases/release.ts'
import { releaseDirectory } from './releases/release-file.ts'
import { prepareRules } from './rules.ts'
import type { Question, Subject } from './types.ts'

const base = mkdtempSync(join(tmpdir(), 'sealift-gate-'))
after(() => rmSync(base, { recursive: true, force: true }))
const { privateKey: logKey } = generateKeyPairSync('ed25519')
const { signal } = new AbortController()
const mediaType = mediaTypes.ociManifest
const digest = contentDigest('web')
let vendor: TestSigner
let stranger: TestSigner
let places = 0

before(async () => {
  vendor = await testSigner()
  stranger = await testSigner()
})

/** A gate that lets in what `vendor` signed, with an audit folder of its own. */
async function gateOf(more: object = {}, key: object = {}) {
  const directory = join(base, String(places++))
  const audit = await openAudit({ directory, origin: 'site/audit', key: logKey })
  const trust = await policyOf({
    keys: { vendor: { pem: vendor.pem, ...key } },
    rules: [{ content: 'registry.example/shop/**', signatures: [{ from: [{ key: 'vendor' }] }] }],
    ...more,
  })
  const clock = { now: new Date('2026-11-21T06:00:00.000Z') }
  const rules = prepareRules({ policy: trust.policy, material: trust })
  const releases = new KnownReleases(releaseDirectory(join(directory, 'releases')))
  const gate = new ContentGate({ rules: () => rules, audit, releases, now: () => clock.now })
  return { gate, audit, clock, releases }
}

const subject = (proofs: readonly Proof[], more: Partial<Subject> = {}): Subject => ({
  digest,
  mediaType,
  reference: 'registry.example/shop/web:1',
  proofs,
  ...more,
})
const question = (...subjects: Subject[]): Question => ({
  action: 'install',
  environment: 'production',
  principal: { kind: 'user', name: 'ann' },
  subjects,
})

async function records(audit: OpenAudit): Promise<DecisionRecord[]> {
  const found: DecisionRecord[] = []
  for await (const { record } of audit.records()) if (record.type === 'decision') found.push(record)
  return found
}

async function replayed(audit: OpenAudit): Promise<string[]> {
  const differences: string[] = []
  for await (const one of replay(audit)) differences.push(...one.differences.map(({ kind }) => kind))
  return differences
}

test('what the policy wants is let in, everything else is not, and all of it is recorded and replays', async () => {
  const { gate, audit } = await gateOf()
  const good = await gate.ask(question(subject([await vendor.prove(digest)])), signal)
  assert.equal(good.allowed, true, JSON.stringify(good.reasons))
  assert.equal(good.entry, 0)
  const cases: [string, Subject][] = [
    ['SIGNATURE_MISSING', subject([])],
    ['SIGNATURE_MISSING', subject([await stranger.prove(digest)])],
    ['SIGNATURE_MISSING', subject([await vendor.prove(contentDigest('other'))])],
    ['CONTENT_NOT_COVERED', subject([await vendor.prove(digest)], { reference: 'registry.example/else:1' })],
  ]
  for (const [code, asked] of cases) {
    const { allowed, reasons } = await gate.ask(question(asked), signal)
    assert.deepEqual([allowed, reasons.map((reason) => reason.code)], [false, [code]])
  }
  const all = await records(audit)
  assert.deepEqual(
    all.map(({ allowed }) => allowed),
    [true, false, false, false, false],
  )
  assert.deepEqual(await replayed(audit), [])
  await audit[Symbol.asyncDispose]()
})

test('one subject that is refused refuses them all', async () => {
  const { gate, audit } = await gateOf()
  const other = contentDigest('other')
  const verdict = await gate.ask(
    question(subject([await vendor.prove(digest)]), subject([], { digest: other })),
    signal,
  )
  assert.equal(verdict.allowed, false)
  await audit[Symbol.asyncDispose]()
})

test('an answer is remembered as long as it holds, and recorded each time', async () => {
  const { gate, audit, clock } = await gateOf({}, { validUntil: '2026-11-21T07:00:00Z' })
  const asked = question(subject([await vendor.prove(digest)]))
  assert.equal((await gate.ask(asked, signal)).remembered, false)
  const again = await gate.ask(asked, signal)
  assert.equal(again.remembered, true)
  assert.equal(again.validUntil?.toISOString(), '2026-11-21T07:00:00.000Z')
  assert.equal(again.entry, 1)
  clock.now = new Date('2026-11-21T06:59:59.999Z')
  assert.equal((await gate.ask(asked, signal)).remembered, true)
  clock.now = new Date('2026-11-21T07:00:00.000Z')
  const late = await gate.ask(asked, signal)
  assert.deepEqual([late.remembered, late.allowed], [false, false])
  clock.now = new Date('2026-11-21T05:00:00.000Z')
  assert.equal(
    (await gate.ask(asked, signal)).remembered,
    false,
    'a clock that was set back remembers nothing',
  )
  assert.deepEqual(await replayed(audit), [])
  await audit[Symbol.asyncDispose]()
})

test('a new proof, name, action or environment is another question', async () => {
  const { gate, audit } = await gateOf()
  const proof = await vendor.prove(digest)
  const asked = question(subject([proof]))
  await gate.ask(asked, signal)
  const others: Question[] = [
    question(subject([proof, await stranger.prove(digest)])),
    { ...asked, action: 'serve' },
    { ...asked, environment: 'trial' },
    question(subject([proof], { reference: 'registry.example/shop/web:2' })),
  ]
  for (const other of others) assert.equal((await gate.ask(other, signal)).remembered, false)
  assert.equal((await gate.ask(asked, signal)).remembered, true)
  await audit[Symbol.asyncDispose]()
})

test('who asks makes another question of it where the policy looks at that, and only there', async () => {
  const signed = { content: 'registry.example/shop/**', signatures: [{ from: [{ key: 'vendor' }] }] }
  const asked = question(subject([await vendor.prove(digest)]))
  const bob: Question = { ...asked, principal: { kind: 'user', name: 'bob' }, context: { namespace: 'x' } }
  const plain = await gateOf()
  await plain.gate.ask(asked, signal)
  assert.equal((await plain.gate.ask(bob, signal)).remembered, true)
  const strict = await gateOf({ rules: [{ ...signed, roles: { install: ['operator'] } }] })
  assert.equal((await strict.gate.ask({ ...asked, roles: ['operator'] }, signal)).allowed, true)
  const denied = await strict.gate.ask(bob, signal)
  assert.deepEqual([denied.remembered, denied.allowed], [false, false])
  for (const { audit } of [plain, strict]) {
    const all = await records(audit)
    assert.deepEqual(
      [all[0]?.principal.name, all[1]?.principal.name],
      ['ann', 'bob'],
      'on record all the same',
    )
    assert.deepEqual(await replayed(audit), [])
    await audit[Symbol.asyncDispose]()
  }
})

test('a predicate that no rule looks into is no part of the question, however large it is', async () => {
  const bom = { bomFormat: 'CycloneDX', specVersion: '1.6', components: ['x'.repeat(20_000_000)] }
  const type = 'https://cyclonedx.org/bom'
  const wanted = { attestations: [{ type, from: [{ key: 'vendor' }] }] }
  const { gate, audit } = await gateOf({ rules: [{ content: '**', ...wanted }] })
  const verdict = await gate.ask(question(subject([await vendor.prove(digest, type, bom)])), signal)
  assert.equal(verdict.allowed, true, JSON.stringify(verdict.reasons))
  const missing = await gate.ask(question(subject([await vendor.prove(digest)])), signal)
  assert.equal(missing.allowed, false)
  assert.deepEqual(await replayed(audit), [])
  await audit[Symbol.asyncDispose]()
})

test('a proof about what holds a content counts for it, and only where it does hold it', async () => {
  const { gate, audit } = await gateOf()
  const child = { mediaType, digest, size: 3 }
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] }),
  )
  const parent = { mediaType: mediaTypes.ociIndex, bytes }
  const proofs = [await vendor.prove(digestOf(bytes))]
  const within = [manifestHolder(digest, parent, proofs)]
  const verdict = await gate.ask(question(subject([], { within })), signal)
  assert.equal(verdict.allowed, true, JSON.stringify(verdict.reasons))
  assert.throws(
    () => manifestHolder(contentDigest('evil'), parent, proofs),
    (error) => isFailure(error, 'NOT_HELD'),
  )
  assert.deepEqual(await replayed(audit), [])
  await audit[Symbol.asyncDispose]()
})

test('a question about nothing, or about another digest than its reference has, is refused', async () => {
  const { gate, audit } = await gateOf()
  const invalid = (error: unknown) => isFailure(error, 'QUESTION_INVALID')
  await assert.rejects(gate.ask(question(), signal), invalid)
  const reference = `registry.example/shop/web@${contentDigest('other')}`
  await assert.rejects(gate.ask(question(subject([], { reference })), signal), invalid)
  await audit[Symbol.asyncDispose]()
})

test('a dry run leaves no trace', async () => {
  const { gate, audit } = await gateOf()
  const verdict = await gate.ask({ ...question(subject([])), dryRun: true }, signal)
  assert.deepEqual([verdict.allowed, verdict.entry], [false, undefined])
  assert.equal((await records(audit)).length, 0)
  await audit[Symbol.asyncDispose]()
})

test('what is too large for one entry is kept beside it, and replays', async () => {
  const { gate, audit } = await gateOf()
  const subjects = await Promise.all(
    Array.from({ length: 400 }, async (_, number) => {
      const one = contentDigest(`image ${number}`)
      return subject([await vendor.prove(one)], { digest: one })
    }),
  )
  assert.equal((await gate.ask(question(...subjects), signal)).allowed, true)
  const [record] = await records(audit)
  assert.ok(record?.question && record.subjects.length < 400)
  assert.deepEqual(await replayed(audit), [])
  await audit[Symbol.asyncDispose]()
})

test('a replay tells what was changed or is missing', async () => {
  const { gate, audit } = await gateOf()
  await gate.ask(question(subject([await vendor.prove(digest)])), signal)
  const [record] = await records(audit)
  assert.ok(record)
  await audit.append({ ...record, allowed: false, decision: await audit.objects.keep(Buffer.from('{}')) })
  await audit.append({ ...record, policy: contentDigest('no such policy') })
  assert.deepEqual(await replayed(audit), ['decision', 'missing'])
  await audit[Symbol.asyncDispose]()
})

test('a release is remembered once it was let in, and an older one after it is a rollback', async () => {
  const { gate, audit, releases } = await gateOf()
  const release = async (text: string, sequence: number) => {
    const one = contentDigest(text)
    const predicate = { product: 'shop', sequence, issuedAt: '2026-11-01T00:00:00Z' }
    return subject([await vendor.prove(one), await vendor.prove(one, releasePredicate, predicate)], {
      digest: one,
    })
  }
  assert.equal((await gate.ask(question(await release('v2', 2)), signal)).allowed, true)
  assert.equal((await releases.all())[0]?.sequence, 2)
  const older = await gate.ask(question(await release('v1', 1)), signal)
  assert.deepEqual([older.allowed, older.reasons.map(({ code }) => code)], [false, ['RELEASE_ROLLED_BACK']])
  const forked = await gate.ask(question(await release('another v2', 2)), signal)
  assert.equal(forked.allowed, false)
  assert.equal((await gate.ask(question(await release('v2', 2)), signal)).allowed, true)
  assert.equal((await gate.ask(question(await release('v3', 3)), signal)).allowed, true)
  assert.equal((await releases.all())[0]?.sequence, 3)
  assert.deepEqual(await replayed(audit), [])
  await audit[Symbol.asyncDispose]()
})

test('a proof that could not be read is refused, and replays', async () => {
  const { gate, audit } = await gateOf()
  const broken = proofOf('bundle', Buffer.from('{'))
  const gone = contentDigest('gone')
  const absent = unreadableProof('bundle', gone, gone, {
    code: 'CONTENT_NOT_FOUND',
    message: 'it is not there',
  })
  const verdict = await gate.ask(question(subject([broken, absent, await vendor.prove(digest)])), signal)
  assert.equal(verdict.allowed, true)
  assert.deepEqual(await replayed(audit), [])
  await audit[Symbol.asyncDispose]()
})
