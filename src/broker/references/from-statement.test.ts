import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { appraise, compileAttestationPolicy } from '#attestation/index.ts'
import { isFailure, type Json } from '#base/index.ts'
import { digestOf } from '#oci/index.ts'
import { formatStatement, sealMessage, sealStatement } from '#trust/index.ts'
import { identity, issuer, keyHolder, sigstoreWorld } from '../../../test/support/sigstore-world.ts'
import { MemorySecretStore } from '../stores/index.ts'
import {
  isStatement,
  openStatementTrust,
  referencesFromStatement,
  referenceValuesType,
  type StatementsConfiguration,
  StoredReferences,
} from './index.ts'
import { statementsProblem } from './statement-rules.ts'

const image = digestOf(Buffer.from('an image of a VM'))
const other = digestOf(Buffer.from('another one'), 'sha384')
const hexOf = (digest: string) => digest.slice(digest.indexOf(':') + 1)
const slsa = 'https://slsa.dev/provenance/v1'
const at = new Date('2026-11-21T12:00:00Z')
const days = (count: number) => new Date(at.getTime() + count * 86_400_000)
const code = (name: string) => (error: unknown) => isFailure(error, name)
const refused = code('REFERENCE_STATEMENT_REFUSED')
const invalid = code('REFERENCE_STATEMENT_INVALID')

const build = keyHolder()
const stranger = keyHolder()
const directory = mkdtempSync(join(tmpdir(), 'sealift-statements-'))
after(() => rmSync(directory, { recursive: true }))
writeFileSync(join(directory, 'build.pub'), build.pem)

const sealed = (predicateType: string, predicate: Json, by = build, subjects = [{ digest: image }]) =>
  sealStatement(formatStatement(subjects, predicateType, predicate), {
    signatory: by.signatory,
    witnesses: [],
  })
const own = async (predicate: Json, by = build) => (await sealed(referenceValuesType, predicate, by)).bundle
const trusting = (rule: Partial<StatementsConfiguration['rules'][number]> = {}) =>
  openStatementTrust(directory, {
    keys: { build: 'build.pub' },
    rules: [{ from: [{ key: 'build' }], ...rule }],
  })

describe('reference values of a signed statement', () => {
  test('are what it says, as long as it says so, and with their origin', async () => {
    const bundle = await own({
      values: { launch_digest: ['ab'], svn: ['1', '2'] },
      expires: days(30).toISOString(),
    })
    const { values, origin } = referencesFromStatement(bundle, await trusting(), at)
    assert.deepEqual(values, [
      { name: 'launch_digest', value: ['ab'], expiration: days(30) },
      { name: 'svn', value: ['1', '2'], expiration: days(30) },
    ])
    assert.equal(origin, `statement ${digestOf(bundle)} by key build`)
    const year = await own({ values: { a: 1 } })
    assert.deepEqual(referencesFromStatement(year, await trusting(), at).values[0]?.expiration, days(365))
    const short = await trusting({ days: 7 })
    assert.deepEqual(referencesFromStatement(bundle, short, at).values[0]?.expiration, days(7))
  })

  test('what was built is what may run, until the values end', async () => {
    const policy = compileAttestationPolicy([
      {
        path: 'policy.rego',
        text: `package policy
import rego.v1
default executables := 33
executables := 3 if input.sample.launch_digest in query_reference_value("launch_digest")
trust_claims := {"executables": executables}
`,
      },
    ])
    const book = new StoredReferences(new MemorySecretStore())
    const executables = async (launch_digest: string, moment: Date) => {
      const tees = [{ tee: 'sample' as const, class: 'cpu' as const, claims: { launch_digest } }]
      const verified = { tees, runtimeData: {}, teeKey: {} as never }
      const named = { id: 'default', policy }
      return appraise(verified, () => named, await book.values(), moment)[0]!.vector.executables
    }
    const importBy = async (by: typeof build) => {
      const bundle = await own({ values: { launch_digest: ['built'] }, expires: days(30).toISOString() }, by)
      const { values, origin } = referencesFromStatement(bundle, await trusting(), at)
      await book.set(values, origin, at)
    }
    assert.equal(await executables('built', at), 33)
    await assert.rejects(importBy(stranger), refused)
    assert.equal(await executables('built', at), 33)
    await importBy(build)
    assert.equal(await executables('built', at), 3)
    assert.equal(await executables('changed', at), 33)
    assert.equal(await executables('built', new Date(days(30).getTime() - 1)), 3)
    assert.equal(await executables('built', days(30)), 33)
    assert.match((await book.read('launch_digest'))!.origin, /^statement sha256:[0-9a-f]{64} by key build$/)
  })

  test('come out of provenance and any other statement by pointers, and out of its subjects', async () => {
    const predicate = {
      buildDefinition: { externalParameters: { svn: 4 } },
      runDetails: { byproducts: [{ digest: { sha384: 'aa' } }] },
    }
    const subjects = [{ digest: image }, { digest: image }]
    const { bundle, envelope } = await sealed(slsa, predicate, build, subjects)
    const trust = await trusting({
      type: slsa,
      values: {
        images: { subjects: 'sha256' },
        svn: '/predicate/buildDefinition/externalParameters/svn',
        launch_digest: ['/predicate/runDetails/byproducts/0/digest/sha384', '/subject/0/digest/sha256'],
      },
      days: 10,
    })
    for (const bytes of [bundle, envelope]) {
      assert.ok(isStatement(bytes))
      assert.deepEqual(referencesFromStatement(bytes, trust, at).values, [
        { name: 'images', value: [hexOf(image), hexOf(image)], expiration: days(10) },
        { name: 'svn', value: 4, expiration: days(10) },
        { name: 'launch_digest', value: ['aa', hexOf(image)], expiration: days(10) },
      ])
    }
    const mixed = (await sealed(slsa, predicate, build, [{ digest: image }, { digest: other }])).bundle
    assert.throws(() => referencesFromStatement(mixed, trust, at), invalid)
    const without = (await sealed(slsa, {})).bundle
    assert.throws(() => referencesFromStatement(without, trust, at), invalid)
  })

  test('only count from whoever the rules name, for what they name', async () => {
    const bundle = await own({ values: { svn: 1 } })
    const provenance = (await sealed(slsa, { svn: 1 })).bundle
    for (const [bytes, trust] of [
      [await own({ values: { svn: 1 } }, stranger), await trusting()],
      [provenance, await trusting()],
      [bundle, await trusting({ type: slsa, values: { svn: '/predicate/svn' } })],
      [bundle, await trusting({ names: ['launch_digest'] })],
      [bundle, await trusting({ from: [{ identity, issuer }] })],
      [await own({ values: { svn: 1 }, expires: at.toISOString() }), await trusting()],
    ] as const)
      assert.throws(() => referencesFromStatement(bytes, trust, at), refused)
    const named = await trusting({ names: ['svn'] })
    assert.equal(referencesFromStatement(bundle, named, at).values.length, 1)
  })

  test('of a keyless signature count by identity and issuer', async () => {
    const world = await sigstoreWorld()
    writeFileSync(join(directory, 'root.json'), JSON.stringify(world.trustedRoot))
    const statement = formatStatement([{ digest: image }], referenceValuesType, { values: { svn: 1 } })
    const { bundle } = await sealStatement(statement, await world.means(2))
    const trust = (from: StatementsConfiguration['rules'][number]['from']) =>
      openStatementTrust(directory, { roots: { world: { file: 'root.json' } }, rules: [{ from }] })
    const now = new Date()
    const { origin } = referencesFromStatement(bundle, await trust([{ identity, issuer }]), now)
    assert.equal(origin, `statement ${digestOf(bundle)} by ${identity} (${issuer})`)
    const elsewhere = await trust([{ identityPattern: 'https://other\\.example/.*', issuer }])
    assert.throws(() => referencesFromStatement(bundle, elsewhere, now), refused)
    const unknown = await trusting({ from: [{ identity, issuer }] })
    assert.throws(() => referencesFromStatement(bundle, unknown, now), refused)
  })

  test('what was changed, or is no such statement, is refused', async () => {
    const trust = await trusting()
    const bundle = await own({ values: { svn: 1 } })
    const changed = JSON.parse(Buffer.from(bundle).toString())
    const payload = Buffer.from(changed.dsseEnvelope.payload, 'base64').toString()
    changed.dsseEnvelope.payload = Buffer.from(payload.replace('"svn":1', '"svn":2')).toString('base64')
    assert.throws(() => referencesFromStatement(Buffer.from(JSON.stringify(changed)), trust, at), refused)
    for (const predicate of [
      {},
      { values: {} },
      { values: [1] },
      { values: { svn: 1 }, more: 1 },
      { values: { svn: 1 }, expires: 'tomorrow' },
      { values: { svn: 1 }, expires: '2027-13-01T00:00:00Z' },
      null,
    ]) {
      const bytes = await own(predicate)
      assert.throws(() => referencesFromStatement(bytes, trust, at), invalid, JSON.stringify(predicate))
    }
    const message = await sealMessage(Buffer.from('x'), { signatory: build.signatory, witnesses: [] })
    assert.equal(isStatement(message), false)
    const subjectless = (await sealed(referenceValuesType, { values: { svn: 1 } }, build, [])).bundle
    assert.throws(() => referencesFromStatement(subjectless, trust, at), invalid)
  })

  test('no bytes make it do anything but answer or refuse', async () => {
    const trust = await trusting()
    const envelope = fc.record({
      payload: fc.base64String(),
      payloadType: fc.string(),
      signatures: fc.jsonValue(),
    })
    const input = fc.oneof(
      fc.uint8Array(),
      fc
        .oneof(
          envelope,
          fc.record({ mediaType: fc.string(), dsseEnvelope: fc.oneof(envelope, fc.jsonValue()) }),
        )
        .map((value) => Buffer.from(JSON.stringify(value))),
    )
    fc.assert(
      fc.property(input, (bytes) => {
        isStatement(bytes)
        try {
          referencesFromStatement(bytes, trust, at)
          assert.fail('nothing of this is signed')
        } catch (error) {
          assert.ok(invalid(error) || refused(error), String(error))
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('the rules for statements', () => {
  const rules = (...list: unknown[]) =>
    ({ keys: { build: 'build.pub' }, rules: list }) as unknown as StatementsConfiguration

  test('what does not go together is told', () => {
    assert.equal(statementsProblem(rules({ from: [{ key: 'build' }] })), undefined)
    for (const [bad, what] of [
      [{ from: [{ key: 'other' }] }, /not among the keys/],
      [{ from: [{ key: 'toString' }] }, /not among the keys/],
      [{ from: [{ identity: 'a', identityPattern: 'b' }] }, /without identity or issuer/],
      [{ from: [{ key: 'build' }], values: { a: '/a' } }, /another type/],
      [{ from: [{ key: 'build' }], type: slsa }, /values/],
      [{ from: [{ key: 'build' }], type: slsa, values: { a: '/a' }, names: ['a'] }, /names/],
    ] as const)
      assert.match(statementsProblem(rules(bad)) ?? '', what)
  })

  test('keys, roots and patterns are read when the broker is opened', async () => {
    writeFileSync(join(directory, 'bad.pub'), 'no key')
    const from = [{ key: 'build' }]
    await assert.rejects(
      openStatementTrust(directory, { keys: { build: 'bad.pub' }, rules: [{ from }] }),
      code('TRUST_MATERIAL_INVALID'),
    )
    await assert.rejects(
      openStatementTrust(directory, { keys: { build: 'none.pub' }, rules: [{ from }] }),
      code('FILE_SYSTEM'),
    )
    await assert.rejects(
      openStatementTrust(directory, {
        roots: { a: { file: 'bad.pub' } },
        rules: [{ from: [{ identity, issuer }] }],
      }),
      code('BROKER_CONFIGURATION_INVALID'),
    )
    await assert.rejects(
      trusting({ from: [{ identityPattern: '(', issuer }] }),
      code('IDENTITY_PATTERN_INVALID'),
    )
    await assert.rejects(trusting({ from: [{ key: 'other' }] }), code('BROKER_CONFIGURATION_INVALID'))
  })
})
