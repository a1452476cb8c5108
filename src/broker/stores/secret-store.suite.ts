// What every SecretStore does, whatever it stands on.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure, secretLimits } from '#base/index.ts'
import type { SecretStore } from '../types.ts'

export interface StoreUnderTest {
  /** A new and empty store; several handles on it are several processes, as far as that can be had here. */
  open(): Promise<{ readonly handles: readonly SecretStore[]; close(): Promise<void> }>
  /** Runs of each property: fewer where each change reaches a disk. */
  readonly runs: number
}

const bytes = (text: string) => new TextEncoder().encode(text)
const failsWith = (code: string) => (error: unknown) => isFailure(error, code)

export function secretStoreTests(name: string, { open, runs }: StoreUnderTest): void {
  const withStore =
    (act: (store: SecretStore, handles: readonly SecretStore[]) => Promise<void>) => async () => {
      const { handles, close } = await open()
      try {
        await act(handles[0]!, handles)
      } finally {
        await close()
      }
    }

  describe(`a secret store: ${name}`, () => {
    test(
      'a value is written, read, replaced and removed, each from its revision',
      withStore(async (store, handles) => {
        const other = handles.at(-1)!
        assert.equal(await store.read('a/b'), undefined)
        assert.equal(await store.compareAndSet('a/b', undefined, null), undefined)
        assert.equal(await store.compareAndSet('a/b', 'never', bytes('x')), undefined)
        const first = await store.compareAndSet('a/b', undefined, bytes('one'))
        assert.ok(first)
        assert.deepEqual(await other.read('a/b'), { value: bytes('one'), revision: first })
        assert.equal(await other.compareAndSet('a/b', undefined, bytes('two')), undefined)
        const second = await other.compareAndSet('a/b', first, bytes('two'))
        assert.ok(second && second !== first)
        assert.equal(await store.compareAndSet('a/b', first, bytes('three')), undefined)
        assert.equal(await store.compareAndSet('a/b', first, null), undefined)
        assert.deepEqual(await store.read('a/b'), { value: bytes('two'), revision: second })
        assert.equal(await store.compareAndSet('a/b', second, null), second)
        assert.equal(await other.read('a/b'), undefined)
        assert.equal(await other.compareAndSet('a/b', second, bytes('again')), undefined)
        const reborn = await other.compareAndSet('a/b', undefined, bytes('one'))
        assert.ok(reborn && reborn !== first && reborn !== second, 'no revision comes again')
      }),
    )

    test(
      'values are any bytes, and nobody else can change them in place',
      withStore(async (store) => {
        const every = Uint8Array.from({ length: 256 }, (_, at) => at)
        const given = every.slice()
        await store.compareAndSet('every', undefined, given)
        given.fill(0)
        const read = (await store.read('every'))!
        assert.deepEqual(read.value, every)
        read.value.fill(0)
        assert.deepEqual((await store.read('every'))!.value, every)
        const empty = await store.compareAndSet('empty', undefined, new Uint8Array())
        assert.deepEqual(await store.read('empty'), { value: new Uint8Array(), revision: empty })
      }),
    )

    test(
      'keys are listed in byte order, by any prefix, page by page',
      withStore(async (store) => {
        const keys = ['a', 'a-b', 'a.b', 'a/-'.replace('-', '_'), 'a/b', 'a/b/c', 'a0', 'aB', 'b', 'b/Z/a']
        keys.push('b/a', 'B', 'x:1/fd00::1', 'x%'.replace('%', '+'), 'x_1', 'xx1', 'new', 'values', 'lock')
        for (const key of keys) await store.compareAndSet(key, undefined, bytes(key))
        keys.sort()
        assert.deepEqual(await store.list(''), keys)
        for (const prefix of ['a', 'a/', 'a/b', 'a/b/', 'b/Z', 'x_', 'x:', 'none', 'a/b/c', 'a/b/c/']) {
          const expected = keys.filter((key) => key.startsWith(prefix))
          assert.deepEqual(await store.list(prefix), expected, prefix)
          for (const after of ['', 'a', 'a/', 'a/b', 'a/zzz', 'b', '~', 'a/b/c\0x', "'", '\u{10ffff}']) {
            const rest = expected.filter((key) => key > after)
            assert.deepEqual(await store.list(prefix, { after }), rest, `${prefix} after ${after}`)
            assert.deepEqual(await store.list(prefix, { after, limit: 2 }), rest.slice(0, 2))
          }
        }
        const paged: string[] = []
        for (let page = await store.list('', { limit: 3 }); page.length > 0; ) {
          paged.push(...page)
          page = await store.list('', { after: page.at(-1)!, limit: 3 })
        }
        assert.deepEqual(paged, keys)
        assert.deepEqual(await store.list('', { limit: 0 }), [])
        for (const key of keys) await store.compareAndSet(key, (await store.read(key))!.revision, null)
        assert.deepEqual(await store.list(''), [])
      }),
    )

    test(
      'keys and values at the limits are taken, and one beyond is refused',
      withStore(async (store) => {
        const longest = 'n'.repeat(secretLimits.nameLength)
        const deepest = Array.from({ length: secretLimits.keyNames }, () => 'd').join('/')
        const wide = `${`${longest}/`.repeat(5)}`.slice(0, secretLimits.keyLength - 1)
        const widest = wide + 'n'.repeat(secretLimits.keyLength - wide.length)
        for (const key of [longest, deepest, widest]) {
          assert.ok(await store.compareAndSet(key, undefined, bytes('v')), key)
          assert.ok(await store.read(key))
        }
        for (const key of [`${longest}n`, `${deepest}/d`, `${widest}n`, 'k'.repeat(1_000_000)]) {
          await assert.rejects(store.read(key), failsWith('SECRET_KEY_INVALID'))
          await assert.rejects(store.compareAndSet(key, undefined, null), failsWith('SECRET_KEY_INVALID'))
        }
        const largest = new Uint8Array(secretLimits.storedBytes).fill(7)
        const revision = await store.compareAndSet('large', undefined, largest)
        assert.deepEqual(await store.read('large'), { value: largest, revision })
        const over = new Uint8Array(secretLimits.storedBytes + 1)
        await assert.rejects(
          store.compareAndSet('large', revision, over),
          failsWith('SECRET_VALUE_TOO_LARGE'),
        )
        assert.equal((await store.read('large'))?.revision, revision)
      }),
    )

    test(
      'what is no key is refused, and prefixes of no key find nothing',
      withStore(async (store) => {
        await store.compareAndSet('a/b', undefined, bytes('v'))
        const hostile = [
          '',
          '/',
          '/a',
          'a/',
          'a//b',
          '.',
          '..',
          '../a',
          'a/../b',
          'a/./b',
          'a/..',
          '.a',
          '-a',
        ]
        hostile.push(
          'a\0b',
          'a\nb',
          'a b',
          'a%2fb',
          'a\\b',
          "a'--",
          'a";DROP TABLE secrets',
          'ä',
          'a/é',
          '=a',
          '~',
        )
        hostile.push('a%', 'a?', 'a*', '$1', '\u{1f600}', 'a\u202eb', 'a\x7f', 'C:\\a', 'a/=b', '__proto__\0')
        for (const key of hostile) {
          await assert.rejects(store.read(key), failsWith('SECRET_KEY_INVALID'), JSON.stringify(key))
          await assert.rejects(
            store.compareAndSet(key, undefined, bytes('v')),
            failsWith('SECRET_KEY_INVALID'),
            JSON.stringify(key),
          )
        }
        for (const prefix of ['/', '..', '../', 'a%', "a' OR 1=1 --", '\0', '=', 'ä', '.', 'a/../a']) {
          assert.deepEqual(await store.list(prefix), [], JSON.stringify(prefix))
        }
        assert.ok(await store.compareAndSet('__proto__/constructor', undefined, bytes('v')))
        assert.deepEqual(await store.list('_'), ['__proto__/constructor'])
      }),
    )

    test(
      'an aborted call changes nothing',
      withStore(async (store) => {
        const aborted = AbortSignal.abort(new Error('enough'))
        await assert.rejects(store.read('a', aborted), /enough/)
        await assert.rejects(store.compareAndSet('a', undefined, bytes('v'), aborted), /enough/)
        assert.equal(await store.read('a'), undefined)
      }),
    )

    test(
      'any sequence of operations agrees with a model',
      withStore(async (store, handles) => {
        const keys = ['k', 'k/a', 'k/b', 'l']
        const model = new Map<string, { value: string; revision: string }>()
        const seen: (string | undefined)[] = [undefined, 'never']
        const operation = fc.record({
          handle: fc.nat(),
          key: fc.constantFrom(...keys),
          from: fc.oneof({ weight: 3, arbitrary: fc.constant('current') }, fc.nat()),
          value: fc.option(fc.string({ maxLength: 20 }), { nil: null }),
        })
        const property = fc.asyncProperty(fc.array(operation, { maxLength: 12 }), async (operations) => {
          for (const { handle, key, from, value } of operations) {
            const on = handles[handle % handles.length]!
            const current = model.get(key)
            const expected = from === 'current' ? current?.revision : seen[Number(from) % seen.length]
            const made = await on.compareAndSet(key, expected, value === null ? null : bytes(value))
            if (expected !== current?.revision) assert.equal(made, undefined)
            else if (value === null) {
              assert.equal(made, expected)
              model.delete(key)
            } else {
              assert.ok(made && !seen.includes(made))
              seen.push(made)
              model.set(key, { value, revision: made })
            }
            const read = await store.read(key)
            const known = model.get(key)
            assert.deepEqual(read, known && { value: bytes(known.value), revision: known.revision })
            assert.deepEqual(await store.list(''), [...model.keys()].sort())
          }
        })
        await fc.assert(property, { numRuns: runs })
      }),
    )

    test(
      'of concurrent changes from one revision one comes through: the revisions are one chain',
      withStore(async (store, handles) => {
        const step = fc.record({ remove: fc.boolean(), wait: fc.nat(3), stale: fc.boolean() })
        const workers = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), {
          minLength: 2,
          maxLength: 5,
        })
        let round = 0
        const property = fc.asyncProperty(workers, async (plans) => {
          const key = `race/${++round}`
          const won: [from: string | undefined, to: string | undefined][] = []
          const work = async (plan: typeof plans extends readonly (infer P)[] ? P : never, at: number) => {
            const on = handles[at % handles.length]!
            let read = await on.read(key)
            for (const { remove, wait, stale } of plan) {
              for (let turn = 0; turn < wait; turn++) await Promise.resolve()
              if (!stale) read = await on.read(key)
              const made = await on.compareAndSet(key, read?.revision, remove ? null : bytes(`${at}`))
              if (made !== undefined) won.push([read?.revision, remove ? undefined : made])
            }
          }
          await Promise.all(plans.map(work))
          const last = (await store.read(key))?.revision
          assertOneChain(won, last)
        })
        await fc.assert(property, { numRuns: runs })
      }),
    )

    test(
      'nothing is lost where many count at once',
      withStore(async (store, handles) => {
        const each = 5
        const count = async (on: SecretStore) => {
          for (let done = 0; done < each; ) {
            const read = await on.read('count')
            const next = Number(read ? Buffer.from(read.value).toString() : 0) + 1
            if (await on.compareAndSet('count', read?.revision, bytes(`${next}`))) done++
          }
        }
        const counters = [...handles, ...handles, ...handles].slice(0, 4)
        await Promise.all(counters.map(count))
        const total = Buffer.from((await store.read('count'))!.value).toString()
        assert.equal(Number(total), each * counters.length)
      }),
    )
  })
}

/** Each revision is left at most once, and only the last one is still there. */
function assertOneChain(
  won: readonly (readonly [string | undefined, string | undefined])[],
  last: string | undefined,
): void {
  const left = won.map(([from]) => from).filter((from) => from !== undefined)
  assert.equal(new Set(left).size, left.length, 'no revision is left twice')
  const made = won.map(([, to]) => to).filter((to) => to !== undefined)
  assert.equal(new Set(made).size, made.length)
  const open = made.filter((revision) => !left.includes(revision))
  assert.deepEqual(open, last === undefined ? [] : [last], 'what was made and not left is what is there')
  const born = won.filter(([from]) => from === undefined).length
  const died = won.filter(([, to]) => to === undefined).length
  assert.equal(born - died, last === undefined ? 0 : 1)
}
