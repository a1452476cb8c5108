import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  type Container,
  copy,
  LayoutTarget,
  MemoryStore,
  openArchive,
  openDataDirectory,
  openLayout,
  verify,
  verifying,
  walk,
} from '#content/index.ts'
import type { Descriptor } from '#oci/index.ts'
import { putImage } from './support/random-image.ts'
import { seededRandom } from './support/seeded-random.ts'

const mebibyte = 1024 * 1024
/** What it costs as things are: a buffer or two for each of the three contents under way. Most kills come later. */
const expectedPerKill = 4 * mebibyte
const killsUpToBytes = 16 * mebibyte
/** A kill hits several contents at once, large and small ones. */
const layerSizes = [
  14 * mebibyte,
  7 * mebibyte,
  3 * mebibyte,
  ...Array.from({ length: 12 }, (_, at) => at * 9000),
]

let folder = ''
let sourcePath = ''
let root: Descriptor
let wholeBytes = 0
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sealift-kill-'))
  sourcePath = join(folder, 'source')
  const store = new MemoryStore()
  root = await putImage(store, 'killed', layerSizes)
  await copy(root, store, new LayoutTarget(sourcePath), { tags: ['1.0'] })
  for (const { descriptor } of (await walk(root, store)).nodes) wholeBytes += descriptor.size
})
after(() => rm(folder, { recursive: true }))

const worker = fileURLToPath(new URL('support/kill-worker.ts', import.meta.url))

/** One run of the worker. Killed once it has read so many bytes of the source and some milliseconds went by. */
async function run(
  action: string,
  target: string,
  log: string,
  kill?: { readonly afterBytes: number; readonly afterMs: number },
): Promise<'killed' | 'done'> {
  const bytesPerSecond = kill ? 120 * mebibyte : 10_000 * mebibyte
  const child = spawn(process.execPath, [worker, action, sourcePath, target, log, String(bytesPerSecond)], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  let isRunning = true
  exited.then(() => {
    isRunning = false
  })
  if (kill) {
    const before = await readBytes(log)
    while (isRunning && (await readBytes(log)) - before < kill.afterBytes) await setTimeout(2)
    await setTimeout(kill.afterMs)
    child.kill('SIGKILL')
  }
  const [code, signal] = await exited
  if (signal === 'SIGKILL') return 'killed'
  assert.equal(code, 0, `${action} ended with ${code ?? signal}`)
  return 'done'
}

async function readBytes(log: string): Promise<number> {
  const text = await readFile(log, 'utf8').catch(() => '')
  return text.split('\n').reduce((sum, line) => sum + Number(line), 0)
}

interface Place {
  readonly action: string
  /** Judges what is there by a final name: between the kills, and at the end. */
  check(path: string, isDone: boolean): Promise<void>
}

async function assertWhole(container: Container): Promise<void> {
  assert.deepEqual((await verify(container)).problems, [])
  assert.deepEqual(
    (await container.roots()).map(({ descriptor }) => descriptor.digest),
    [root.digest],
  )
  await container.close()
}

const places: Place[] = [
  {
    action: 'pack',
    async check(path, isDone) {
      if (isDone || (await isThere(path))) await assertWhole(await openArchive(path))
    },
  },
  {
    action: 'copy',
    async check(path, isDone) {
      if (isDone || (await isThere(join(path, 'index.json')))) return assertWhole(await openLayout(path))
      if (!(await isThere(join(path, 'oci-layout')))) return
      const layout = await openLayout(path)
      const { problems } = await verify(layout)
      assert.deepEqual(
        problems.filter(({ kind }) => kind !== 'extra'),
        [],
      )
    },
  },
  {
    action: 'push',
    async check(path, isDone) {
      const store = await (await openDataDirectory(path)).repository('lib/app')
      const { nodes } = await walk(root, await openLayout(sourcePath).then(({ source }) => source))
      for (const { descriptor } of nodes) {
        const found = await store?.find(descriptor.digest)
        if (isDone) assert.ok(found, `${descriptor.digest} is there`)
        if (!store || !found) continue
        const reader = verifying(await store.open(found), descriptor)
        const buffer = Buffer.alloc(mebibyte)
        while ((await reader.read(buffer)) > 0);
        await reader.close()
      }
      if (isDone) assert.equal((await store?.resolve('1.0'))?.digest, root.digest)
    },
  },
]

const report = (killed: number, repeatedBytes: number): string =>
  `${killed} kills, ${(repeatedBytes / mebibyte).toFixed(1)} MiB repeated`

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** 50 kills over the three. */
const kills = { pack: 17, copy: 17, push: 16 } as const

for (const place of places) {
  const wanted = kills[place.action as keyof typeof kills]
  test(`${place.action} is killed ${wanted} times, is rerun, repeats little and completes`, async () => {
    const random = seededRandom(place.action.length + wanted)
    let killed = 0
    // Not every life dies late: several are started over, so that early and late moments are both hit.
    for (let life = 0; killed < wanted; life++) {
      const target = join(folder, `${place.action}-${life}.tgz`)
      const log = join(folder, `${place.action}-${life}.log`)
      let killedHere = 0
      let isDone = false
      const perLife = Math.min(6, wanted - killed)
      while (killedHere < perLife) {
        const afterBytes = Math.floor(random() * killsUpToBytes)
        const ended = await run(place.action, target, log, { afterBytes, afterMs: random() * 8 })
        isDone = ended === 'done'
        if (isDone) break
        killedHere++
        killed++
        await place.check(target, false)
      }
      if (!isDone) await run(place.action, target, log)
      await place.check(target, true)
      const repeated = (await readBytes(log)) - wholeBytes
      assert.ok(repeated >= 0, 'all of the source was read')
      assert.ok(repeated <= killedHere * expectedPerKill, report(killedHere, repeated))
      await rm(target, { recursive: true })
      await rm(log)
    }
  })
}
