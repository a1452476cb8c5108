import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure, packageLimits } from '#base/index.ts'
import { digestOf, PackageFolder } from '../../../test/support/package-files.ts'
import type { PackageConfiguration } from '../configuration/types.ts'
import { MemorySecretStore } from '../stores/index.ts'
import { isForeignCode } from './foreign.ts'
import { foreignProblems } from './foreign-problems.ts'
import { isPluginName, loadPackage, openPackages } from './index.ts'
import { readPackage } from './read-package.ts'

const grants = { state: new MemorySecretStore(), identity: () => undefined }
const failsWith =
  (code: string, message = /./) =>
  (error: unknown) => {
    assert.ok(isFailure(error, code), `${error} is no ${code}`)
    assert.match(error.message, message)
    assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)} ${error.cause}`, /planted/)
    return true
  }
const store = (body = '') => `
export default (options, context) => ({
  async read() {}, async list() { return [] }, async compareAndSet() {}, ${body}
})`

async function load(folder: PackageFolder, text: string, more: Partial<PackageConfiguration> = {}) {
  const file = folder.put('package.mjs', text)
  return loadPackage({ ...file, kind: 'store', name: 'given', ...more }, folder.path, grants)
}

describe('a package is the one that the configuration names', () => {
  test('another digest is refused, and nothing of it runs', async () => {
    using folder = new PackageFolder()
    const { path } = folder.put('package.mjs', `globalThis.hasRun = true\n${store()}`)
    const digest = digestOf(store())
    const loading = loadPackage({ path, digest, kind: 'store', name: 'given' }, folder.path, grants)
    await assert.rejects(loading, failsWith('PACKAGE_DIGEST_DIFFERS', new RegExp(digest)))
    assert.equal('hasRun' in globalThis, false)
  })

  test('one that is swapped between the configuration and the start is refused, by a link too', async () => {
    using folder = new PackageFolder()
    const good = folder.put('good.mjs', store())
    folder.put('bad.mjs', `globalThis.hasRun = true\n${store()}`)
    const link = join(folder.path, 'package.mjs')
    symlinkSync('good.mjs', link)
    const configuration = { ...good, path: link, kind: 'store', name: 'given' } as const
    await loadPackage(configuration, folder.path, grants)
    rmSync(link)
    symlinkSync('bad.mjs', link)
    await assert.rejects(loadPackage(configuration, folder.path, grants), failsWith('PACKAGE_DIGEST_DIFFERS'))
    renameSync(join(folder.path, 'bad.mjs'), join(folder.path, 'good.mjs'))
    await assert.rejects(
      loadPackage({ ...configuration, path: 'good.mjs' }, folder.path, grants),
      failsWith('PACKAGE_DIGEST_DIFFERS'),
    )
    assert.equal('hasRun' in globalThis, false)
  })

  test('however often it is swapped meanwhile, only the bytes of the digest are imported', async () => {
    using folder = new PackageFolder()
    const good = `export const which = 'good'\n${store()}`
    const { path, digest } = folder.put('package.mjs', good)
    const whole = join(folder.path, path)
    for (let at = 0; at < 40; at++) {
      const reading = readPackage(whole, digest)
      if (at % 2 === 0) writeFileSync(whole, `export const which = 'evil'\n${store()}`)
      else {
        writeFileSync(join(folder.path, 'next'), `export const which = 'evil'\n${store()}`)
        renameSync(join(folder.path, 'next'), whole)
      }
      const bytes = await reading.catch(failsWith('PACKAGE_DIGEST_DIFFERS'))
      if (bytes instanceof Uint8Array) assert.equal(Buffer.from(bytes).toString(), good)
      writeFileSync(whole, good)
    }
  })

  test('what is no file, is absent or over the limit is refused, and a pipe is not waited for', async () => {
    using folder = new PackageFolder()
    const digest = digestOf('')
    execFileSync('mkfifo', [join(folder.path, 'pipe')])
    for (const [path, why] of [
      ['pipe', /not a file/],
      ['.', /not a file/],
      ['/dev/zero', /not a file/],
      ['absent.mjs', /ENOENT/],
    ] as const) {
      const loading = loadPackage({ path, digest, kind: 'store', name: 'given' }, folder.path, grants)
      await assert.rejects(loading, failsWith('PACKAGE_INVALID', why), path)
    }
    const text = `${store()}\n`
    const limit = { bytes: text.length }
    const { path } = folder.put('package.mjs', text)
    const whole = join(folder.path, path)
    assert.equal((await readPackage(whole, digestOf(text), limit)).length, text.length)
    truncateSync(whole, text.length + 1)
    await assert.rejects(readPackage(whole, digestOf(text), limit), failsWith('PACKAGE_INVALID', /limit/))
    truncateSync(whole, packageLimits.bytes + 1)
    await assert.rejects(readPackage(whole, digestOf(text)), failsWith('PACKAGE_INVALID', /limit/))
    await assert.rejects(readPackage(whole, 'sha256:00'), failsWith('PACKAGE_INVALID', /digest/))
  })
})

describe('a package is one module', () => {
  test('it imports what Node has built in, and nothing else, now or later', async () => {
    using folder = new PackageFolder()
    folder.put('other.mjs', 'export default 1')
    const other = join(folder.path, 'other.mjs')
    await load(folder, `import { createHash } from 'node:crypto'\nimport fs from 'fs'\n${store()}`)
    for (const specifier of [
      './other.mjs',
      other,
      `file://${other}`,
      'fast-check',
      'data:text/javascript,1',
      '#base/index.ts',
    ]) {
      const text = `import other from ${JSON.stringify(specifier)}\n${store()}`
      await assert.rejects(load(folder, text), failsWith('PACKAGE_INVALID', /not in the package/), specifier)
    }
    const later = store(`async read(key) { await import(${JSON.stringify(`file://${other}`)}) }`)
    const loaded = await load(folder, later)
    assert.ok(loaded.kind === 'store')
    await assert.rejects(loaded.store.read('a'), failsWith('SECRET_STORE_FAILED'))
  })

  test('two of the same bytes share nothing', async () => {
    using folder = new PackageFolder()
    const text = `let made = 0\nexport default () => ({ ...(${store().split('export default')[1]})(), async list() { return ['n' + ++made] } })`
    for (let at = 0; at < 2; at++) {
      const loaded = await load(folder, text)
      assert.ok(loaded.kind === 'store')
      assert.deepEqual(await loaded.store.list(''), ['n1'])
    }
  })

  test('what is no module, no factory or makes no store is refused, without what it said', async () => {
    using folder = new PackageFolder()
    for (const [text, why] of [
      ['export default (', /SyntaxError/],
      ['throw new RangeError("early")', /RangeError: early/],
      ['export const other = 1', /not a function/],
      ['export default {}', /not a function/],
      ['export default () => undefined', /no function read/],
      ['export default async () => ({ read() {} })', /no function list/],
      [store('[Symbol.asyncDispose]: 1'), /no function asyncDispose/],
      ['export default ({ password }) => { throw new TypeError(password) }', /TypeError/],
      ['export default ({ password }) => { throw password }', /what is no error/],
      ['export default (_, { failure }) => { throw failure("BROKER_POLICY_DENIED", "x") }', /X_/],
    ] as const) {
      await assert.rejects(
        load(folder, text, { options: { password: 'planted' } }),
        failsWith('PACKAGE_INVALID', why),
        text,
      )
    }
    const own = 'export default (_, { failure }) => { throw failure("X_GONE", "no disk") }'
    await assert.rejects(load(folder, own), failsWith('X_GONE', /^given: no disk$/))
    for (const name of ['', '../x', 'a b'])
      await assert.rejects(load(folder, store(), { name }), failsWith('PACKAGE_INVALID', /no name/))
  })

  test('options are a copy, and the context says name and directory', async () => {
    using folder = new PackageFolder()
    const options = { list: ['one'] }
    const text = `export default (options, { name, directory }) => {
      const key = options.list.pop() + '/' + name + '/' + directory.split('/').pop()
      return { ...(${store().split('export default')[1]})(), async list() { return [key] } }
    }`
    const loaded = await load(folder, text, { options })
    assert.ok(loaded.kind === 'store')
    assert.deepEqual(await loaded.store.list(''), [`one/given/${folder.path.split('/').pop()}`])
    assert.deepEqual(options, { list: ['one'] })
  })

  test('all packages of a configuration are opened, or none, and closed in the end', async () => {
    using folder = new PackageFolder()
    const closing = (name: string) =>
      store(`async [Symbol.asyncDispose]() { (globalThis.closedPackages ??= []).push('${name}') }`)
    const closed = () => (globalThis as { closedPackages?: string[] }).closedPackages ?? []
    const one = { ...folder.put('one.mjs', closing('one')), kind: 'store', name: 'one' } as const
    const two = { ...folder.put('two.mjs', closing('two')), kind: 'store', name: 'two' } as const
    {
      await using opened = await openPackages([one, two], folder.path, grants)
      assert.deepEqual([...opened.stores.keys()], ['one', 'two'])
      assert.equal(opened.plugins.size, 0)
      assert.deepEqual(closed(), [])
    }
    assert.deepEqual(closed().splice(0), ['two', 'one'])
    const wrong = { ...two, digest: one.digest }
    await assert.rejects(openPackages([one, wrong], folder.path, grants), failsWith('PACKAGE_DIGEST_DIFFERS'))
    assert.deepEqual(closed().splice(0), ['one'])
    await assert.rejects(openPackages([one, one], folder.path, grants), failsWith('PACKAGE_INVALID', /two/))
  })
})

test('a plugin has a name of its own', () => {
  for (const name of ['sealed-secrets', 'pkcs11', 'a']) assert.equal(isPluginName(name), true, name)
  const taken = ['auth', 'attest', 'resource', 'nebula-ca', 'pki', 'token-keys', 'metrics', 'query', 'method']
  for (const name of [...taken, '', 'A', '-a', 'a/b', 'a'.repeat(64), '__proto__'])
    assert.equal(isPluginName(name), false, name)
})

test('a table of problems is copied where it is one, whatever it is', () => {
  const good = { X_A: { status: 409, variant: 'PluginInternalError', detail: 'no' } }
  assert.deepEqual(foreignProblems(good), good)
  assert.deepEqual(foreignProblems(undefined), {})
  const bad = [
    null,
    1,
    { BROKER_POLICY_DENIED: good.X_A },
    { X_A: { ...good.X_A, status: 200 } },
    { X_A: { ...good.X_A, variant: 'Other' } },
    { X_A: { ...good.X_A, detail: 'x'.repeat(packageLimits.detailLength + 1) } },
    Object.fromEntries(Array.from({ length: packageLimits.problems + 1 }, (_, at) => [`X_A${at}`, good.X_A])),
  ]
  for (const table of bad) assert.equal(foreignProblems(table), undefined, JSON.stringify(table))
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true }), (given) => {
      const problems = foreignProblems(given)
      assert.ok(problems === undefined || Object.keys(problems).every(isForeignCode))
    }),
  )
})
