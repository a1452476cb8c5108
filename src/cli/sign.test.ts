// sign, attest, attestations and verify-attestation, on a registry, a layout and an archive.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { MemoryRepositories, openArchive } from '#content/index.ts'
import { createRegistryServer, type RegistryServer } from '#registry/index.ts'
import { gatherArchiveProofs, judgeAll, predicateNames, prepareTrust } from '#trust/index.ts'
import { putIndex } from '../../test/support/random-image.ts'
import { runHere } from './cli.suite.ts'
import { outputSchemas } from './output-schemas.suite.ts'

let cwd = ''
let registry = ''
let server: RegistryServer
const env = { SEALIFT_PASSWORD: 'pw' }
const here = (...args: string[]) => runHere(args, { cwd, env })

/** A command that must succeed, with what it prints held against its schema. */
async function json(command: keyof typeof outputSchemas, ...args: string[]) {
  const ran = await here(command, ...args, command === 'pack' ? '--format' : '-o', 'json')
  assert.equal(ran.exitCode, 0, ran.stderr)
  const value: unknown = JSON.parse(ran.stdout)
  const problems = [...Value.Errors(outputSchemas[command] as unknown as TSchema, value)]
  assert.deepEqual(problems.slice(0, 3), [], `${command}: ${JSON.stringify(problems[0])}`)
  // biome-ignore lint/suspicious/noExplicitAny: the schema has just been checked
  return value as any
}
async function refused(exitCode: number, code: string, ...args: string[]) {
  const ran = await here(...args)
  assert.equal(ran.exitCode, exitCode, ran.stderr)
  assert.ok(ran.stderr.includes(`[${code}]`), ran.stderr)
}
const predicateTypes = async (location: string) =>
  (await json('attestations', location)).proofs.map((proof: { predicateType: string }) => proof.predicateType)

const signature = 'https://sigstore.dev/cosign/sign/v1'
const bom = 'https://cyclonedx.org/bom'

before(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'sealift-sign-'))
  const repositories = new MemoryRepositories()
  server = createRegistryServer({ repositories })
  registry = (await server.listen('127.0.0.1:0')).registry
  const store = await repositories.create('shop/web')
  await store.tag(await putIndex(store, 'web'), '1.0')
  for (const name of ['ours', 'other']) {
    assert.equal((await here('key', 'generate', '--out', name)).exitCode, 0)
  }
  writeFileSync(join(cwd, 'bom.json'), '{"bomFormat":"CycloneDX","specVersion":"1.6"}')
})
after(async () => {
  await server.close({ graceMs: 0 })
  rmSync(cwd, { recursive: true })
})

test('a reference: bundles, legacy tags, each manifest of an index, attestations; and who verifies them', async () => {
  const name = `${registry}/shop/web:1.0`
  const signed = await json(
    'sign',
    name,
    '--key',
    'ours.key',
    '--recursive',
    '--legacy',
    '--annotation',
    'a=b',
  )
  assert.ok(signed.signed.length > 1)
  assert.equal(signed.signed[0].reference, name)
  for (const { digest } of signed.signed) {
    assert.deepEqual(await predicateTypes(`${registry}/shop/web@${digest}`), [signature, signature])
  }
  const attested = await json(
    'attest',
    name,
    '--type',
    'cyclonedx',
    '--predicate',
    'bom.json',
    '--key',
    'ours.key',
  )
  assert.equal(attested.predicateType, bom)
  assert.deepEqual((await predicateTypes(name)).sort(), [bom, signature, signature])
  const only = await json('attestations', name, '--type', 'cyclonedx', '--predicate')
  assert.deepEqual(only.proofs[0].predicate, { bomFormat: 'CycloneDX', specVersion: '1.6' })
  const shown = await here('attestations', name, '--type', bom, '--predicate')
  assert.equal(shown.stdout, '{"bomFormat":"CycloneDX","specVersion":"1.6"}\n')
  assert.match((await here('attestations', name)).stderr, /nothing of this was verified/)

  const verify = ['verify-attestation', name, '--type', 'cyclonedx']
  const verified = await json('verify-attestation', ...verify.slice(1), '--key', 'ours.pub')
  assert.equal(verified.attestations.length, 1)
  assert.deepEqual(verified.attestations[0].checks.includes('signature'), true)
  await refused(5, 'KEY_UNTRUSTED', ...verify, '--key', 'other.pub')
  await refused(5, 'SIGNATURE_ABSENT', 'verify-attestation', name, '--type', 'vuln', '--key', 'ours.pub')
  await refused(2, 'USAGE', ...verify)
})

test('an archive: its roots and its index, inside; the whole file, beside it', async () => {
  await json('pack', `${registry}/shop/web:1.0`, '-o', 'app.tgz')
  const before = await json('inspect', 'app.tgz')
  const signed = await json('sign', 'app.tgz', '--key', 'other.key', '--legacy')
  // What was packed along as proofs is not content to be signed.
  assert.equal(signed.signed.length, 1)
  assert.equal(signed.archive.generation, 0)
  assert.equal((await here('verify', 'app.tgz')).exitCode, 0)
  const inside = `archive:app.tgz:${registry}/shop/web:1.0`
  assert.deepEqual((await predicateTypes(inside)).sort(), [bom, ...Array(4).fill(signature)])
  assert.equal((await json('inspect', 'app.tgz')).roots[0].digest, before.roots[0].digest)

  const pem = readFileSync(join(cwd, 'other.pub'), 'utf8')
  const trust = prepareTrust({ keys: [{ name: 'other', pem }], roots: [] })
  const archive = await openArchive(join(cwd, 'app.tgz'))
  const [state] = await gatherArchiveProofs(archive)
  assert.ok(state)
  assert.equal(state.root, signed.archive.root)
  const subject = { digest: state.root, mediaType: 'application/octet-stream' }
  assert.equal(judgeAll(subject, state.proofs, trust, new Date()).signatures.length, 1)
  await archive.close()

  const bytes = readFileSync(join(cwd, 'app.tgz'))
  const whole = await json('sign', 'app.tgz', '--key', 'other.key', '--whole')
  assert.deepEqual(readFileSync(join(cwd, 'app.tgz')), bytes)
  const bundle = JSON.parse(readFileSync(join(cwd, 'app.tgz.sigstore.json'), 'utf8'))
  const statement = JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString())
  assert.deepEqual(statement.subject, [{ name: 'app.tgz', digest: { sha256: whole.whole.digest.slice(7) } }])
})

test('an archive comes back to a registry, and a layout, with all that was signed in it', async () => {
  const inside = `archive:app.tgz:${registry}/shop/web:1.0`
  const expected = (await predicateTypes(inside)).sort()
  for (const place of [`${registry}/back/web:1`, 'oci:./layout:1']) {
    assert.equal((await here('copy', inside, place)).exitCode, 0)
    assert.deepEqual((await predicateTypes(place)).sort(), expected, place)
  }
  await json('sign', 'oci:./layout:1', '--key', 'ours.key', '--legacy')
  assert.equal((await predicateTypes('oci:./layout:1')).length, expected.length + 2)
})

test('by setting the older form is written along', async () => {
  const name = `${registry}/shop/web:1.0`
  const settings = { ...env, SEALIFT_LEGACY_SIGNATURES: 'true' }
  const ran = await runHere(['sign', name, '--key', 'ours.key', '-o', 'json'], { cwd, env: settings })
  assert.ok(JSON.parse(ran.stdout).signed[0].legacy)
})

test('the help of attest names every kind of predicate', async () => {
  const { stdout } = await here('attest', '--help')
  for (const name of predicateNames) assert.ok(name === 'slsaprovenance' || stdout.includes(name), name)
})

test('what does not fit together is refused before anything is signed', async () => {
  const name = `${registry}/shop/web:1.0`
  await refused(2, 'USAGE', 'sign', name)
  await refused(2, 'USAGE', 'sign', name, '--key', 'ours.key', '--fulcio-url', 'https://fulcio.example')
  await refused(2, 'USAGE', 'sign', name, '--fulcio-url', 'https://fulcio.example')
  await refused(2, 'USAGE', 'sign', name, '--key', 'ours.key', '--whole')
  await refused(2, 'USAGE', 'sign', 'app.tgz', '--key', 'ours.key', '--whole', '--legacy')
  await refused(2, 'USAGE', 'sign', name, '--key', 'ours.key', '--annotation', 'a')
  await refused(2, 'USAGE', 'sign', name, '--key', 'ours.key', '--annotation', 'a=1', '--annotation', 'a=2')
  await refused(2, 'USAGE', 'sign', name, '--key', 'ours.key', '--rekor-version', '2')
  await refused(
    2,
    'SIGNING_URL_INVALID',
    'sign',
    name,
    '--key',
    'ours.key',
    '--rekor-url',
    'http://rekor.example',
  )
  const keyless = ['--fulcio-url', 'https://fulcio.example', '--timestamp-url', 'https://tsa.example']
  await refused(2, 'USAGE', 'sign', name, ...keyless)
  writeFileSync(join(cwd, 'token'), 'not a token')
  await refused(4, 'IDENTITY_TOKEN_INVALID', 'sign', name, ...keyless, '--identity-token-file', 'token')
  writeFileSync(join(cwd, 'config.json'), '{}')
  await refused(2, 'SIGNING_CONFIG_INVALID', 'sign', name, '--signing-config', 'config.json')
  const attest = ['attest', name, '--predicate', 'bom.json', '--key', 'ours.key']
  await refused(5, 'PREDICATE_INVALID', ...attest, '--type', 'vuln')
  await refused(5, 'PREDICATE_INVALID', ...attest, '--type', 'nothing')
  writeFileSync(join(cwd, 'schema.json'), '{"required":["more"]}')
  await refused(5, 'PREDICATE_INVALID', ...attest, '--type', 'cyclonedx', '--schema', 'schema.json')
  await refused(2, 'LOCATION_INVALID', 'sign', 'bom.json', '--key', 'ours.key')
})
