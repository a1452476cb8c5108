import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { attestationLimits, isFailure, type Json } from '#base/index.ts'
import { digestOf } from '#oci/index.ts'
import { formatStatement, sealStatement } from '#trust/index.ts'
import { keyHolder } from '../../../test/support/sigstore-world.ts'
import type { AdminRequest } from '../face.ts'
import { MemorySecretStore } from '../stores/index.ts'
import type { SecretStore } from '../types.ts'
import {
  openStatementTrust,
  referencesAdministration,
  referenceValuesType,
  type StatementTrust,
  StoredReferences,
} from './index.ts'

const at = new Date('2026-11-21T12:00:00Z')
const year = new Date('2027-11-21T12:00:00Z')
const never = new AbortController().signal
const code = (name: string) => (error: unknown) => isFailure(error, name)
const value = (name: string, value: Json, expiration = year) => ({ name, value, expiration })
const listed = async (book: StoredReferences) =>
  Object.fromEntries((await book.values()).map((one) => [one.name, one.value]))

describe('the book of reference values', () => {
  test('values are set together, replaced by name, and removed', async () => {
    const book = new StoredReferences(new MemorySecretStore())
    assert.deepEqual(await book.values(), [])
    await book.set([value('a', 1), value('b', { c: [null] })], 'user:ada', at)
    assert.deepEqual(await book.read('a'), { ...value('a', 1), origin: 'user:ada', at })
    await book.set([value('a', 2), value('a', 3)], 'user:eve', at)
    assert.deepEqual(await listed(book), { a: 3, b: { c: [null] } })
    assert.equal((await book.read('a'))?.origin, 'user:eve')
    assert.equal(await book.remove('a'), true)
    assert.equal(await book.remove('a'), false)
    assert.equal(await book.read('a'), undefined)
    assert.deepEqual(await listed(new StoredReferences(new MemorySecretStore())), {})
  })

  test('what could not be read again is not taken, and takes nothing else with it', async () => {
    const book = new StoredReferences(new MemorySecretStore())
    await book.set([value('good', 1)], 'user:ada', at)
    const deep = (depth: number): Json => (depth === 0 ? 1 : [deep(depth - 1)])
    for (const bad of [
      value('', 1),
      value('a\nb', 1),
      value('x'.repeat(attestationLimits.referenceNameLength + 1), 1),
      value('deep', deep(attestationLimits.depth)),
    ])
      await assert.rejects(
        book.set([value('other', 1), bad], 'user:ada', at),
        code('REFERENCE_VALUE_INVALID'),
      )
    assert.deepEqual(await listed(book), { good: 1 })
    await book.set([value('deep', deep(attestationLimits.depth - 1))], 'user:ada', at)
    assert.deepEqual(Object.keys(await listed(book)), ['good', 'deep'])
  })

  test('number and size are limited', async () => {
    const two = new StoredReferences(new MemorySecretStore(), { most: 2 })
    await two.set([value('a', 1), value('b', 1)], '', at)
    await assert.rejects(two.set([value('c', 1)], '', at), code('REFERENCES_TOO_MANY'))
    await two.set([value('b', 2)], '', at)
    const small = new StoredReferences(new MemorySecretStore(), { mostBytes: 300 })
    await small.set([value('a', 'x'.repeat(100))], '', at)
    await assert.rejects(small.set([value('a', 'x'.repeat(300))], '', at), code('REFERENCES_TOO_MANY'))
    assert.deepEqual(await listed(small), { a: 'x'.repeat(100) })
  })

  test('of many at once nobody loses what was set', async () => {
    const store = new MemorySecretStore()
    const books = [new StoredReferences(store), new StoredReferences(store)]
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, turn) => books[turn % 2]!.set([value(`v${turn}`, turn)], '', at)),
    )
    const there = await listed(new StoredReferences(store))
    for (const [turn, { status }] of results.entries())
      assert.equal(Object.hasOwn(there, `v${turn}`), status === 'fulfilled')
    assert.ok(Object.keys(there).length > 0)
  })

  test('another process sees a change when its time is over, this one at once', async () => {
    const store = new MemorySecretStore()
    const slow = new StoredReferences(store, { refreshMs: 60_000 })
    const quick = new StoredReferences(store, { refreshMs: 0 })
    assert.deepEqual(await listed(slow), {})
    await quick.set([value('a', 1)], '', at)
    assert.deepEqual([await listed(slow), await listed(quick)], [{}, { a: 1 }])
    await slow.set([value('b', 1)], '', at)
    assert.deepEqual(await listed(slow), { a: 1, b: 1 })
  })

  test('a change that failed after it was made is seen', async () => {
    const store = new MemorySecretStore()
    const losing: SecretStore = {
      read: (key) => store.read(key),
      list: (prefix, page) => store.list(prefix, page),
      compareAndSet: async (...terms) => {
        await store.compareAndSet(...terms)
        throw new Error('the answer was lost')
      },
    }
    const book = new StoredReferences(losing, { refreshMs: 60_000 })
    await book.values()
    await assert.rejects(book.set([value('a', 1)], '', at), /lost/)
    assert.deepEqual(await listed(book), { a: 1 })
  })

  test('a damaged record is told', async () => {
    const store = new MemorySecretStore()
    await store.compareAndSet('references/values', undefined, Buffer.from('{"version":1,"values":[{}]}'))
    await assert.rejects(new StoredReferences(store).values(), code('REFERENCES_RECORD_INVALID'))
  })
})

function administered(statements?: StatementTrust) {
  const book = new StoredReferences(new MemorySecretStore())
  const { handlers, kbs, problems } = referencesAdministration(book, statements)
  const ask = async (method: AdminRequest['method'], path: string, body: unknown = '') => {
    const names = path.split('/')
    const isTrustees = names[0] === 'reference-value'
    const handler = isTrustees ? kbs!['reference-value'] : handlers.references
    const bytes =
      body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    const request: AdminRequest = {
      method,
      path: names,
      query: {},
      body: bytes,
      principal: { kind: 'user', name: 'ada' },
      api: isTrustees ? 'kbs' : 'admin',
    }
    const reply = await handler!(request, at, never)
    return reply.body.length === 0 ? undefined : JSON.parse(Buffer.from(reply.body).toString())
  }
  return { book, ask, problems }
}

const message = (values: object, type = 'sample') => ({
  version: '0.1.0',
  type,
  payload: Buffer.from(JSON.stringify(values)).toString('base64'),
})

describe('reference values administered', () => {
  test('set, listed, shown and removed', async () => {
    const { ask } = administered()
    const told = await ask('PUT', 'references/a/b', { value: ['1'], expires: '2027-01-01T00:00:00Z' })
    assert.deepEqual(told, {
      name: 'a/b',
      value: ['1'],
      expires: '2027-01-01T00:00:00.000Z',
      origin: 'user:ada',
      at: at.toISOString(),
    })
    assert.deepEqual(await ask('GET', 'references/a/b'), told)
    assert.deepEqual(await ask('GET', 'references'), [told])
    assert.deepEqual(await ask('DELETE', 'references/a/b'), { removed: 'a/b' })
    assert.deepEqual(await ask('GET', 'references'), [])
  })

  test('a message is the word of the admin who sends it', async () => {
    const { ask, book } = administered()
    const body = Buffer.from(JSON.stringify(message({ svn: ['1'], 'a/b': 2 })))
    const origin = `user:ada, message ${digestOf(body)}`
    assert.deepEqual(await ask('POST', 'references/import', body), { imported: ['svn', 'a/b'], origin })
    assert.deepEqual(await book.read('svn'), { ...value('svn', ['1']), origin, at })
  })

  test("Trustee's calls: a message, and a value that holds", async () => {
    const { ask, book } = administered()
    assert.equal(await ask('POST', 'reference-value', message({ 'a/b': [1] })), undefined)
    assert.deepEqual(await ask('GET', 'reference-value/a/b'), [1])
    await book.set([value('old', 1, at)], '', at)
    for (const name of ['none', 'old'])
      await assert.rejects(ask('GET', `reference-value/${name}`), code('REFERENCE_NOT_FOUND'))
  })

  test('a statement is the word of its signer, where somebody is trusted', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sealift-references-'))
    try {
      const [build, stranger] = [keyHolder(), keyHolder()]
      writeFileSync(join(directory, 'build.pub'), build.pem)
      const rules = [{ from: [{ key: 'build' }] }]
      const trust = await openStatementTrust(directory, { keys: { build: 'build.pub' }, rules })
      const subject = { digest: digestOf(Buffer.from('image')) }
      const statement = formatStatement([subject], referenceValuesType, { values: { svn: ['7'] } })
      const by = async ({ signatory }: typeof build) =>
        (await sealStatement(statement, { signatory, witnesses: [] })).bundle
      const { ask, book, problems } = administered(trust)
      const bundle = await by(build)
      const origin = `user:ada, statement ${digestOf(bundle)} by key build`
      assert.deepEqual(await ask('POST', 'references/import', bundle), { imported: ['svn'], origin })
      assert.deepEqual([(await book.read('svn'))?.value, (await book.read('svn'))?.origin], [['7'], origin])
      const refused = code('REFERENCE_STATEMENT_REFUSED')
      assert.equal(problems.REFERENCE_STATEMENT_REFUSED?.status, 403)
      await assert.rejects(ask('POST', 'references/import', await by(stranger)), refused)
      await assert.rejects(administered().ask('POST', 'references/import', bundle), refused)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  test('what is no request of these is refused, and changes nothing', async () => {
    const { ask, book } = administered()
    const invalid = 'BROKER_REQUEST_INVALID'
    const unknown = 'BROKER_PATH_UNKNOWN'
    for (const [method, path, body, wanted] of [
      ['PUT', 'references/a', '', invalid],
      ['PUT', 'references/a', {}, invalid],
      ['PUT', 'references/a', { value: 1, more: 1 }, invalid],
      ['PUT', 'references/a', { value: 1, expires: '2027' }, invalid],
      ['PUT', 'references/a', { value: 1, expires: '2027-13-01T00:00:00Z' }, invalid],
      ['PUT', 'references', { value: 1 }, 'REFERENCE_VALUE_INVALID'],
      ['PUT', 'references/a\u0000', { value: 1 }, 'REFERENCE_VALUE_INVALID'],
      ['GET', 'references/none', '', 'REFERENCE_NOT_FOUND'],
      ['DELETE', 'references/none', '', 'REFERENCE_NOT_FOUND'],
      ['POST', 'references/none', '', unknown],
      ['POST', 'references/import', '{}', 'REFERENCE_VALUE_INVALID'],
      ['POST', 'references/import', message({ a: 1 }, 'other'), 'REFERENCE_VALUE_INVALID'],
      ['POST', 'reference-value/x', message({ a: 1 }), unknown],
      ['DELETE', 'reference-value', '', unknown],
      ['POST', 'reference-value', '', 'REFERENCE_VALUE_INVALID'],
    ] as const)
      await assert.rejects(ask(method, path, body), code(wanted), `${method} ${path}`)
    assert.deepEqual(await book.values(), [])
  })
})
