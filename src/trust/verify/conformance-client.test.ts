import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { digestOf } from '#oci/index.ts'
import { identity, issuer, keyHolder, sigstoreWorld } from '../../../test/support/sigstore-world.ts'
import { sealMessage } from '../sign/seal.ts'

// The client that sigstore-conformance calls, as a process.
const client = join(import.meta.dirname, '../../../bin/sigstore-conformance-client')
const vectors = join(import.meta.dirname, '../../../../shared/vectors/sigstore')
const cases = join(vectors, 'conformance/test/assets/bundle-verify')
const skip = existsSync(cases) ? false : 'the shared vectors are not here'
const beacon =
  'https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main'

const folder = mkdtempSync(join(tmpdir(), 'sealift-conformance-'))
after(() => rmSync(folder, { recursive: true }))
const run = promisify(execFile)
const cache = process.env.XDG_CACHE_HOME ?? `${process.env.HOME ?? '/tmp'}/.cache`

/** Undefined for yes, else what the client said. */
async function said(...args: readonly string[]): Promise<string | undefined> {
  const env = { PATH: process.env.PATH, HOME: folder, XDG_CACHE_HOME: cache }
  return run(client, args, { env }).then(
    () => undefined,
    (error: { code?: unknown; stderr?: string }) => {
      assert.equal(error.code, 1, String(error))
      return error.stderr
    },
  )
}

test('the client says yes and no, of files and of digests', async () => {
  const world = await sigstoreWorld()
  const bytes = Buffer.from('content')
  const { signatory, pem } = keyHolder()
  const write = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  const root = write('root.json', JSON.stringify(world.trustedRoot))
  const [a, b] = [write('a', bytes), write('b', 'other')]
  const statement = write('statement.json', await world.statement(digestOf(bytes), 2))
  const message = write('message.json', await world.message(bytes, 1))
  const byKey = write('key.json', await sealMessage(bytes, { signatory, witnesses: [] }))
  const key = write('key.pub', pem)
  const by = ['--certificate-identity', identity, '--certificate-oidc-issuer', issuer, '--trusted-root', root]
  const verify = (bundle: string, ...more: string[]) => said('verify-bundle', '--bundle', bundle, ...more)
  const digest = digestOf(bytes)
  for (const bundle of [statement, message]) {
    for (const subject of [a, digest]) assert.equal(await verify(bundle, ...by, subject), undefined)
    for (const subject of [b, digestOf(Buffer.from('other'))]) {
      assert.match((await verify(bundle, ...by, subject)) ?? '', /SUBJECT_MISMATCH|LOG_PROOF_INVALID/)
    }
  }
  for (const subject of [a, digest]) assert.equal(await verify(byKey, '--key', key, subject), undefined)
  assert.match((await verify(byKey, '--key', key, b)) ?? '', /SIGNATURE_INVALID|SUBJECT_MISMATCH/)
  assert.match((await verify(byKey, ...by, a)) ?? '', /KEY_UNTRUSTED/)
  assert.match((await verify(message, '--key', key, '--trusted-root', root, a)) ?? '', /a key was asked for/)
  const other = by.map((one) => (one === identity ? `${identity}x` : one))
  assert.match((await verify(message, ...other, a)) ?? '', /IDENTITY_MISMATCH/)
  assert.match((await said('verify-bundle')) ?? '', /FILE_OR_DIGEST/)
})

test('the client answers every case of sigstore-conformance as it should', { skip }, async () => {
  const entries = readdirSync(cases, { withFileTypes: true })
  const names = entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  assert.ok(names.length > 40, 'the cases are there')
  const wrong: string[] = []
  const waiting = [...names]
  const ask = async () => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      const answer = await said(...argumentsOf(join(cases, name)))
      if ((answer === undefined) === name.endsWith('_fail'))
        wrong.push(`${name}: ${answer ?? 'was accepted'}`)
    }
  }
  await Promise.all([ask(), ask(), ask()])
  assert.deepEqual(wrong, [])
})

function argumentsOf(directory: string): string[] {
  const at = (name: string) => join(directory, name)
  const textAt = (name: string) => (existsSync(at(name)) ? readFileSync(at(name), 'utf8').trim() : undefined)
  const root = existsSync(at('trusted_root.json'))
    ? at('trusted_root.json')
    : join(vectors, 'sigstore-tuf-seeds/trusted_root.public-good.json')
  const signer = existsSync(at('key.pub'))
    ? ['--key', at('key.pub')]
    : [
        '--certificate-identity',
        textAt('identity') ?? beacon,
        '--certificate-oidc-issuer',
        textAt('issuer') ?? 'https://token.actions.githubusercontent.com',
      ]
  const artifact = existsSync(at('artifact')) ? at('artifact') : join(cases, 'a.txt')
  return [
    'verify-bundle',
    '--bundle',
    at('bundle.sigstore.json'),
    ...signer,
    '--trusted-root',
    root,
    artifact,
  ]
}
