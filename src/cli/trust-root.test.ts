import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { LayoutTarget } from '#content/index.ts'
import { mediaTypes } from '#oci/index.ts'
import { ProofCargo } from '#trust/index.ts'
import { identity, issuer, sigstoreWorld } from '../../test/support/sigstore-world.ts'
import { tufRepository } from '../../test/support/tuf-repository.ts'
import { runHere } from './cli.suite.ts'
import { outputSchemas } from './output-schemas.suite.ts'

let cwd = ''
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'sealift-root-'))
})
afterEach(() => rmSync(cwd, { recursive: true }))

const env = { SEALIFT_PASSWORD: 'a secret' }
const run = (...args: string[]) => runHere(args, { cwd, env })

type Command = 'trust-root import' | 'trust-root show' | 'trust-root update' | 'trust-root pack'

async function json(command: Command, ...args: string[]) {
  const format = command === 'trust-root pack' ? ['--format', 'json'] : ['-o', 'json']
  const ran = await run(...command.split(' '), ...args, ...format)
  assert.equal(ran.exitCode, 0, ran.stderr)
  const value = JSON.parse(ran.stdout)
  assert.deepEqual([...Value.Errors(outputSchemas[command] as unknown as TSchema, value)], [])
  return value
}

async function refused(code: string, exitCode: number, ...args: string[]) {
  const ran = await run(...args)
  assert.match(ran.stderr, new RegExp(`\\b${code}\\b`))
  assert.equal(ran.exitCode, exitCode, ran.stderr)
}

/** A trusted root with one log. */
function rootText(): string {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const rawBytes = (publicKey.export({ format: 'der', type: 'spki' }) as Buffer).toString('base64')
  const validFor = { start: '2026-01-01T00:00:00Z' }
  return JSON.stringify({
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [{ baseUrl: 'https://log.example', publicKey: { rawBytes, validFor } }],
  })
}

const write = (name: string, text = rootText()) => writeFileSync(join(cwd, name), text)
const generate = (name: string) => run('key', 'generate', '--out', name)

test('a file is imported, shown with its age, and refused where it is too old or none', async () => {
  write('root.json')
  const imported = await json('trust-root import', 'root.json', '--issuer', 'https://accounts.example')
  assert.deepEqual(
    [imported.name, imported.origin, imported.issuers],
    ['default', 'file', ['https://accounts.example']],
  )
  const { roots } = await json('trust-root show', '--max-age', '1d')
  assert.equal(roots.length, 1)
  assert.equal(roots[0].logs[0].validFrom, '2026-01-01T00:00:00.000Z')
  assert.match((await run('trust-root', 'show')).stdout, /vouches for https:\/\/accounts\.example/)
  const path = join(cwd, 'state/trust/default.json')
  const record = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...record, fetchedAt: '2026-01-01T00:00:00Z' }))
  await refused('TRUST_ROOT_STALE', 5, 'trust-root', 'show', '--max-age', '30d')
  await refused('TRUST_ROOT_NOT_FOUND', 3, 'trust-root', 'show', 'other')
  await refused('TRUST_ROOT_NAME_INVALID', 2, 'trust-root', 'import', 'root.json', '--name', '../up')
  write('bad.json', '{"mediaType":"other"}')
  await refused('TRUST_ROOT_INVALID', 2, 'trust-root', 'import', 'bad.json', '--name', 'bad')
  writeFileSync(path, '{}')
  await refused('TRUST_STORE_DAMAGED', 1, 'trust-root', 'show')
})

for (const place of ['update.tgz', 'oci:update']) {
  test(`an update is carried over in ${place}; only who may signs it, and it never goes back`, async () => {
    await generate('sender')
    await generate('stranger')
    write('root.json')
    const pack = async (to: string, version: number, key = 'sender.key') =>
      json(
        'trust-root pack',
        'root.json',
        '-o',
        to,
        '--key',
        key,
        '--version',
        `${version}`,
        '--name',
        'vendor',
      )
    const packed = await pack(place, 2)
    await refused('KEY_UNTRUSTED', 5, 'trust-root', 'import', place)
    await refused('KEY_UNTRUSTED', 5, 'trust-root', 'import', place, '--key', 'stranger.pub')
    const imported = await json(
      'trust-root import',
      place,
      '--key',
      'sender.pub',
      '--issuer',
      'https://a.example',
    )
    assert.deepEqual([imported.name, imported.origin, imported.version], ['vendor', 'carried', 2])
    assert.equal(imported.updateKeys[0].id, packed.keyId)
    // The key is remembered, and so is what the root may vouch for.
    const again = await json('trust-root import', place)
    assert.deepEqual(again.issuers, ['https://a.example'])
    await pack('older.tgz', 1)
    await refused('TRUST_ROOT_ROLLED_BACK', 5, 'trust-root', 'import', 'older.tgz')
    write('root.json')
    await pack('same.tgz', 2)
    await refused('TRUST_ROOT_ROLLED_BACK', 5, 'trust-root', 'import', 'same.tgz')
    await pack('strange.tgz', 3, 'stranger.key')
    await refused('KEY_UNTRUSTED', 5, 'trust-root', 'import', 'strange.tgz')
    await refused('TRUST_ROOT_EXISTS', 2, 'trust-root', 'import', 'root.json', '--name', 'vendor')
    await pack('newer.tgz', 3)
    assert.equal((await json('trust-root import', 'newer.tgz')).version, 3)
    await refused('USAGE', 2, 'trust-root', 'import', 'newer.tgz', '--name', 'other')
    // A key that is new to a root reaches it only where the root is named.
    await pack('by-other.tgz', 4, 'stranger.key')
    const byOther = ['by-other.tgz', '--key', 'stranger.pub']
    await refused('TRUST_ROOT_EXISTS', 2, 'trust-root', 'import', ...byOther)
    assert.equal((await json('trust-root import', ...byOther, '--name', 'vendor')).updateKeys.length, 2)
  })
}

test('a root is kept up to date by TUF, and each update goes on from the last', async () => {
  await using repository = await tufRepository()
  repository.put({ version: 1, target: Buffer.from(rootText()) })
  write('tuf-root.json', repository.root)
  await refused('USAGE', 2, 'trust-root', 'update')
  const first = await json('trust-root update', '--mirror', repository.url, '--root', 'tuf-root.json')
  assert.deepEqual([first.origin, first.version, first.mirror], ['tuf', 1, repository.url])
  repository.put({ version: 3, target: Buffer.from(rootText()) })
  assert.equal((await json('trust-root update')).version, 3)
  repository.put({ version: 2, target: Buffer.from(rootText()) })
  await refused('TRUST_ROOT_ROLLED_BACK', 5, 'trust-root', 'update')
  assert.equal((await json('trust-root show')).roots[0].version, 3)
})

test('a root that was imported is what verify finds a keyless signer by', async () => {
  const world = await sigstoreWorld()
  await generate('sender')
  write('root.json', JSON.stringify(world.trustedRoot))
  // Any content will do, and an update of trust is one.
  const pack = ['root.json', '-o', 'oci:content', '--key', 'sender.key', '--version', '1']
  const { digest } = await json('trust-root pack', ...pack)
  const size = readFileSync(join(cwd, 'content/blobs/sha256', digest.slice(7))).length
  const target = new LayoutTarget(join(cwd, 'content'), { repository: 'localhost/trust-root/default' })
  const facts = { predicateType: 'https://sigstore.dev/cosign/sign/v1', created: new Date() }
  const subject = { mediaType: mediaTypes.ociManifest, digest, size }
  const cargo = new ProofCargo()
  await cargo.addBundle(subject, await world.statement(digest, 2), facts)
  await cargo.writeTo(target)
  const verify = ['verify', 'oci:content', '--proofs-only', '--identity', identity, '--issuer', issuer]
  // The sender's own signature is there too, by a key that nobody named.
  const refusal = async (why: RegExp) => {
    const ran = await run(...verify)
    assert.equal(ran.exitCode, 5)
    assert.match(ran.stderr, why)
  }
  await refusal(/no trusted root is known that could vouch/)
  await json('trust-root import', 'root.json', '--issuer', 'https://other.example')
  await refusal(/may not vouch for identities of https:\/\/accounts\.vendor/)
  await json('trust-root import', 'root.json', '--issuer', issuer)
  const verified = await run(...verify)
  assert.equal(verified.exitCode, 0, verified.stderr)
  assert.match(verified.stdout, /signed .* by https:\/\/ci\.vendor\.example/)
})
