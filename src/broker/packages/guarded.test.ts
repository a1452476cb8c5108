// What a store or plugin of somebody else's answers is believed only where it can be.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure, packageLimits, SealiftError, secretLimits } from '#base/index.ts'
import type { PluginRequest, SecretStore, Stored } from '../types.ts'
import { GuardedPlugin } from './guarded-plugin.ts'
import { GuardedStore } from './guarded-store.ts'
import type { PackagePlugin } from './types.ts'

const failsWith = (code: string) => (error: unknown) => {
  assert.ok(isFailure(error, code), `${error} is no ${code}`)
  assert.doesNotMatch(`${error.stack} ${JSON.stringify(error)} ${error.cause}`, /planted/)
  return true
}
const bytes = (text: string) => new TextEncoder().encode(text)
const answering = (answer: unknown) => async () => answer as never
const storeOf = (members: Partial<SecretStore>) =>
  new GuardedStore('given', {
    read: answering(undefined),
    list: answering([]),
    compareAndSet: answering(undefined),
    ...members,
  })

describe('a store of somebody else’s', () => {
  test('what it reads is a value with a revision, or nothing', async () => {
    const value = bytes('x')
    const read = await storeOf({ read: answering({ value, revision: '1', more: 1 }) }).read('a')
    assert.deepEqual(read, { value, revision: '1' })
    assert.notEqual(read!.value.buffer, value.buffer)
    const largest = { value: new Uint8Array(secretLimits.storedBytes), revision: 'r'.repeat(256) }
    assert.ok(await storeOf({ read: answering(largest) }).read('a'))
    for (const answer of [
      null,
      1,
      'planted',
      {},
      { value: 'planted', revision: '1' },
      { value },
      { value, revision: '' },
      { value, revision: 'r'.repeat(257) },
      { value: new Uint8Array(secretLimits.storedBytes + 1), revision: '1' },
    ])
      await assert.rejects(storeOf({ read: answering(answer) }).read('a'), failsWith('SECRET_STORE_FAILED'))
  })

  test('what it lists are keys of the page that was asked for, in order', async () => {
    const list = (answer: unknown, page = {}) => storeOf({ list: answering(answer) }).list('a', page)
    assert.deepEqual(await list(['a', 'a/b', 'ab']), ['a', 'a/b', 'ab'])
    const wrong = [undefined, {}, ['b'], ['ab', 'a'], ['a', 'a'], ['a', 1], ['a//b'], ['a/../b']]
    for (const answer of wrong) await assert.rejects(list(answer), failsWith('SECRET_STORE_FAILED'))
    await assert.rejects(list(['a', 'ab'], { limit: 1 }), failsWith('SECRET_STORE_FAILED'))
    await assert.rejects(list(['a'], { after: 'a' }), failsWith('SECRET_STORE_FAILED'))
    assert.deepEqual(await storeOf({ list: answering(1) }).list('%'), [])
  })

  test('it is not asked what no store takes, and gets bytes of its own', async () => {
    let given: Uint8Array | null | undefined
    const store = storeOf({
      compareAndSet: async (_key, _expected, value) => {
        given = value
        return 'r'
      },
    })
    await assert.rejects(store.read('../a'), failsWith('SECRET_KEY_INVALID'))
    await assert.rejects(store.compareAndSet('a//b', undefined, bytes('x')), failsWith('SECRET_KEY_INVALID'))
    const large = new Uint8Array(secretLimits.storedBytes + 1)
    await assert.rejects(store.compareAndSet('a', undefined, large), failsWith('SECRET_VALUE_TOO_LARGE'))
    await assert.rejects(store.read('a', AbortSignal.abort()), { name: 'AbortError' })
    assert.equal(given, undefined)
    const value = bytes('secret')
    assert.equal(await store.compareAndSet('a', undefined, value), 'r')
    value.fill(0)
    assert.deepEqual(given, bytes('secret'))
    for (const answer of ['', 1, null, 'r'.repeat(257)]) {
      const odd = storeOf({ compareAndSet: answering(answer) })
      await assert.rejects(odd.compareAndSet('a', undefined, value), failsWith('SECRET_STORE_FAILED'))
    }
  })

  test('of its errors nothing but the kind is told, unless it made them to be told', async () => {
    const reading = (error: unknown, signal?: AbortSignal) =>
      storeOf({ read: () => Promise.reject(error) }).read('a', signal)
    for (const error of [
      new Error('planted'),
      Object.assign(new Error('x'), { name: 'planted planted' }),
      Object.assign(new Error('x'), { code: 'planted planted' }),
      'planted',
      undefined,
    ])
      await assert.rejects(reading(error), failsWith('SECRET_STORE_FAILED'))
    await assert.rejects(
      reading(Object.assign(new Error('planted'), { code: 'ECONNREFUSED' })),
      /ECONNREFUSED/,
    )
    await assert.rejects(reading(new SealiftError('X_GONE', 'gone')), failsWith('X_GONE'))
    const throwing = () => {
      throw new Error('planted')
    }
    await assert.rejects(storeOf({ read: throwing }).read('a'), failsWith('SECRET_STORE_FAILED'))
    const closing = new GuardedStore('given', Object.assign(storeOf({}), { [Symbol.asyncDispose]: throwing }))
    await assert.rejects(closing[Symbol.asyncDispose](), failsWith('SECRET_STORE_FAILED'))
    const controller = new AbortController()
    const waiting = storeOf({
      read: (_key, signal) =>
        new Promise<Stored | undefined>((_, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason))
        }),
    }).read('a', controller.signal)
    controller.abort(new DOMException('time is up', 'TimeoutError'))
    await assert.rejects(waiting, { name: 'TimeoutError' })
  })
})

const good = { mediaType: 'text/plain', body: bytes('x'), noStore: true }
const pluginOf = (members: { readonly [Name in keyof PackagePlugin]?: unknown }) =>
  new GuardedPlugin(
    'given',
    { access: () => 'attested', encrypted: () => true, handle: answering(good), ...members } as PackagePlugin,
    {},
  )
const request: PluginRequest = {
  plugin: 'given',
  method: 'GET',
  path: ['a'],
  query: { b: 'c' },
  body: new Uint8Array(),
  caller: { kind: 'anonymous' },
}
const signal = new AbortController().signal
const at = new Date()

describe('a plugin of somebody else’s', () => {
  test('who may ask and what is encrypted are said in the words of the contract, or nobody gets anything', () => {
    for (const access of ['public', 'certificate', 'attested', 'admin'])
      assert.equal(pluginOf({ access: () => access }).access(request), access)
    fc.assert(
      fc.property(fc.anything(), (answer) => {
        const plugin = pluginOf({ access: () => answer, encrypted: () => answer })
        assert.throws(() => plugin.access(request), failsWith('PACKAGE_FAILED'))
        if (typeof answer !== 'boolean')
          assert.throws(() => plugin.encrypted(request), failsWith('PACKAGE_FAILED'))
      }),
    )
    // A promise of a word is none of the words.
    assert.throws(
      () => pluginOf({ access: answering('public') }).access(request),
      failsWith('PACKAGE_FAILED'),
    )
  })

  test('a policy sees the request as it is, and what the plugin adds as plain JSON under its name', () => {
    const plain = { plugin: 'given', 'resource-path': ['a'], query: { b: 'c' } }
    assert.deepEqual(pluginOf({}).policyData(request), plain)
    const adding = (added: unknown) => pluginOf({ policyData: () => added }).policyData(request)
    assert.deepEqual(adding({ plugin: 'resource', n: 1 }), { ...plain, given: { plugin: 'resource', n: 1 } })
    const circle: { self?: unknown } = {}
    circle.self = circle
    const deep = Array.from({ length: packageLimits.policyDataDepth }).reduce((inner) => ({ inner }), {})
    for (const added of [
      undefined,
      null,
      1,
      'planted',
      [],
      circle,
      deep,
      { a: 'x'.repeat(70_000) },
      { a: 1n },
    ])
      assert.throws(() => adding(added), failsWith('PACKAGE_FAILED'))
  })

  test('an answer is bytes of a media type, and says whether it may be kept', async () => {
    assert.deepEqual(await pluginOf({}).handle(request, at, signal), good)
    const most = new Uint8Array(packageLimits.replyBytes)
    await pluginOf({ handle: answering({ ...good, body: most }) }).handle(request, at, signal)
    for (const answer of [
      undefined,
      null,
      {},
      { ...good, body: 'planted' },
      { ...good, body: new Uint8Array(packageLimits.replyBytes + 1) },
      { ...good, noStore: 1 },
      { ...good, mediaType: 'text/html\r\nset-cookie: planted' },
      { ...good, mediaType: '' },
    ])
      await assert.rejects(
        pluginOf({ handle: answering(answer) }).handle(request, at, signal),
        failsWith('PACKAGE_FAILED'),
      )
  })

  test('of its errors nothing but the kind is told, unless it made them to be told', async () => {
    const throwing = (error: unknown) => () => {
      throw error
    }
    const planted = throwing(new Error('planted'))
    const plugin = pluginOf({ access: planted, encrypted: planted, policyData: planted, handle: planted })
    assert.throws(() => plugin.access(request), failsWith('PACKAGE_FAILED'))
    assert.throws(() => plugin.encrypted(request), failsWith('PACKAGE_FAILED'))
    assert.throws(() => plugin.policyData(request), failsWith('PACKAGE_FAILED'))
    await assert.rejects(plugin.handle(request, at, signal), failsWith('PACKAGE_FAILED'))
    const own = pluginOf({ handle: throwing(new SealiftError('X_GONE', 'gone')) })
    await assert.rejects(own.handle(request, at, signal), failsWith('X_GONE'))
    const ended = AbortSignal.abort()
    const aborted = pluginOf({ handle: throwing(ended.reason) })
    await assert.rejects(aborted.handle(request, at, ended), { name: 'AbortError' })
    await pluginOf({})[Symbol.asyncDispose]()
  })
})
