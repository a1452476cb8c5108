import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { isFailure } from '#base/index.ts'
import { newKeyring } from '../stores/keyring.ts'
import { MemorySecretStore } from '../stores/memory-store.ts'
import { parseResourceConfiguration } from './configuration.ts'
import { openStores } from './open-stores.ts'

const failsWith = (code: string) => (error: unknown) => isFailure(error, code)
const invalid = failsWith('RESOURCE_CONFIGURATION_INVALID')
const folder = mkdtempSync(join(tmpdir(), 'sealift-resource-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const whole = `
version: 1
default: main
stores:
  main: { place: { kind: sqlite, path: secrets.db } }
  plain: { place: { kind: files, path: plain }, sealed: false, verbs: { read: [guest, certificate], list: [] } }
  sites:
    place: { kind: given }
    key: sites/{facts.site}/{repository}/{type}/{tag}
    facts: { node: { path: tag, split: '.', at: 0, required: true } }
facts:
  site: { initData: /deployment/site, oneOf: [berlin, 'paris-*'] }
  ip: { query: ip }
routes:
  - { when: { repository: [edge, 'edge-*'], facts: { site: '*' } }, store: sites }
  - { when: { type: public, query: { v: '1' } }, store: plain }
`

test('a whole configuration is read, as YAML and as JSON', () => {
  const configuration = parseResourceConfiguration(whole)
  assert.deepEqual(Object.keys(configuration.stores), ['main', 'plain', 'sites'])
  assert.deepEqual(parseResourceConfiguration(JSON.stringify(configuration)), configuration)
})

test('what is not known, not there or not right is refused, each with its place', () => {
  const wrong: [from: string, to: string, why: RegExp][] = [
    ['version: 1', 'version: 2', /\/version/],
    ['version: 1', 'version: 1\nmore: 1', /\/more/],
    ['default: main', 'default: none', /\/default/],
    ['default: main', 'default: constructor', /\/default/],
    ['sealed: false', 'sealed: maybe', /\/stores\/plain\/sealed/],
    ['sealed: false', 'seal: false', /\/stores\/plain/],
    ['read: [guest, certificate]', 'read: [everybody]', /verbs\/read/],
    ['list: []', 'see: []', /verbs/],
    ['kind: sqlite', 'kind: oracle', /\/stores\/main\/place/],
    ['plain: { place', '../plain: { place', /name of a store/],
    ['{repository}/{type}', '{repository}', /\{type\} once/],
    ['{repository}/{type}', '{repository}/{type}/{type}', /\{type\} once/],
    ['{facts.site}', '{facts.none}', /no fact none/],
    ['sites/{facts', '../{facts', /neither a name/],
    ['sites/{facts', '/sites/{facts', /neither a name/],
    ['{facts.site}', 'x{facts.site}', /neither a name/],
    ["split: '.', at: 0", "split: '.'", /both split and at/],
    ["split: '.'", "split: '..'", /facts\/node/],
    ['node: { path', 'site: { path', /among the \/facts already/],
    ['initData: /deployment/site', 'initData: deployment', /\/facts\/site/],
    ['ip: { query: ip }', 'ip: { header: ip }', /\/facts\/ip/],
    ['ip: { query: ip }', "'i p': { query: ip }", /name of a fact/],
    ['facts: { site: ', 'facts: { sight: ', /\/routes\/0\/when\/facts\/sight/],
    ['store: sites }', 'store: toString }', /\/routes\/0\/store/],
    ["type: public, query: { v: '1' }", 'type: 5', /\/routes\/1\/when\/type/],
    ['default: main', 'default: main\ndefault: main', /not YAML, line/],
    ['default: main', 'default: &a main\nx: *a', /not YAML|JSON/],
    ['default: main', 'default: !!binary aGVsbG8=', /refused/],
  ]
  for (const [from, to, why] of wrong) {
    assert.ok(whole.includes(from), from)
    assert.throws(
      () => parseResourceConfiguration(whole.replace(from, to)),
      (error: Error) => invalid(error) && why.test(error.message),
      to,
    )
  }
  for (const text of ['', 'null', '[]', '1', '{', 'a: [', '\0']) {
    assert.throws(() => parseResourceConfiguration(text), invalid)
  }
})

test('the address of a database has no password in it, and is not told', () => {
  const place = (url: string) => `{ place: { kind: postgres, url: '${url}' } }`
  const main = '{ place: { kind: sqlite, path: secrets.db } }'
  parseResourceConfiguration(whole.replace(main, place('postgres://broker@db.example/secrets')))
  for (const url of [
    'postgres://broker:planted@db.example/secrets',
    'postgres://db.example/secrets?password=planted',
    'mysql://planted@db.example/secrets',
    'planted',
  ]) {
    assert.throws(
      () => parseResourceConfiguration(whole.replace(main, place(url))),
      (error: Error) => invalid(error) && !`${error.message} ${error.stack}`.includes('planted'),
    )
  }
})

test('a configuration at each limit is taken, and one beyond is refused', () => {
  const bytes = Buffer.byteLength(whole)
  const exact = { configurationBytes: bytes, stores: 3, routes: 2, facts: 2 }
  parseResourceConfiguration(whole, exact)
  for (const [name, limit] of Object.entries(exact)) {
    assert.throws(() => parseResourceConfiguration(whole, { ...exact, [name]: limit - 1 }), invalid, name)
  }
})

test('any text is a configuration or refused with the one code', () => {
  const refusedOrRead = (text: string) => {
    try {
      parseResourceConfiguration(text)
    } catch (error) {
      assert.ok(invalid(error))
    }
  }
  fc.assert(fc.property(fc.string({ maxLength: 200 }), refusedOrRead))
  fc.assert(fc.property(fc.json(), refusedOrRead))
  const cut = fc.tuple(fc.nat(whole.length), fc.nat(20), fc.string({ maxLength: 10 }))
  fc.assert(
    fc.property(cut, ([at, length, put]) =>
      refusedOrRead(whole.slice(0, at) + put + whole.slice(at + length)),
    ),
  )
})

test('the stores of a configuration are opened, sealed under their own names', async () => {
  const configuration = parseResourceConfiguration(whole)
  const keyring = newKeyring()
  const given = new Map([['sites', new MemorySecretStore()]])
  const options = { directory: folder, keyring: () => keyring, given }
  {
    await using opened = await openStores(configuration, options)
    for (const name of ['main', 'plain', 'sites']) {
      await opened.stores.get(name)!.compareAndSet('k', undefined, Buffer.from('value'))
      const beneath = (await opened.beneath.get(name)!.read('k'))!.value
      assert.equal(Buffer.from(beneath).equals(Buffer.from('value')), name === 'plain')
    }
  }
  await using again = await openStores(configuration, options)
  assert.equal(Buffer.from((await again.stores.get('main')!.read('k'))!.value).toString(), 'value')
  // A value of one store put into another does not open there.
  const moved = (await again.beneath.get('main')!.read('k'))!.value
  await again.beneath.get('sites')!.compareAndSet('moved', undefined, moved)
  await assert.rejects(again.stores.get('sites')!.read('moved'), failsWith('SECRET_SEAL_BROKEN'))
})

test('stores open all or not at all', async () => {
  const configuration = parseResourceConfiguration(whole)
  const keyring = newKeyring()
  await assert.rejects(openStores(configuration, { directory: folder }), invalid)
  await assert.rejects(openStores(configuration, { directory: folder, keyring: () => keyring }), invalid)
  writeFileSync(join(folder, 'other.db'), 'something else '.repeat(100))
  const foreign = parseResourceConfiguration(whole.replace('secrets.db', 'other.db'))
  const options = { directory: folder, keyring: () => keyring, given: new Map() }
  await assert.rejects(openStores(foreign, options), failsWith('SECRET_STORE_FOREIGN'))
})
