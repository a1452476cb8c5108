import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Descriptor, type DigestAlgorithm, digestOf, mediaTypes } from '#oci/index.ts'
import { Given, SilentReader } from '../../test/support/given-readers.ts'
import { seededBytes } from '../../test/support/random-image.ts'
import { readVerified } from './readers.ts'
import type { ByteReader, CallOptions, Plan, Source, Target } from './types.ts'

/** One place for content, empty at first. */
export interface TargetPlace {
  /** A target over the place: a second call is the next process, after the first one died. */
  target(): Promise<Target>
  /** The place as a reader sees it, once `commit` has resolved. */
  committed(): Promise<Source>
}

export interface TargetTraits {
  /** Where a content of several MiB that was cut off is taken up again: this close to where it was. */
  readonly resumesWithinBytes?: number
}

const octets = (bytes: Uint8Array, algorithm?: DigestAlgorithm): Descriptor => ({
  mediaType: mediaTypes.ociLayer,
  digest: digestOf(bytes, algorithm),
  size: bytes.length,
})

const planOf = (...contents: Descriptor[]): Plan => ({ contents, taggings: [], roots: [] })

async function bytesOf(reader: ByteReader): Promise<Buffer> {
  const parts: Buffer[] = []
  try {
    for (;;) {
      const buffer = Buffer.alloc(50_000)
      const count = await reader.read(buffer)
      if (count === 0) return Buffer.concat(parts)
      parts.push(buffer.subarray(0, count))
    }
  } finally {
    await reader.close()
  }
}

async function assertInvisible(target: Target, content: Descriptor): Promise<void> {
  assert.equal(await target.has(content), false)
  await assert.rejects(
    async () => (await target.open(content)).close(),
    { code: 'CONTENT_NOT_FOUND' },
    'content that is not verified cannot be opened',
  )
}

/** What every Target keeps of its contract. */
export function targetTests(
  name: string,
  makePlace: () => Promise<TargetPlace>,
  traits: TargetTraits = {},
): void {
  const begin = async (...contents: Descriptor[]): Promise<[Target, TargetPlace]> => {
    const place = await makePlace()
    const target = await place.target()
    await target.prepare?.(planOf(...contents))
    return [target, place]
  }

  describe(`${name} as a target`, () => {
    for (const algorithm of ['sha256', 'sha384', 'sha512'] as const) {
      test(`takes content with a ${algorithm} digest, and gives it back whole and in ranges`, async () => {
        const bytes = seededBytes(algorithm, 200_001)
        const content = octets(bytes, algorithm)
        const [target, place] = await begin(content)
        await assertInvisible(target, content)
        const given = new Given(bytes)
        assert.equal(await target.write(content, given.from), 'copied')
        given.assertClosed()
        assert.deepEqual(given.offsets, [0])
        assert.equal(await target.has(content), true)
        assert.ok(bytes.equals(await readVerified(target, content, bytes.length)))
        await target.commit?.()
        const source = await place.committed()
        const ranges: [number, number | undefined][] = [
          [0, 1],
          [65_534, 3],
          [100_000, undefined],
          [200_000, 5],
          [200_001, 5],
          [300_000, 5],
          [7, 0],
        ]
        for (const [offset, length] of ranges) {
          const range = length === undefined ? { offset } : { offset, length }
          const part = await bytesOf(await source.open(content, range))
          const end = length === undefined ? bytes.length : offset + length
          assert.ok(part.equals(bytes.subarray(offset, end)), `${offset} ${length}`)
        }
        assert.ok(bytes.equals(await readVerified(source, content, bytes.length)))
      })
    }

    test('takes content of no bytes', async () => {
      const content = octets(Buffer.alloc(0))
      const [target, place] = await begin(content)
      assert.equal(await target.has(content), false)
      assert.equal(await target.write(content, new Given(Buffer.alloc(0)).from), 'copied')
      assert.equal(await target.has(content), true)
      await target.commit?.()
      assert.equal((await readVerified(await place.committed(), content, 0)).length, 0)
    })

    test('does not ask for bytes that it holds', async () => {
      const bytes = seededBytes('present', 1000)
      const content = octets(bytes)
      const [target] = await begin(content)
      await target.write(content, new Given(bytes).from)
      const again = new Given(bytes)
      assert.equal(await target.write(content, again.from), 'present')
      assert.deepEqual(again.offsets, [])
    })

    test('refuses wrong bytes, and takes the right ones afterwards', async () => {
      const bytes = seededBytes('right', 2_500_000)
      const content = octets(bytes)
      const flipped = Buffer.from(bytes)
      flipped[2_400_000]! ^= 1
      const short = bytes.subarray(0, bytes.length - 1)
      const long = Buffer.concat([bytes, Buffer.alloc(1)])
      const [target, place] = await begin(content)
      for (const [wrong, code] of [
        [flipped, 'DIGEST_MISMATCH'],
        [short, 'SIZE_MISMATCH'],
        [Buffer.alloc(0), 'SIZE_MISMATCH'],
        [long, 'SIZE_MISMATCH'],
      ] as const) {
        const given = new Given(wrong)
        await assert.rejects(target.write(content, given.from), { code })
        given.assertClosed()
        await assertInvisible(target, content)
      }
      assert.equal(await target.write(content, new Given(bytes).from), 'copied')
      await target.commit?.()
      await readVerified(await place.committed(), content, bytes.length)
    })

    test('stays empty where a content of no bytes turns out to have some', async () => {
      const content = octets(Buffer.alloc(0))
      const [target] = await begin(content)
      await assert.rejects(target.write(content, new Given(Buffer.alloc(1)).from), { code: 'SIZE_MISMATCH' })
      assert.equal(await target.has(content), false)
    })

    test('takes up what was cut off, in this process and in the next', async () => {
      const bytes = seededBytes('resumed', 7_000_000)
      const content = octets(bytes)
      const [target, place] = await begin(content)
      const first = new Given(bytes, 3_500_000)
      await assert.rejects(target.write(content, first.from), /link is cut/)
      first.assertClosed()
      await assertInvisible(target, content)
      const second = new Given(bytes, 2_500_000)
      await assert.rejects(target.write(content, second.from), /link is cut/)
      second.assertClosed()
      if (Symbol.asyncDispose in target) await (target as unknown as AsyncDisposable)[Symbol.asyncDispose]()
      const next = await place.target()
      await next.prepare?.(planOf(content))
      await assertInvisible(next, content)
      const third = new Given(bytes)
      assert.equal(await next.write(content, third.from), 'copied')
      third.assertClosed()
      const offsets = [...first.offsets, ...second.offsets, ...third.offsets]
      if (traits.resumesWithinBytes === undefined) assert.deepEqual(offsets, [0, 0, 0])
      else {
        assert.equal(offsets.length, 3)
        const within = traits.resumesWithinBytes
        assert.ok(offsets[1]! >= 3_500_000 - within && offsets[1]! <= 3_500_000, `${offsets}`)
        assert.ok(offsets[2]! >= offsets[1]! + 2_500_000 - within && offsets[2]! <= 6_000_000, `${offsets}`)
      }
      await next.commit?.()
      await readVerified(await place.committed(), content, bytes.length)
    })

    test('one digest written several times at once is one content', async () => {
      const bytes = seededBytes('at once', 1_500_000)
      const content = octets(bytes)
      const [target, place] = await begin(content)
      const given = [1, 2, 3, 4].map(() => new Given(bytes))
      const outcomes = await Promise.all(given.map(({ from }) => target.write(content, from)))
      for (const each of given) each.assertClosed()
      assert.ok(outcomes.includes('copied'))
      await target.commit?.()
      await readVerified(await place.committed(), content, bytes.length)
    })

    test('a write whose twin fails completes on its own', async () => {
      const bytes = seededBytes('twin', 1_500_000)
      const content = octets(bytes)
      const [target, place] = await begin(content)
      const cut = new Given(bytes, 700_000)
      const good = new Given(bytes)
      const [failed, completed] = await Promise.allSettled([
        target.write(content, cut.from),
        target.write(content, good.from),
      ])
      assert.equal(failed.status, 'rejected')
      assert.equal(completed.status, 'fulfilled')
      cut.assertClosed()
      good.assertClosed()
      await target.commit?.()
      await readVerified(await place.committed(), content, bytes.length)
    })

    test('several contents at once do not get into each other', async () => {
      const all = Array.from({ length: 20 }, (_, at) => seededBytes(`many ${at}`, at * 30_000))
      const [target, place] = await begin(...all.map((bytes) => octets(bytes)))
      const given = all.map((bytes) => new Given(bytes))
      await Promise.all(all.map((bytes, at) => target.write(octets(bytes), given[at]!.from)))
      await target.commit?.()
      const source = await place.committed()
      for (const bytes of all) await readVerified(source, octets(bytes), bytes.length)
      for (const each of given) each.assertClosed()
    })

    test('stops when it is told to, although the sender is silent', async () => {
      const bytes = seededBytes('stopped', 2_000_000)
      const content = octets(bytes)
      const [target, place] = await begin(content)
      const stop = new AbortController()
      const silent = new SilentReader(bytes, 1_200_000, () => stop.abort(new Error('told to stop')))
      const options: CallOptions = { signal: stop.signal }
      await assert.rejects(
        target.write(content, async (offset) => silent.at(offset), options),
        /told to stop/,
      )
      assert.ok(silent.isClosed)
      await assertInvisible(target, content)
      assert.equal(await target.write(content, new Given(bytes).from), 'copied')
      await target.commit?.()
      await readVerified(await place.committed(), content, bytes.length)
    })

    test('begins nothing when it was told to stop before', async () => {
      const bytes = seededBytes('not begun', 1000)
      const content = octets(bytes)
      const [target] = await begin(content)
      const given = new Given(bytes)
      const signal = AbortSignal.abort(new Error('told to stop'))
      await assert.rejects(target.write(content, given.from, { signal }), /told to stop/)
      given.assertClosed()
      await assertInvisible(target, content)
    })

    test('a tag names a manifest, and so does its digest', async () => {
      const config = Buffer.from('{}')
      const layer = seededBytes('layer', 1000)
      const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest }
      const parts = {
        config: { ...octets(config), mediaType: mediaTypes.ociConfig },
        layers: [octets(layer)],
      }
      const bytes = Buffer.from(JSON.stringify({ ...body, ...parts }))
      const manifest = { ...octets(bytes), mediaType: mediaTypes.ociManifest }
      const place = await makePlace()
      const target = await place.target()
      const taggings = ['1.0', 'latest'].map((reference) => ({ manifest, reference }))
      const contents = [manifest, parts.config, parts.layers[0]!]
      await target.prepare?.({ contents, taggings, roots: [manifest] })
      for (const [at, part] of [bytes, config, layer].entries())
        if (at > 0) await target.write(contents[at]!, new Given(part).from)
      await target.write(manifest, new Given(bytes).from)
      for (const { reference } of taggings) await target.tag(manifest, reference)
      await target.commit?.()
      const source = await place.committed()
      for (const reference of ['1.0', 'latest', manifest.digest]) {
        const { mediaType, digest, size } = await source.resolve(reference)
        assert.deepEqual({ mediaType, digest, size }, manifest)
      }
      await assert.rejects(source.resolve('2.0'), { code: 'CONTENT_NOT_FOUND' })
    })

    test('content is not seen before its last byte was verified', async () => {
      const bytes = seededBytes('slow', 200_000)
      const content = octets(bytes)
      const [target] = await begin(content)
      const atEnd = Promise.withResolvers<void>()
      const goOn = Promise.withResolvers<void>()
      const writing = target.write(content, async (offset) => {
        let at = offset
        return {
          async read(into) {
            if (at === bytes.length - 1) {
              atEnd.resolve()
              await goOn.promise
            }
            const end = at < bytes.length - 1 ? bytes.length - 1 : bytes.length
            const part = bytes.subarray(at, Math.min(at + into.length, end))
            into.set(part)
            at += part.length
            return part.length
          },
          close: async () => undefined,
        }
      })
      await atEnd.promise
      await assertInvisible(target, content)
      goOn.resolve()
      await writing
      assert.equal(await target.has(content), true)
    })

    test('a fault in opening is passed on', async () => {
      const content = octets(seededBytes('closed door', 10))
      const [target] = await begin(content)
      const refuse = () => Promise.reject(new Error('nobody is in'))
      await assert.rejects(target.write(content, refuse), /nobody is in/)
      await assertInvisible(target, content)
    })

    test('what is not here cannot be opened or named', async () => {
      const absent = { ...octets(seededBytes('absent', 10)), mediaType: mediaTypes.ociManifest }
      const [target] = await begin(absent)
      await assertInvisible(target, absent)
      await assert.rejects(target.resolve('no-such-tag'), { code: 'CONTENT_NOT_FOUND' })
      await assert.rejects(target.tag(absent, 'latest'))
    })
  })
}
