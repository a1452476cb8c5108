import assert from 'node:assert/strict'
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Limits, limits, type ProgressEvent, SealiftError } from '#base/index.ts'
import { mediaTypes } from '#oci/index.ts'
import { type TestMember, tarOf } from './layers.suite.ts'
import { dir, file, folder, hard, link, rejects, tree, unpack, unpackLayers } from './unpack.suite.ts'

test('files, links, modes and times arrive as the layer says', async () => {
  await using here = await folder()
  await unpack(
    [
      [
        { name: './', type: 'directory', mode: 0o755, mtime: 5 },
        { name: 'a/', type: 'directory', mode: 0o555, mtime: 7 },
        { name: 'a/run', content: 'x', mode: 0o751, mtime: 9 },
        link('a/soft', '/run/../elsewhere'),
        hard('b/deep/hard', 'a/run'),
      ],
    ],
    here.root,
  )
  assert.deepEqual(tree(here.root), [
    'a/',
    'a/run=x',
    'a/soft -> /run/../elsewhere',
    'b/',
    'b/deep/',
    'b/deep/hard=x',
  ])
  const stats = (path: string) => lstatSync(join(here.root, path))
  assert.equal(stats('a/run').mode & 0o7777, 0o751)
  assert.equal(stats('a/run').ino, stats('b/deep/hard').ino)
  assert.deepEqual([stats('').mtimeMs, stats('a').mtimeMs, stats('a/run').mtimeMs], [5000, 7000, 9000])
  assert.equal(stats('a').mode & 0o7777, 0o555)
  await chmod(join(here.root, 'a'), 0o755)
})

test('every compression and both families of media types are read', async () => {
  await using here = await folder()
  const types = [
    mediaTypes.ociLayer,
    mediaTypes.ociLayerGzip,
    mediaTypes.ociLayerZstd,
    mediaTypes.dockerLayer,
    mediaTypes.dockerLayerGzip,
  ]
  const layers = await Promise.all(
    types.map(async (mediaType, at) => ({
      tar: await tarOf([file(`f${at}`, 'x'.repeat(300_000))]),
      mediaType,
    })),
  )
  await unpackLayers(layers, here.root)
  assert.deepEqual(readdirSync(here.root), ['f0', 'f1', 'f2', 'f3', 'f4'])
  assert.equal(lstatSync(join(here.root, 'f2')).size, 300_000)
  const strange = { tar: await tarOf([]), mediaType: 'application/vnd.oci.image.layer.v1.tar+encrypted' }
  await assert.rejects(unpackLayers([strange], `${here.root}2`), { code: 'LAYER_UNSUPPORTED' })
})

test('upper layers replace and hide what lower ones have', async () => {
  await using here = await folder()
  await unpack(
    [
      [
        dir('d'),
        file('d/a'),
        file('d/b'),
        dir('e'),
        file('e/x'),
        file('f'),
        link('g', 'd'),
        dir('o'),
        file('o/old'),
      ],
      [file('d/.wh.a', ''), file('.wh.e', ''), dir('f'), file('f/in'), file('g', 'now a file')],
      [file('o/.wh..wh..opq', ''), file('o/new'), file('.wh..wh.plnk', '')],
    ],
    here.root,
  )
  assert.deepEqual(tree(here.root), ['d/', 'd/b=d/b', 'f/', 'f/in=f/in', 'g=now a file', 'o/', 'o/new=o/new'])
})

test('a whiteout never hides what its own layer brings, wherever in the layer it stands', async () => {
  const lower = [dir('d'), file('d/old'), dir('d/sub'), file('d/sub/old'), file('x', 'old')]
  const upper = [dir('d'), file('d/new'), dir('d/sub'), file('d/sub/new'), file('x', 'new')]
  const marks = [file('d/.wh..wh..opq', ''), file('.wh.x', ''), file('.wh.d', '')]
  for (const layer of [
    [...marks, ...upper],
    [...upper, ...marks],
  ]) {
    await using here = await folder()
    await unpack([lower, layer], here.root)
    assert.deepEqual(tree(here.root), ['d/', 'd/new=d/new', 'd/sub/', 'd/sub/new=d/sub/new', 'x=new'])
  }
})

test('links on the way are followed inside the root only', async () => {
  await using here = await folder()
  await writeFile(join(here.path, 'outside'), 'untouched')
  await mkdir(join(here.path, 'secrets'))
  await unpack(
    [
      [
        dir('usr/lib'),
        link('lib', 'usr/lib'),
        link('up', '../../..'),
        link('abs', '/usr'),
        link('out', here.path),
      ],
      [file('lib/a'), file('up/b'), file('abs/lib/c'), file('out/outside', 'inside')],
      [file('lib/.wh.a', ''), file('out/.wh..wh..opq', '')],
    ],
    here.root,
  )
  assert.equal(readFileSync(join(here.path, 'outside'), 'utf8'), 'untouched')
  assert.ok(existsSync(join(here.path, 'secrets')))
  assert.deepEqual(
    tree(here.root).filter((line) => line.includes('=')),
    ['b=up/b', 'usr/lib/c=abs/lib/c'],
  )
})

test('a link at the end of a path is replaced, not followed', async () => {
  await using here = await folder()
  const target = join(here.path, 'target')
  await writeFile(target, 'untouched')
  await unpack(
    [
      [link('f', target), link('d', here.path)],
      [file('f', 'mine'), dir('d'), file('d/target', 'mine')],
    ],
    here.root,
  )
  assert.equal(readFileSync(target, 'utf8'), 'untouched')
  assert.deepEqual(tree(here.root), ['d/', 'd/target=mine', 'f=mine'])
})

test('escapes are refused', async () => {
  await rejects([[file('../x')]], 'LAYER_HOSTILE')
  await rejects([[file('a/../../x')]], 'LAYER_HOSTILE')
  await rejects([[file('/etc/x')]], 'LAYER_HOSTILE')
  await rejects([[hard('x', '../../etc/passwd')]], 'LAYER_HOSTILE')
  await rejects([[hard('x', '/etc/passwd')]], 'LAYER_HOSTILE')
  await rejects([[file('.wh..', '')]], 'LAYER_HOSTILE')
  await rejects([[file('.wh...', '')]], 'LAYER_HOSTILE')
  await rejects([[file('.wh.', '')]], 'LAYER_HOSTILE')
  await rejects([[link('a', 'b'), link('b', 'a'), file('a/x')]], 'LAYER_HOSTILE')
})

test('a hard link through a link stays inside, and one to nothing is refused', async () => {
  await rejects([[link('e', '/etc'), hard('x', 'e/passwd')]], 'LAYER_INVALID')
  await rejects([[hard('x', 'none')]], 'LAYER_INVALID')
  await rejects([[dir('d'), hard('x', 'd')]], 'LAYER_INVALID')
})

test('layers that contradict themselves are refused', async () => {
  await rejects([[file('a'), file('./a')]], 'LAYER_INVALID')
  await rejects([[dir('a'), dir('a')]], 'LAYER_INVALID')
  await rejects([[file('a/b'), file('a')]], 'LAYER_INVALID')
  await rejects([[file('a'), file('a/b')]], 'LAYER_INVALID')
  await rejects([[file('.')]], 'LAYER_INVALID')
  await rejects([[link('l', 'd'), dir('d'), file('l/x'), file('d/x')]], 'LAYER_INVALID')
})

test('devices and pipes are left out with a note, or refused', async () => {
  await using here = await folder()
  const notes: ProgressEvent[] = []
  const layer: TestMember[] = [
    { name: 'null', type: 'character-device' },
    { name: 'p', type: 'fifo' },
    file('a'),
  ]
  const onProgress = (event: ProgressEvent) => event.type === 'note' && notes.push(event)
  await unpack([layer], here.root, { onProgress })
  assert.deepEqual(tree(here.root), ['a=a'])
  assert.equal(notes.length, 2)
  await rejects([layer], 'LAYER_HOSTILE', { devices: 'refuse' })
})

test('setuid is dropped where the owner is not kept', async () => {
  await using here = await folder()
  await unpack([[{ name: 'su', content: '', mode: 0o6755 }]], here.root)
  assert.equal(lstatSync(join(here.root, 'su')).mode & 0o7777, 0o755)
})

test('every limit holds at the limit, and not one beyond', async () => {
  const within = async (layer: readonly TestMember[], change: Partial<Limits>) => {
    await using here = await folder()
    await unpack([layer], here.root, { limits: { ...limits, ...change } })
  }
  const beyond = (layer: readonly TestMember[], code: string, change: Partial<Limits>) =>
    rejects([layer], code, { limits: { ...limits, ...change } })
  const named = [file('n'.repeat(20))]
  await within(named, { nameBytes: 20 })
  await beyond(named, 'LAYER_TOO_LARGE', { nameBytes: 19 })
  await within(named, { archiveMembers: 1 })
  await beyond([...named, file('b')], 'LAYER_TOO_LARGE', { archiveMembers: 1 })
  const links = [dir('d'), link('a', 'd'), link('b', 'a'), file('b/x')]
  await within(links, { linkHops: 2 })
  await beyond(links, 'LAYER_HOSTILE', { linkHops: 1 })
  const big = [file('big', 'x'.repeat(10_000))]
  const tarBytes = (await tarOf(big)).length
  await within(big, { unpackedBytes: tarBytes })
  await beyond(big, 'LAYER_TOO_LARGE', { unpackedBytes: tarBytes - 1 })
  const path = [file(`${'d/'.repeat(20)}f`)]
  await within(path, { pathBytes: 41 })
  await beyond(path, 'LAYER_TOO_LARGE', { pathBytes: 40 })
})

test('what is there already is not touched, and what an earlier run left is removed', async () => {
  await using here = await folder()
  await mkdir(here.root)
  await assert.rejects(unpack([[file('a')]], here.root), { code: 'UNPACK_EXISTS' })
  await mkdir(join(here.path, 'two.partial/sub'), { recursive: true })
  await writeFile(join(here.path, 'two.partial/sub/left'), '')
  await chmod(join(here.path, 'two.partial/sub'), 0o500)
  await unpack([[file('a')]], join(here.path, 'two'))
  assert.deepEqual(readdirSync(here.path), ['root', 'two'])
  assert.deepEqual(tree(join(here.path, 'two')), ['a=a'])
})

test('a signal stops it, and leaves nothing', async () => {
  const stop = new AbortController()
  await using here = await folder()
  const onProgress = () => stop.abort(new Error('enough'))
  await assert.rejects(
    unpack([[file('a')], [file('b')]], here.root, { signal: stop.signal, onProgress }),
    /enough/,
  )
  assert.deepEqual(readdirSync(here.path), [])
})

test('whatever the members are, nothing outside the root changes', async () => {
  const part = fc.constantFrom('a', 'b', 'c', '..', '.', '.wh.a', '.wh.b', '.wh..wh..opq', '')
  const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
  await using here = await folder()
  const canary = join(here.path, 'canary')
  await mkdir(canary)
  await writeFile(join(canary, 'a'), 'canary')
  const target = fc.oneof(
    path,
    fc.constantFrom('../canary', '../../canary', canary, `${canary}/a`, '/', '..'),
  )
  const type = fc.constantFrom('file' as const, 'link' as const, 'symlink' as const, 'directory' as const)
  const member = fc
    .record({ name: path, type, linkname: target })
    .map(({ name, type, linkname }): TestMember => {
      if (type === 'file') return { name: name.replace(/\/+$/, '') || 'a', content: 'evil' }
      return type === 'directory' ? { name: `${name}/`, type } : { name, type, linkname }
    })
  let unpacked = 0
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(member, { maxLength: 5 }), { maxLength: 3 }), async (layers) => {
      try {
        await unpack(layers, here.root)
        unpacked++
      } catch (error) {
        assert.ok(error instanceof SealiftError, String(error))
      }
      await rm(here.root, { recursive: true, force: true })
      assert.deepEqual(readdirSync(here.path), ['canary'])
      assert.deepEqual(readdirSync(canary), ['a'])
      assert.equal(readFileSync(join(canary, 'a'), 'utf8'), 'canary')
      assert.equal(lstatSync(join(canary, 'a')).nlink, 1)
    }),
    { numRuns: 300 },
  )
  assert.ok(unpacked > 20, 'some are harmless, and unpack')
})
