import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isFailure } from '#base/index.ts'
import { type Descriptor, type DigestAlgorithm, digestOf, mediaTypes } from '#oci/index.ts'
import { seededBytes } from '../../test/support/random-image.ts'
import { bytesReader, readVerified } from './readers.ts'
import type { ByteRange, ByteReader, OpenAt, Source, Target } from './types.ts'

/** One fresh, empty target, and the way back to what it took in. */
export interface TargetCase extends AsyncDisposable {
  readonly target: Target
  /** What is there after `commit`, read afresh. */
  read(): Promise<Source>
}

/** A content with its bytes, and what became of the readers that were asked for. */
export class Parcel {
  readonly bytes: Uint8Array
  readonly content: Descriptor
  readonly offsets: number[] = []
  opened = 0
  closed = 0

  constructor(bytes: Uint8Array, mediaType: string = mediaTypes.octets, algorithm?: DigestAlgorithm) {
    this.bytes = bytes
    this.content = { mediaType, digest: digestOf(bytes, algorithm), size: bytes.length }
  }

  /** Hands out these bytes, at most 60,000 at a time; instead of byte `faultAt` comes a fault. */
  from(bytes: Uint8Array = this.bytes, faultAt = Number.POSITIVE_INFINITY): OpenAt {
    return async (offset) => {
      this.offsets.push(offset)
      this.opened++
      const reader = bytesReader(bytes.subarray(offset))
      let at = offset
      let open = true
      return {
        async read(into) {
          assert.ok(open, 'a reader is not read after it was closed')
          if (at >= faultAt) throw new Error('the link is cut')
          const count = await reader.read(into.subarray(0, Math.min(into.length, 60_000, faultAt - at)))
          at += count
          return count
        },
        close: async () => {
          if (open) this.closed++
          open = false
          await reader.close()
        },
      } satisfies ByteReader
    }
  }

  assertClosed(): void {
    assert.equal(this.closed, this.opened, 'every reader is closed')
  }
}

/** Takes parcels in as `copy` does: told beforehand, written, tagged, committed. */
async function deliver(target: Target, parcels: readonly Parcel[], tags: Record<string, Parcel> = {}) {
  await announce(target, parcels, tags)
  for (const parcel of parcels) await target.write(parcel.content, parcel.from())
  await conclude(target, tags)
}

async function announce(target: Target, parcels: readonly Parcel[], tags: Record<string, Parcel> = {}) {
  const taggings = Object.entries(tags).map(([reference, { content }]) => ({ reference, manifest: content }))
  const roots = [...new Set(Object.values(tags).map(({ content }) => content))]
  await target.prepare?.({ contents: parcels.map(({ content }) => content), taggings, roots })
}

async function conclude(target: Target, tags: Record<string, Parcel> = {}) {
  for (const [reference, { content }] of Object.entries(tags)) await target.tag(content, reference)
  await target.commit?.()
}

async function readRange(source: Source, content: Descriptor, range?: ByteRange): Promise<Buffer> {
  const reader = await source.open(content, range)
  const parts: Buffer[] = []
  try {
    for (;;) {
      const buffer = Buffer.alloc(1000)
      const count = await reader.read(buffer)
      if (count === 0) return Buffer.concat(parts)
      parts.push(buffer.subarray(0, count))
    }
  } finally {
    await reader.close()
  }
}

async function assertHolds(source: Source, { content, bytes }: Parcel): Promise<void> {
  const held = await readVerified(source, content, content.size)
  assert.ok(Buffer.from(held).equals(bytes))
}

async function assertLacks(target: Target, { content }: Parcel): Promise<void> {
  assert.equal(await target.has(content), false)
  await assert.rejects(
    target.open(content).then((reader) => reader.read(Buffer.alloc(1))),
    { code: 'CONTENT_NOT_FOUND' },
  )
}

/** An image manifest over one config and one layer. */
export function imageParcels(seed: string, extra: object = {}): { manifest: Parcel; parts: Parcel[] } {
  const config = new Parcel(Buffer.from(JSON.stringify({ seed })), mediaTypes.ociConfig)
  const layer = new Parcel(seededBytes(seed, 5000), mediaTypes.ociLayer)
  const body = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, ...extra }
  const manifest = new Parcel(
    Buffer.from(JSON.stringify({ ...body, config: config.content, layers: [layer.content] })),
    mediaTypes.ociManifest,
  )
  return { manifest, parts: [config, layer] }
}

/** What every Target must do; runs over each of them. Each test gets an empty one. */
export function targetTests(name: string, make: () => Promise<TargetCase>): void {
  const big = 2_200_000
  const cases = (title: string, act: (made: TargetCase) => Promise<void>) =>
    test(title, async () => {
      await using made = await make()
      await act(made)
    })

  describe(`${name} as a target`, () => {
    cases('what was written is there, whole and in parts', async ({ target, read }) => {
      const { manifest, parts } = imageParcels('whole')
      const large = new Parcel(seededBytes('large', big))
      const all = [...parts, large, manifest]
      await deliver(target, all, { '1.0': manifest })
      const source = await read()
      for (const parcel of all) await assertHolds(source, parcel)
      for (const [offset, length] of [
        [0, 1],
        [1, 65_535],
        [65_535, 2],
        [1_048_575, 70_000],
        [big - 1, 1],
        [big - 10, 100],
        [big, 5],
      ] as const) {
        const part = await readRange(source, large.content, { offset, length })
        assert.ok(part.equals(large.bytes.subarray(offset, offset + length)), `${offset}+${length}`)
      }
      const tail = await readRange(source, large.content, { offset: big - 70_000 })
      assert.ok(tail.equals(large.bytes.subarray(big - 70_000)))
      for (const parcel of all) parcel.assertClosed()
    })

    cases('a tag names a manifest, and so does its digest', async ({ target, read }) => {
      const { manifest, parts } = imageParcels('tagged')
      await deliver(target, [...parts, manifest], { '1.0': manifest, latest: manifest })
      const source = await read()
      for (const reference of ['1.0', 'latest', manifest.content.digest]) {
        const { mediaType, digest, size } = await source.resolve(reference)
        assert.deepEqual({ mediaType, digest, size }, manifest.content)
      }
      await assert.rejects(source.resolve('2.0'), { code: 'CONTENT_NOT_FOUND' })
      await assert.rejects(source.resolve(digestOf(Buffer.from('never seen'))), { code: 'CONTENT_NOT_FOUND' })
    })

    cases('every algorithm, and content without a byte', async ({ target, read }) => {
      const parcels = (['sha256', 'sha384', 'sha512'] as const).map(
        (algorithm) => new Parcel(seededBytes(algorithm, 3000), mediaTypes.octets, algorithm),
      )
      const empty = new Parcel(new Uint8Array(0))
      await deliver(target, [...parcels, empty])
      const source = await read()
      for (const parcel of [...parcels, empty]) {
        await assertHolds(source, parcel)
        parcel.assertClosed()
      }
    })

    cases('what is there already is not asked for', async ({ target }) => {
      const parcel = new Parcel(seededBytes('once', 1000))
      await announce(target, [parcel])
      assert.equal(await target.has(parcel.content), false)
      assert.equal(await target.write(parcel.content, parcel.from()), 'copied')
      assert.equal(await target.has(parcel.content), true)
      assert.equal(await target.write(parcel.content, parcel.from()), 'present')
      assert.equal(parcel.opened, 1)
    })

    cases('wrong bytes are refused and not kept, right ones are then taken', async ({ target, read }) => {
      const parcel = new Parcel(seededBytes('right', 300_000))
      await announce(target, [parcel])
      const wrong = Uint8Array.from(parcel.bytes)
      wrong[299_999]! ^= 1
      await assert.rejects(target.write(parcel.content, parcel.from(wrong)), { code: 'DIGEST_MISMATCH' })
      await assertLacks(target, parcel)
      const mismatch = (error: unknown) =>
        isFailure(error, 'SIZE_MISMATCH') || isFailure(error, 'DIGEST_MISMATCH')
      const short = parcel.bytes.subarray(0, 299_999)
      await assert.rejects(target.write(parcel.content, parcel.from(short)), mismatch)
      await assertLacks(target, parcel)
      const long = Buffer.concat([parcel.bytes, Buffer.from('x')])
      await assert.rejects(target.write(parcel.content, parcel.from(long)), mismatch)
      await assertLacks(target, parcel)
      await target.write(parcel.content, parcel.from())
      await conclude(target)
      await assertHolds(await read(), parcel)
      parcel.assertClosed()
    })

    cases('a write that broke off is taken up, from where the target says', async ({ target, read }) => {
      const parcel = new Parcel(seededBytes('cut', big))
      await announce(target, [parcel])
      await assert.rejects(target.write(parcel.content, parcel.from(undefined, 1_700_000)), /the link is cut/)
      await assertLacks(target, parcel)
      await target.write(parcel.content, parcel.from())
      assert.ok(parcel.offsets.every((offset) => offset >= 0 && offset <= 1_700_000))
      await conclude(target)
      await assertHolds(await read(), parcel)
      parcel.assertClosed()
    })

    cases('a fault in opening is passed on', async ({ target }) => {
      const parcel = new Parcel(seededBytes('closed door', 10))
      await announce(target, [parcel])
      const refuse = () => Promise.reject(new Error('nobody is in'))
      await assert.rejects(target.write(parcel.content, refuse), /nobody is in/)
      await assertLacks(target, parcel)
    })

    cases('writers of the same content at the same time all succeed', async ({ target, read }) => {
      const parcel = new Parcel(seededBytes('together', 400_000))
      await announce(target, [parcel])
      const outcomes = await Promise.all([1, 2, 3, 4].map(() => target.write(parcel.content, parcel.from())))
      assert.ok(outcomes.includes('copied'))
      assert.ok(outcomes.every((outcome) => outcome === 'copied' || outcome === 'present'))
      await conclude(target)
      await assertHolds(await read(), parcel)
      parcel.assertClosed()
    })

    cases('one writer that fails takes no other down with it', async ({ target, read }) => {
      const parcel = new Parcel(seededBytes('neighbours', 400_000))
      await announce(target, [parcel])
      const [failed, done] = await Promise.allSettled([
        target.write(parcel.content, parcel.from(undefined, 100_000)),
        target.write(parcel.content, parcel.from()),
      ])
      assert.equal(failed.status, 'rejected')
      assert.equal(done.status, 'fulfilled')
      await conclude(target)
      await assertHolds(await read(), parcel)
      parcel.assertClosed()
    })

    cases('content is not seen before its last byte was verified', async ({ target }) => {
      const parcel = new Parcel(seededBytes('slow', 200_000))
      await announce(target, [parcel])
      const atEnd = Promise.withResolvers<void>()
      const goOn = Promise.withResolvers<void>()
      const writing = target.write(parcel.content, async (offset) => {
        const reader = await parcel.from()(offset)
        let left = parcel.bytes.length - offset
        return {
          async read(into) {
            if (left <= 1) {
              atEnd.resolve()
              await goOn.promise
            }
            const count = await reader.read(into.subarray(0, left > 1 ? left - 1 : into.length))
            left -= count
            return count
          },
          close: () => reader.close(),
        }
      })
      await atEnd.promise
      await assertLacks(target, parcel)
      goOn.resolve()
      await writing
      assert.equal(await target.has(parcel.content), true)
      parcel.assertClosed()
    })
  })
}
