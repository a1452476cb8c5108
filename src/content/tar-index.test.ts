import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure, limits } from '#base/index.ts'
import { type Member, memoryFile, paxRecords, tarFile, tarMember } from '../../test/support/tar-file.ts'
import { type TarFile, TarIndex, type TarIndexLimits } from './tar-index.ts'

const text = (value: string) => Buffer.from(value)
const read = (bytes: Uint8Array, bounds?: TarIndexLimits) => TarIndex.read(memoryFile(bytes), bounds)
const contentOf = (bytes: Uint8Array, file: TarFile | undefined) =>
  file && Buffer.from(bytes.subarray(file.offset, file.offset + file.size)).toString()

test('members are found where they are, however long their names are written', async () => {
  const long = `deep/${'x'.repeat(300)}`
  const bytes = tarFile([
    { name: './', type: '5' },
    { name: './plain', bytes: text('1') },
    { name: 'base', mutate: (header) => header.write('prefix/of/it', 345), bytes: text('2') },
    { name: 'pax', type: 'x', bytes: paxRecords({ path: long, size: '3', mtime: '1.5' }) },
    { name: 'short', size: 0, bytes: text('333') },
    { name: '././@LongLink', type: 'L', bytes: text(`gnu/${'y'.repeat(200)}\0`) },
    { name: 'short', bytes: text('4') },
    { name: 'global', type: 'g', bytes: paxRecords({ comment: 'no matter', path: 'no matter' }) },
    { name: 'old', type: '\0', mutate: (header) => header.fill(0, 257), bytes: text('5') },
    { name: 'empty' },
    { name: 'd/', type: '5' },
    { name: 'd', type: '5' },
  ])
  const index = await read(bytes)
  const found = [...index.paths()].map((path) => [path, contentOf(bytes, index.file(path))])
  assert.deepEqual(found, [
    ['plain', '1'],
    ['prefix/of/it/base', '2'],
    [long, '333'],
    [`gnu/${'y'.repeat(200)}`, '4'],
    ['old', '5'],
    ['empty', ''],
  ])
})

test('links are followed inside the archive, from where they are', async () => {
  const bytes = tarFile([
    { name: 'a/layer.tar', bytes: text('layer') },
    { name: 'b/layer.tar', type: '2', link: '../a/layer.tar' },
    { name: 'c/layer.tar', type: '1', link: 'b/layer.tar' },
    { name: 'dangling', type: '2', link: 'nowhere' },
  ])
  const index = await read(bytes)
  assert.equal(contentOf(bytes, index.follow('c/layer.tar')), 'layer')
  assert.equal(index.file('b/layer.tar'), undefined)
  assert.equal(index.follow('dangling'), undefined)
})

const base256 = (...tail: number[]) => {
  const field = Buffer.alloc(12)
  field[0] = 0x80
  field.set(tail, 12 - tail.length)
  return field
}
const long = (member: Partial<Member>) => tarFile([{ name: 'x', type: 'x', ...member }, { name: 'y' }])
const device = (type: string) => tarFile([{ name: 'dev', type }])
const cases: readonly [what: string, code: string, bytes: Uint8Array][] = [
  ['a path with ..', 'ARCHIVE_HOSTILE', tarFile([{ name: 'a/../../etc/passwd' }])],
  ['an absolute path', 'ARCHIVE_HOSTILE', tarFile([{ name: '/etc/passwd' }])],
  ['a pax path that escapes', 'ARCHIVE_HOSTILE', long({ bytes: paxRecords({ path: '../x' }) })],
  ['a NUL in a path', 'ARCHIVE_HOSTILE', long({ bytes: paxRecords({ path: 'a\0b' }) })],
  ['a symbolic link out', 'ARCHIVE_HOSTILE', tarFile([{ name: 'a/l', type: '2', link: '../../x' }])],
  ['an absolute link', 'ARCHIVE_HOSTILE', tarFile([{ name: 'l', type: '2', link: '/etc/shadow' }])],
  ['a hard link out', 'ARCHIVE_HOSTILE', tarFile([{ name: 'a/l', type: '1', link: '../x' }])],
  ['a character device', 'ARCHIVE_HOSTILE', device('3')],
  ['a block device', 'ARCHIVE_HOSTILE', device('4')],
  ['a fifo', 'ARCHIVE_HOSTILE', device('6')],
  ['a duplicate', 'ARCHIVE_HOSTILE', tarFile([{ name: 'a' }, { name: './a' }])],
  [
    'a directory and file of one name',
    'ARCHIVE_HOSTILE',
    tarFile([{ name: 'a/', type: '5' }, { name: 'a' }]),
  ],
  [
    'a file and directory of one name',
    'ARCHIVE_HOSTILE',
    tarFile([{ name: 'a' }, { name: 'a/', type: '5' }]),
  ],
  [
    'a member below a link',
    'ARCHIVE_HOSTILE',
    tarFile([{ name: 'a', type: '2', link: 'b' }, { name: 'a/c/d' }]),
  ],
  [
    'two long names',
    'ARCHIVE_HOSTILE',
    Buffer.concat([
      tarMember({ name: 'L', type: 'L', bytes: text('n') }),
      long({ bytes: paxRecords({ path: 'm' }) }),
    ]),
  ],
  ['something after the end', 'ARCHIVE_HOSTILE', Buffer.concat([tarFile([]), tarFile([{ name: 'a' }])])],
  ['a wrong checksum', 'ARCHIVE_INVALID', Buffer.from(tarFile([{ name: 'a' }])).fill('b', 0, 1)],
  ['a sparse member', 'ARCHIVE_INVALID', device('S')],
  ['a pax sparse member', 'ARCHIVE_INVALID', long({ bytes: paxRecords({ 'GNU.sparse.major': '1' }) })],
  ['a negative size', 'ARCHIVE_INVALID', tarFile([{ name: 'a', size: Buffer.alloc(12, 0xff) }])],
  ['a huge size', 'ARCHIVE_INVALID', tarFile([{ name: 'a', size: base256(1, 0, 0, 0, 0, 0, 0, 0, 0) }])],
  ['a huge pax size', 'ARCHIVE_INVALID', long({ bytes: paxRecords({ size: '99999999999999999999' }) })],
  ['a size beyond the end', 'ARCHIVE_INVALID', tarFile([{ name: 'a', size: 4096 }])],
  ['a directory with content', 'ARCHIVE_INVALID', tarFile([{ name: 'a', type: '5', bytes: text('x') }])],
  ['a malformed record', 'ARCHIVE_INVALID', long({ bytes: text('999 path=x\n') })],
  ['an end after an extended header', 'ARCHIVE_INVALID', tarFile([{ name: 'x', type: 'x' }])],
  [
    'a name that is not UTF-8',
    'ARCHIVE_INVALID',
    tarFile([{ name: '', mutate: (h) => h.set([0xff, 0xfe]) }]),
  ],
  ['a file without a name', 'ARCHIVE_INVALID', tarFile([{ name: './' + '/' + '.' }])],
  ['no end', 'ARCHIVE_INVALID', tarMember({ name: 'a' })],
  ['half a header', 'ARCHIVE_INVALID', tarMember({ name: 'a' }).subarray(0, 300)],
  ['nothing', 'ARCHIVE_INVALID', new Uint8Array(0)],
]
for (const [what, code, bytes] of cases) {
  test(`refused: ${what}`, () => assert.rejects(read(bytes), { code }))
}

test('limits hold, and what stands at them passes', async () => {
  const three = tarFile([{ name: 'a' }, { name: 'b' }, { name: 'c' }])
  await read(three, { ...limits, archiveMembers: 3 })
  await assert.rejects(read(three, { ...limits, archiveMembers: 2 }), { code: 'ARCHIVE_HOSTILE' })

  const named = tarFile([{ name: 'abcd' }])
  await read(named, { ...limits, pathBytes: 4 })
  await assert.rejects(read(named, { ...limits, pathBytes: 3 }), { code: 'ARCHIVE_HOSTILE' })

  const records = paxRecords({ path: 'p' })
  const extended = long({ bytes: records })
  await read(extended, { ...limits, tarHeaderBytes: records.length })
  await assert.rejects(read(extended, { ...limits, tarHeaderBytes: records.length - 1 }), {
    code: 'ARCHIVE_HOSTILE',
  })

  const padded = Buffer.concat([tarFile([]), Buffer.alloc(1024)])
  await read(padded, { ...limits, tarTrailerBytes: padded.length })
  await assert.rejects(read(padded, { ...limits, tarTrailerBytes: padded.length - 1 }), {
    code: 'ARCHIVE_HOSTILE',
  })

  const chain = tarFile([
    { name: 'a' },
    { name: 'b', type: '2', link: 'a' },
    { name: 'c', type: '2', link: 'b' },
    { name: 'loop', type: '2', link: 'loop' },
  ])
  assert.ok((await read(chain, { ...limits, linkHops: 2 })).follow('c'))
  const short = await read(chain, { ...limits, linkHops: 1 })
  assert.throws(() => short.follow('c'), { code: 'ARCHIVE_HOSTILE' })
  assert.throws(() => short.follow('loop'), { code: 'ARCHIVE_HOSTILE' })
})

test('a tar cut off anywhere is refused', async () => {
  const whole = tarFile([
    { name: 'a', bytes: Buffer.alloc(700, 1) },
    { name: 'b', bytes: text('b') },
  ])
  // The first of the two empty blocks is the end; what comes after it is padding.
  for (let length = 0; length < whole.length - 512; length += 100) {
    await assert.rejects(read(whole.subarray(0, length)), { code: 'ARCHIVE_INVALID' }, `${length} bytes`)
  }
})

test('random damage is never more than a typed refusal', async () => {
  const whole = tarFile([
    { name: 'pax', type: 'x', bytes: paxRecords({ path: 'some/name', size: '600' }) },
    { name: 'short', bytes: Buffer.alloc(600, 7) },
    { name: 'L', type: 'L', bytes: text('a/longer/name\0') },
    { name: 'short', type: '2', link: '../x' },
    { name: 'd/', type: '5' },
  ])
  const damage = fc.record({
    at: fc.nat(whole.length - 1),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 24 }),
    fixSum: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 4 }), async (damages) => {
      const bytes = Buffer.from(whole)
      for (const { at, bytes: other, fixSum } of damages) {
        bytes.set(other.subarray(0, bytes.length - at), at)
        if (fixSum) setChecksum(bytes.subarray(at - (at % 512), at - (at % 512) + 512))
      }
      try {
        const index = await read(bytes)
        for (const path of index.paths()) {
          assert.ok(!path.startsWith('/') && !path.split('/').includes('..'))
          const file = index.follow(path)
          assert.ok(!file || (file.size >= 0 && file.offset + file.size <= bytes.length))
        }
      } catch (error) {
        assert.ok(isFailure(error, 'ARCHIVE_INVALID') || isFailure(error, 'ARCHIVE_HOSTILE'), String(error))
      }
    }),
    { numRuns: 400 },
  )
})

function setChecksum(block: Buffer): void {
  block.fill(0x20, 148, 156)
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  )
}
