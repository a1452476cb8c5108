import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { limits, SealiftError } from '#base/index.ts'
import { type TestMember, tarOf } from './layers.suite.ts'
import { parsePaxRecords } from './tar-header.ts'
import { type TarLimits, tarMembers } from './tar-reader.ts'

async function* portions(bytes: Uint8Array, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes)
}

async function readAll(bytes: Uint8Array, bounds: TarLimits = limits, portion = 1000, bodies = true) {
  const found: { name: string; kind: string; linkName: string; mode: number; content: string }[] = []
  for await (const { name, kind, linkName, mode, body } of tarMembers(portions(bytes, portion), bounds)) {
    const parts: Uint8Array[] = []
    if (bodies) for await (const part of body) parts.push(Uint8Array.from(part))
    found.push({ name, kind, linkName, mode, content: Buffer.concat(parts).toString() })
  }
  return found
}

const rejects = (bytes: Uint8Array, code: string, bounds: Partial<Record<keyof TarLimits, number>> = {}) =>
  assert.rejects(readAll(bytes, { ...limits, ...bounds }), { code })

const name = fc.string({ unit: fc.constantFrom('a', 'b', '.', 'ü', '日', '-'), minLength: 1, maxLength: 200 })
const member: fc.Arbitrary<TestMember> = fc.oneof(
  fc.record({ name, content: fc.string({ maxLength: 2000 }), mode: fc.integer({ min: 1, max: 0o7777 }) }),
  fc.record({ name, type: fc.constantFrom('link' as const, 'symlink' as const), linkname: name }),
  fc.record({ name: name.map((text) => `${text}/`), type: fc.constant('directory' as const) }),
)

test('what tar-stream packs is read, whatever portions it comes in and whether or not it is looked at', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(member, { maxLength: 6 }),
      fc.integer({ min: 1, max: 3000 }),
      async (members, portion) => {
        const tar = await tarOf(members)
        const read = await readAll(tar, limits, portion)
        assert.deepEqual(
          read.map(({ name, kind, linkName, content }) => ({ name, kind, linkName, content })),
          members.map(({ name, type = 'file', linkname = '', content = '' }) => ({
            name,
            kind: type,
            linkName: linkname,
            content,
          })),
        )
        const names = (await readAll(tar, limits, portion, false)).map((found) => found.name)
        assert.deepEqual(
          names,
          read.map((found) => found.name),
        )
      },
    ),
    { numRuns: 60 },
  )
})

test('any damage is read as something or fails with a code', async () => {
  const tar = await tarOf([
    { name: 'a'.repeat(120), content: 'x' },
    { name: 'd/', type: 'directory' },
    { name: 'ü' },
  ])
  const damage = fc.array(fc.tuple(fc.nat(tar.length - 1), fc.nat(255)), { maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(damage, fc.nat(tar.length), async (changes, length) => {
      const bytes = Uint8Array.from(tar.subarray(0, length))
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
      await readAll(bytes).catch((error) => assert.ok(error instanceof SealiftError, error))
    }),
    { numRuns: 300 },
  )
})

test('extended headers are records or LAYER_INVALID', () => {
  assert.deepEqual(
    [...parsePaxRecords(Buffer.from('9 a=b=cd\n12 path=x\ny\n'))],
    [
      ['a', 'b=cd'],
      ['path', 'x\ny'],
    ],
  )
  for (const bad of [
    '9 a=b',
    '-5 a=b\n',
    '99 a=b\n',
    '6 ab\n',
    '5 a=b\n5',
    '05 a=b\n',
    '5 a=bX',
    '4 =b\n',
    ' ',
  ]) {
    assert.throws(() => parsePaxRecords(Buffer.from(bad)), { code: 'LAYER_INVALID' }, bad)
  }
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      try {
        parsePaxRecords(bytes)
      } catch (error) {
        assert.ok(error instanceof SealiftError)
      }
    }),
  )
})

test('nothing may come after the end', async () => {
  const tar = await tarOf([{ name: 'a' }])
  const late = await tarOf([{ name: 'late' }])
  await rejects(Buffer.concat([tar, late]), 'LAYER_HOSTILE')
  await rejects(Buffer.concat([tar.subarray(0, -512), late]), 'LAYER_HOSTILE')
  assert.equal((await readAll(Buffer.concat([tar, Buffer.alloc(10 * 512)]))).length, 1)
  assert.equal((await readAll(tar.subarray(0, 512))).length, 1, 'an archive without its end, as Go reads it')
})

/** Changes a header and its checksum. */
function change(tar: Buffer, at: number, value: string): Buffer {
  const changed = Buffer.from(tar)
  changed.write(value, at, 'latin1')
  changed.fill(0x20, 148, 156)
  const sum = changed.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  changed.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return changed
}

test('links with content, strange types, sparse files and wild numbers are refused', async () => {
  const file = await tarOf([{ name: 'a', content: 'x' }])
  await rejects(change(file, 156, '2'), 'LAYER_INVALID')
  await rejects(change(file, 156, 'S'), 'LAYER_UNSUPPORTED')
  await rejects(change(file, 124, '\xff'.repeat(12)), 'LAYER_INVALID')
  await rejects(change(file, 124, '\x80'.padEnd(12, '\xff')), 'LAYER_INVALID')
  await rejects(change(file, 124, 'zzz'), 'LAYER_INVALID')
  await rejects(change(file, 0, '\xff'), 'LAYER_INVALID')
  await rejects(await tarOf([{ name: 'a', pax: { 'GNU.sparse.major': '1' } }]), 'LAYER_UNSUPPORTED')
  await rejects(await tarOf([{ name: 'a', pax: { uid: '4294967295' } }]), 'LAYER_INVALID')
  await rejects(await tarOf([{ name: 'a', pax: { size: '-1' } }]), 'LAYER_INVALID')
  await rejects(Buffer.concat([file.subarray(0, 512)]), 'LAYER_INVALID')
})

test('a global header has no effect', async () => {
  const head = change(await tarOf([{ name: 'pax_global_header', content: '13 path=evil\n' }]), 156, 'g')
  const tar = Buffer.concat([head.subarray(0, 1024), await tarOf([{ name: 'good', pax: { comment: 'x' } }])])
  assert.deepEqual(
    (await readAll(tar)).map((found) => found.name),
    ['good'],
  )
})

test('two long names for one member are refused', async () => {
  const long = await tarOf([{ name: 'ü' }])
  const head = long.subarray(0, 1024)
  await rejects(Buffer.concat([head, long]), 'LAYER_INVALID')
  await rejects(head, 'LAYER_INVALID')
})

test('members, extended headers and paths are bounded', async () => {
  const two = await tarOf([{ name: 'a' }, { name: 'b' }])
  assert.equal((await readAll(two, { ...limits, archiveMembers: 2 })).length, 2)
  await rejects(two, 'LAYER_TOO_LARGE', { archiveMembers: 1 })
  const pax = await tarOf([{ name: 'a', pax: { comment: 'x'.repeat(100) } }])
  assert.equal((await readAll(pax, { ...limits, tarHeaderBytes: 200 })).length, 1)
  await rejects(pax, 'LAYER_TOO_LARGE', { tarHeaderBytes: 100 })
  const long = await tarOf([{ name: 'a'.repeat(50) }])
  assert.equal((await readAll(long, { ...limits, pathBytes: 50 })).length, 1)
  await rejects(long, 'LAYER_TOO_LARGE', { pathBytes: 49 })
})
