// The main job from the outside: build, pack, verify, serve, relocate, install, and what each prints.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { detectDrivers } from '#bundle/index.ts'
import { MemoryRepositories } from '#content/index.ts'
import { mediaTypes } from '#oci/index.ts'
import { createRegistryServer, type RegistryServer } from '#registry/index.ts'
import { put, putIndex, putJson } from '../../test/support/random-image.ts'
import { runHere } from './cli.suite.ts'
import { outputSchemas } from './output-schemas.suite.ts'

let cwd = ''
let registry = ''
let server: RegistryServer
const repositories = new MemoryRepositories()

const here = (...args: string[]) => runHere(args, { cwd })

/** Runs a command that must succeed, with `-o json`, and holds what it prints against its schema. */
async function json(command: keyof typeof outputSchemas, ...args: string[]) {
  const flag = command === 'build' || command === 'pack' ? '--format' : '-o'
  const words = command.split(' ').filter((word) => /^[a-z]/.test(word))
  const ran = await here(...words, ...args, flag, 'json')
  assert.equal(ran.exitCode, 0, ran.stderr)
  const value: unknown = JSON.parse(ran.stdout)
  const problems = [...Value.Errors(outputSchemas[command] as unknown as TSchema, value)]
  assert.deepEqual(problems.slice(0, 3), [], `${command}: ${JSON.stringify(problems[0])}`)
  // biome-ignore lint/suspicious/noExplicitAny: the schema has just been checked
  return value as any
}

before(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'sealift-crossing-'))
  server = createRegistryServer({ repositories })
  registry = (await server.listen('127.0.0.1:0')).registry
  const store = await repositories.create('shop/web')
  const index = await putIndex(store, 'web')
  await store.tag(index, '1.0')
  const sbom = await put(store, Buffer.from('{"sbom":true}'), 'application/vnd.example.sbom')
  const config = await put(store, Buffer.from('{}'), mediaTypes.empty)
  const proof = { artifactType: 'application/vnd.example.sbom', config, layers: [sbom], subject: index }
  await putJson(store, { schemaVersion: 2, mediaType: mediaTypes.ociManifest, ...proof } as never)
  const run =
    '#!/bin/sh\necho "run $CNAB_ACTION"\nprintf "$PORT$KEY" > /cnab/app/outputs/address\nprintf s3cret > /cnab/app/outputs/token\n'
  writeFileSync(
    join(cwd, 'sealift.yaml'),
    `name: shop
version: 1.0.0
registry: ${registry}/built
settings: {concurrency: 4}
invocationImage:
  build:
    layers:
      - executables: [{from: /bin/sh}]
        files: [{content: ${JSON.stringify(run)}, to: /cnab/app/run, mode: 493}]
images:
  web: {image: "${registry}/shop/web:1.0"}
parameters:
  port: {schema: {type: integer, default: 80}, env: PORT}
outputs:
  address: {schema: {type: string}}
  token: {schema: {type: string, writeOnly: true}}
credentials:
  key: {env: KEY, applyTo: [install]}
actions:
  ping: {description: says that it is there, stateless: true}
`,
  )
})

after(async () => {
  await server.close({ graceMs: 0 })
  rmSync(cwd, { recursive: true })
})

describe('from a project to an installation', () => {
  test('build pins every reference', async () => {
    const built = await json('build')
    assert.deepEqual(
      built.pinned.map(({ how }: { how: string }) => how),
      ['built', 'resolved'],
    )
    assert.match(readFileSync(join(cwd, 'bundle.json'), 'utf8'), /^\{"actions":/)
    await json('inspect', 'bundle.json')
  })

  test('pack writes a thick bundle; a second pack writes the same bytes', async () => {
    const packed = await json('pack', 'bundle.json', '-o', 'app.tgz')
    assert.deepEqual(
      packed.roots.map(({ reference }: { reference: string }) => reference.replace(registry, 'R')).sort(),
      ['R/built/shop/installer:1.0.0', 'R/shop/web:1.0', 'localhost/shop:1.0.0'],
    )
    await json('pack', 'bundle.json', '-o', 'again.tgz')
    assert.ok(readFileSync(join(cwd, 'app.tgz')).equals(readFileSync(join(cwd, 'again.tgz'))))
  })

  test('--platform leaves children out, marks them, and changes no digest', async () => {
    const whole = await json('ls', 'app.tgz')
    const packed = await json('pack', 'bundle.json', '-o', 'amd64.tgz', '--platform', 'linux/amd64')
    assert.equal(packed.absent.length, 1)
    const filtered = await json('ls', 'amd64.tgz')
    const digests = (roots: { digest: string }[]) => roots.map(({ digest }) => digest)
    assert.deepEqual(digests(filtered), digests(whole))
    const report = await json('verify', 'amd64.tgz')
    assert.deepEqual(report.absent, packed.absent)
    const moved = await json('relocate', 'amd64.tgz', '--to', `${registry}/sparse`, '-m', 'sparse.json')
    assert.deepEqual(moved.absent, packed.absent)
    const { stdout } = await here('tree', 'amd64.tgz')
    assert.match(stdout, new RegExp(`${packed.absent[0]}.*\\(absent\\)`))
  })

  test('inspect, ls and tree show what is inside', async () => {
    const inspected = await json('inspect', 'app.tgz')
    assert.equal(inspected.bundle.name, 'shop')
    assert.deepEqual(inspected.bundle.actions, ['install', 'upgrade', 'uninstall', 'ping'])
    const all = await json('ls --all', 'app.tgz', '--all')
    assert.ok(all.length > 10)
    const trees = await json('tree', 'app.tgz')
    assert.equal(trees.length, 3)
    for (const command of ['inspect', 'ls', 'tree']) {
      const { stdout, stderr, exitCode } = await here(command, 'app.tgz')
      assert.equal(exitCode, 0, stderr)
      assert.match(stdout, /shop\/web:1\.0/)
    }
  })

  test('a bundle goes to a registry and is packed from there, images and all', async () => {
    const place = `${registry}/published/shop:1.0.0`
    const [{ digest }] = (await json('copy', 'archive:app.tgz:localhost/shop:1.0.0', place)).roots
    assert.equal((await json('inspect', place)).bundle.name, 'shop')
    const packed = await json('pack', place, '-o', 'published.tgz')
    const own = packed.roots.find(({ reference }: { reference: string }) => reference === place)
    assert.equal(own.digest, digest)
    assert.equal(packed.roots.length, 3)
    assert.equal((await json('verify', 'published.tgz')).ok, true)
    const both = await json('pack', place, `${registry}/shop/web:1.0`, '-o', 'both.tgz')
    assert.equal(both.bundles.length, 1)
  })

  test('a flipped bit is found, told, and exits 5', async () => {
    const bytes = readFileSync(join(cwd, 'app.tgz'))
    const middle = bytes.length >> 1
    bytes[middle] = bytes[middle]! ^ 1
    writeFileSync(join(cwd, 'damaged.tgz'), bytes)
    const ran = await here('verify', 'damaged.tgz', '-o', 'json')
    assert.equal(ran.exitCode, 5)
    const report = JSON.parse(ran.stdout)
    assert.deepEqual([...Value.Errors(outputSchemas.verify, report)], [])
    assert.equal(report.ok, false)
    assert.equal(report.problems[0].kind, 'damaged')
    assert.match(ran.stderr, /VERIFICATION_FAILED/)
  })

  test('verify fetches and hashes all of a reference', async () => {
    const report = await json('verify', `${registry}/shop/web:1.0`)
    assert.ok(report.checked.items >= 7)
    assert.ok(report.checked.sizeBytes > 73_000)
  })

  test('relocate says where all goes, then copies it, then writes the mapping', async () => {
    const dry = await json('relocate --dry-run', 'app.tgz', '--to', `${registry}/far`, '--dry-run')
    assert.equal(await repositories.repository('far/shop/web'), undefined)
    const done = await json('relocate', 'app.tgz', '--to', `${registry}/far`)
    assert.deepEqual(done.mapping, dry.mapping)
    const mapping = JSON.parse(readFileSync(join(cwd, 'relocation-mapping.json'), 'utf8'))
    assert.deepEqual(mapping, done.mapping)
    for (const { to } of done.images) assert.ok(to.startsWith(`${registry}/far/`))
    const store = await repositories.repository('far/shop/web')
    assert.equal((await store?.resolve('1.0'))?.digest, done.images[1].digest)
  })

  test('what is installed is remembered, and its secrets are not shown', async () => {
    writeFileSync(join(cwd, 'parameters.yaml'), 'port: 8080\n')
    writeFileSync(join(cwd, 'key'), '-k3y')
    const set = { name: 'set', credentials: [{ name: 'key', source: { path: join(cwd, 'key') } }] }
    writeFileSync(join(cwd, 'credentials.json'), JSON.stringify(set))
    const inputs = ['--param-file', 'parameters.yaml', '--credential-set', 'credentials.json']
    const args = ['shop', 'app.tgz', '-m', 'relocation-mapping.json', ...inputs]
    if (!detectDrivers().some(({ available }) => available)) {
      // Nothing can run here: that is what must be said.
      const ran = await here('install', ...args)
      assert.equal(ran.exitCode, 1)
      assert.match(ran.stderr, /NO_DRIVER/)
      return
    }
    const installed = await json('install', ...args)
    assert.deepEqual(
      installed.outputs.map(({ name, value }: { name: string; value?: string }) => [name, value]),
      [
        ['address', '8080-k3y'],
        ['token', undefined],
      ],
    )
    assert.equal((await json('show', 'shop')).parameters.port, 8080)
    assert.equal((await json('installations')).length, 1)
    assert.match((await here('logs', 'shop')).stdout, /^run install\n$/)
    assert.equal((await json('outputs', 'shop')).length, 2)
    assert.equal((await json('outputs NAME', 'shop', 'address')).value, '8080-k3y')
    const hidden = await here('outputs', 'shop', 'token')
    assert.equal(hidden.exitCode, 2)
    assert.doesNotMatch(hidden.stdout + hidden.stderr, /s3cret/)
    assert.equal((await here('outputs', 'shop', 'token', '--reveal')).stdout, 's3cret')
    const other = await here('install', 'other', 'app.tgz', '--param', 'port=none')
    assert.equal(other.exitCode, 2)
    assert.match(other.stderr, /PARAMETER_INVALID/)
    // The image is at the relocated place now, and the archive is not named again.
    assert.equal((await json('upgrade', 'shop')).outputs[0].value, '8080')
    const ping = await json('invoke', 'shop', 'ping')
    assert.deepEqual(ping.outputs[1], { name: 'token', sizeBytes: 6, secret: true })
    // A stateless action needs no installation, and leaves none.
    await json('invoke', 'nobody', 'ping', 'app.tgz')
    assert.equal((await json('installations')).length, 1)
    assert.equal((await json('uninstall', 'shop')).status, 'succeeded')
    assert.equal((await here('upgrade', 'shop')).exitCode, 3)
  })
})

describe('copy', () => {
  test('goes everywhere, keeps digests and takes proofs along', async () => {
    const from = `${registry}/shop/web:1.0`
    const [{ digest }] = (await json('copy', from, 'oci:layout:web')).roots
    for (const target of ['copy.tar', 'copy.tgz', `${registry}/elsewhere/web:2`]) {
      const done = await json('copy', 'oci:layout:web', target)
      assert.equal(done.roots[0].digest, digest, target)
      assert.equal(done.referrers, 1, target)
    }
    const again = await json('copy', from, `${registry}/elsewhere/web:2`)
    assert.equal(again.copied.items, 0)
    for (const place of ['oci:layout', 'copy.tar', 'copy.tgz']) {
      assert.equal((await json('verify', place)).ok, true, place)
    }
  })

  test('appends to an archive that exists', async () => {
    await json('copy', `${registry}/shop/web:1.0`, 'grown.tgz')
    await json('copy', `${registry}/shop/web:1.0`, 'archive:grown.tgz:localhost/web:again')
    assert.deepEqual(
      (await json('ls', 'grown.tgz')).map(({ reference }: { reference: string }) =>
        reference.replace(registry, 'R'),
      ),
      ['R/shop/web:1.0', 'localhost/web:again'],
    )
    assert.equal((await json('verify', 'grown.tgz')).ok, true)
  })

  test('refuses names that do not fit together', async () => {
    for (const args of [
      ['app.tgz', `${registry}/one:1`],
      ['app.tgz', 'oci:other:name'],
      ['app.tgz', `${registry}/x@sha256:${'a'.repeat(64)}`],
      ['app.tgz', 'docker-archive:new.tar'],
      ['oci:layout', 'oci-archive:copy.tar'],
    ]) {
      const ran = await here('copy', ...args)
      assert.equal(ran.exitCode, 2, ran.stderr)
      assert.match(ran.stderr, /next:/)
    }
  })
})

describe('image build and gc', () => {
  test('the same input gives the same digest', async () => {
    writeFileSync(join(cwd, 'hello.txt'), 'hello')
    const args = ['--file', 'hello.txt:/srv/hello.txt', '--entrypoint', '/srv/run', '--env', 'A=b']
    const first = await json('image build', 'oci:built:a', ...args)
    const second = await json('image build', `${registry}/built/b:1`, ...args)
    assert.equal(first.digest, second.digest)
    assert.equal((await here('image', 'build', 'oci:built:c')).exitCode, 2)
  })

  test('gc reports what it removed', async () => {
    await (await import('#content/index.ts')).openDataDirectory(join(cwd, 'data'))
    const report = await json('registry gc', 'data')
    assert.equal(report.blobs.items, 0)
  })
})
